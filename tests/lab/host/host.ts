/**
 * A host of the lab: network, mount, pid, uts and ipc namespaces of its own, with private /etc, /run, /tmp,
 * /home, /var/lib and /var/log, held by one process whose death ends everything inside.
 *
 * @module
 */
import { childrenOf, killQuietly, LabProcess, type Outcome } from "./process.ts";
import { say, shellText } from "./say.ts";
import { until, within } from "./wait.ts";

/** How to run a command in a host. */
export interface RunOptions {
  readonly stdin?: string;
  /** Default 20 s. */
  readonly timeoutMs?: number;
  /** Adds to the host's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** A user of the host's /etc/passwd; default root. */
  readonly user?: string;
  /** Exit statuses that are no surprise; default only 0. `"any"` accepts all. */
  readonly expect?: readonly number[] | "any";
  /** Does not echo the command. */
  readonly quiet?: boolean;
}

/** A process seen from outside. */
export interface HostProcess {
  readonly pid: number;
  readonly uid: number;
  readonly command: readonly string[];
}

/** The namespaces a host has for itself. */
export const NAMESPACES = ["net", "mnt", "pid", "uts", "ipc"] as const;

/** What a host is made by. */
export interface HostKind {
  /** Its process 1: it gets the name and the directories to keep, and says "ready". */
  readonly script: string;
  /** Whether it has a network for itself. */
  readonly ownNetwork: boolean;
  readonly readyMs: number;
}

const LAB_HOST: HostKind = {
  script: new URL("./host.sh", import.meta.url).pathname,
  ownNetwork: true,
  readyMs: 10_000,
};

export class Host {
  readonly name: string;
  /** Process 1 of the host as this machine counts. */
  readonly pid: number;
  /** `net:[4026532281]` and the like, to find leftovers by. */
  readonly namespaces: readonly string[];
  readonly #started: LabProcess[] = [];
  readonly #holder: Deno.ChildProcess;
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(
    name: string,
    pid: number,
    holder: Deno.ChildProcess,
    environment: Readonly<Record<string, string>>,
  ) {
    this.name = name;
    this.pid = pid;
    this.namespaces = NAMESPACES.map((kind) => Deno.readLinkSync(`/proc/${pid}/ns/${kind}`));
    this.#holder = holder;
    this.#environment = environment;
  }

  /**
   * Starts a host.
   *
   * @param keep Directories that must stay visible: the repository, Deno's cache, the lab's own directory.
   */
  static async open(
    name: string,
    keep: readonly string[],
    environment: Readonly<Record<string, string>>,
    kind: HostKind = LAB_HOST,
  ): Promise<Host> {
    const holder = new Deno.Command("sh", {
      // Descriptor 9 is where host.sh complains: unshare(1) itself complains when its child is killed.
      // deno-fmt-ignore
      args: ["-c", `exec 9>&2 2>/dev/null; exec unshare "$@"`, "sh",
        ...(kind.ownNetwork ? ["--net"] : []), "--mount", "--pid", "--uts", "--ipc", "--propagation", "private",
        "--fork", "--kill-child=SIGKILL", "bash", kind.script, name, ...keep],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    try {
      await within(`host "${name}" is ready`, kind.readyMs, saysReady(holder.stdout));
      const pid = await until(`host "${name}" has a process 1`, 1_000, () => {
        return childrenOf(holder.pid)[0];
      });
      return new Host(name, pid, holder, environment);
    } catch (thrown) {
      killQuietly(holder.pid, "SIGKILL");
      await holder.status;
      await holder.stdin.close().catch(() => undefined);
      throw new Error(`Cannot start host "${name}"`, { cause: thrown });
    }
  }

  /** The same host as one of its processes sees it that has namespaces of its own: commands enter those. */
  seenBy(pid: number): Host {
    return new Host(this.name, pid, this.#holder, this.#environment);
  }

  /** Runs a command to its end; throws unless its exit status is one of the expected. */
  async run(command: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    if (options.quiet !== true) say(this.#prompt(command, options));
    const begin = performance.now();
    const child = this.#spawn(command, options, "piped");
    const timeoutMs = options.timeoutMs ?? 20_000;
    const ended = Promise.all([
      readAll(child.stdout),
      readAll(child.stderr),
      child.status,
      feed(child.stdin, options.stdin ?? ""),
    ]);
    try {
      const [stdout, stderr, status] = await within(
        `${this.name}$ ${shellText(command)}`,
        timeoutMs,
        ended,
      );
      const elapsedMs = performance.now() - begin;
      const outcome = { code: status.code, signal: status.signal, stdout, stderr, elapsedMs };
      check(this.#prompt(command, options), outcome, options.expect ?? [0]);
      return outcome;
    } catch (thrown) {
      await endQuickly(child);
      await Promise.all([child.stdout.cancel(), child.stderr.cancel()]).catch(() => undefined);
      throw thrown;
    }
  }

  /** Runs a command and gives its stdout without the last newline. */
  async output(command: readonly string[], options: RunOptions = {}): Promise<string> {
    return (await this.run(command, options)).stdout.trimEnd();
  }

  /** Runs a script of `/bin/sh`, line by line as written. */
  async script(lines: string, options: RunOptions = {}): Promise<string> {
    for (const line of lines.trim().split("\n")) say(`${this.name}# ${line.trim()}`);
    return await this.output(["sh", "-euc", lines], { ...options, quiet: true });
  }

  /**
   * Starts a program that goes on running. Its stdout can be waited for line by line; stderr goes to `log`,
   * or nowhere.
   */
  spawn(
    command: readonly string[],
    options: RunOptions & { readonly log?: string } = {},
  ): LabProcess {
    say(`${this.#prompt(command, options)} &`);
    const quoted = options.log === undefined ? "/dev/null" : options.log;
    const wrapped = ["sh", "-c", `exec "$@" 2>>'${quoted}'`, "sh", ...command];
    const child = this.#spawn(wrapped, options, "null");
    const process = new LabProcess(`${this.name}: ${command[0]}`, child);
    this.#started.push(process);
    return process;
  }

  /** Every process in the host but its process 1 and the lab's own way in. */
  processes(): HostProcess[] {
    const own = this.namespaces[NAMESPACES.indexOf("pid")];
    const found: HostProcess[] = [];
    for (const entry of Deno.readDirSync("/proc")) {
      const pid = Number(entry.name);
      if (!Number.isInteger(pid) || pid === this.pid) continue;
      try {
        if (Deno.readLinkSync(`/proc/${pid}/ns/pid`) !== own) continue;
        const command = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0").slice(0, -1);
        if (command.length === 0 || command[0] === "life-line") continue;
        found.push({ pid, uid: Deno.statSync(`/proc/${pid}`).uid ?? 0, command });
      } catch (thrown) {
        if (!isGone(thrown) && !(thrown instanceof Deno.errors.PermissionDenied)) throw thrown;
      }
    }
    return found;
  }

  /** The TCP ports somebody listens on, with the address as the kernel's table has it. */
  tcpListeners(): { readonly address: string; readonly port: number }[] {
    const rows = ["tcp", "tcp6"].flatMap((table) => {
      return Deno.readTextFileSync(`/proc/${this.pid}/net/${table}`).split("\n").slice(1);
    });
    return rows.map((row) => row.trim().split(/\s+/)).filter((cells) => cells[3] === "0A").map(
      (cells) => {
        const [address = "", port = ""] = cells[1]!.split(":");
        return { address, port: parseInt(port, 16) };
      },
    );
  }

  /** Waits until somebody listens on a TCP port. */
  async listening(port: number, deadlineMs = 10_000): Promise<void> {
    await until(`${this.name} listens on port ${port}`, deadlineMs, () => {
      return this.tcpListeners().some((listener) => listener.port === port);
    });
  }

  /** Ends every process in the host and gives its namespaces back. */
  async close(): Promise<void> {
    // Process 1 takes its pid namespace along, and unshare(1), which waits for it, reaps it.
    if (childrenOf(this.#holder.pid).includes(this.pid)) killQuietly(this.pid, "SIGKILL");
    await within(`host "${this.name}" ends`, 5_000, this.#holder.status);
    for (const process of this.#started) await process.stop("SIGKILL");
    await this.#holder.stdin.close().catch(() => undefined);
  }

  #spawn(
    command: readonly string[],
    options: RunOptions,
    stderr: "piped" | "null",
  ): Deno.ChildProcess {
    // The lab's way in dies with the driver, and what it runs dies with it.
    const identity = options.user === undefined
      ? []
      : [`--reuid=${options.user}`, `--regid=${options.user}`, "--init-groups"];
    return new Deno.Command("nsenter", {
      // deno-fmt-ignore
      args: [`--target=${this.pid}`, "--net", "--mount", "--pid", "--uts", "--ipc", "--",
        "setpriv", "--pdeathsig=KILL", ...identity, "--", ...command],
      clearEnv: true,
      env: { ...this.#environment, ...options.env },
      stdin: "piped",
      stdout: "piped",
      stderr,
    }).spawn();
  }

  #prompt(command: readonly string[], options: RunOptions): string {
    const environment = Object.entries(options.env ?? {}).map(([key, value]) => `${key}=${value} `);
    const user = options.user === undefined ? "" : `${options.user}@`;
    return `${user}${this.name}${user === "" ? "#" : "$"} ${environment.join("")}${
      shellText(command)
    }`;
  }
}

/** Kills what nsenter(1) runs; nsenter reaps it, tells, and ends. */
async function endQuickly(child: Deno.ChildProcess): Promise<void> {
  for (const pid of childrenOf(child.pid)) killQuietly(pid, "SIGKILL");
  try {
    await within("nsenter ends", 1_000, child.status);
  } catch {
    killQuietly(child.pid, "SIGKILL");
    await child.status;
  }
}

function check(prompt: string, outcome: Outcome, expect: readonly number[] | "any"): void {
  if (expect === "any" || expect.includes(outcome.code)) return;
  const said = [outcome.stdout.trimEnd(), outcome.stderr.trimEnd()].filter((text) => text !== "");
  throw new Error(`${prompt}\n  exit status ${outcome.code}: ${said.join("\n  ")}`);
}

async function saysReady(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
  const reader = stream.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  if (value === undefined) throw new Error("It ended at once; its reason is above");
}

async function readAll(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return await new Response(stream).text();
}

async function feed(stdin: WritableStream<Uint8Array<ArrayBuffer>>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    if (text !== "") await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // The program ended without reading: its exit status tells more than a broken pipe.
  }
}

function isGone(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.NotFound ||
    (thrown instanceof Error && /No such process|ESRCH|os error (2|3)/.test(thrown.message));
}
