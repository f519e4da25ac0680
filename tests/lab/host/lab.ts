/**
 * Hosts on wires: a lab is a set of namespaced hosts and veth pairs, torn down to nothing when it closes.
 *
 * @module
 */
import { here } from "./paths.ts";
import { Host, NAMESPACES } from "./host.ts";
import { say } from "./say.ts";
import { until } from "./wait.ts";

/** What of a lab may still be on the machine; every list is empty after {@link Lab.close}. */
export interface Leftovers {
  readonly processes: readonly string[];
  readonly namespaces: readonly string[];
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  readonly files: readonly string[];
}

export class Lab implements AsyncDisposable {
  /** A directory all hosts and the driver share: logs, secrets passed around, files to compare. */
  readonly directory: string;
  readonly #keep: readonly string[];
  readonly #environment: Record<string, string>;
  readonly #hosts: Host[] = [];
  readonly #namespaces: string[] = [];
  readonly #linksBefore: ReadonlySet<string>;
  #closed = false;
  /** When the last host was gone, in the kernel's ticks since boot. */
  #goneAtTicks = Infinity;

  private constructor(directory: string, denoDirectory: string) {
    this.directory = directory;
    this.#keep = [...new Set([directory, repository(), denoDirectory, executableDirectory()])];
    this.#environment = {
      PATH: `${executableDirectory()}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: "/home/root",
      LANG: "C.UTF-8",
      TERM: "dumb",
      NO_COLOR: "1",
      DENO_DIR: denoDirectory,
      DENO_NO_UPDATE_CHECK: "1",
    };
    this.#linksBefore = new Set(linkNames());
  }

  static async open(): Promise<Lab> {
    const directory = await Deno.makeTempDir({ prefix: "vnet-lab-" });
    await Deno.chmod(directory, 0o755);
    await Deno.mkdir(`${directory}/logs`);
    await Deno.chmod(`${directory}/logs`, 0o777);
    return new Lab(directory, await denoDirectory());
  }

  /** Starts a host. */
  async host(name: string): Promise<Host> {
    const host = await Host.open(name, this.#keep, this.#environment);
    this.#hosts.push(host);
    this.#namespaces.push(...host.namespaces);
    return host;
  }

  /** Starts several hosts at once, in the order of their names. */
  async hosts<const Names extends readonly string[]>(
    ...names: Names
  ): Promise<{ readonly [Index in keyof Names]: Host }> {
    const opened = await Promise.all(names.map((name) => this.host(name)));
    return opened as unknown as { readonly [Index in keyof Names]: Host };
  }

  /** Connects two hosts by a veth pair; the ends are called as given and are up. */
  async wire(a: Host, endA: string, b: Host, endB: string): Promise<void> {
    // ip(8) finds the other namespace by process id, so it must see this machine's /proc: no --mount, no --pid.
    const command = `ip link add ${endA} type veth peer name ${endB} netns ${b.pid}`;
    say(`${a.name}# ${command}`);
    const { code, stderr } = await new Deno.Command("nsenter", {
      args: [`--target=${a.pid}`, "--net", "--", ...command.split(" ")],
      stdin: "null",
    }).output();
    if (code !== 0) throw new Error(`${command}: ${new TextDecoder().decode(stderr).trim()}`);
    await a.run(["ip", "link", "set", endA, "up"], { quiet: true });
    await b.run(["ip", "link", "set", endB, "up"], { quiet: true });
  }

  /** The path of a log in the shared directory. */
  log(name: string): string {
    return `${this.directory}/logs/${name}.log`;
  }

  /** The last lines of every log, those that vnet keeps on the hosts too: what a failed story should show. */
  async tails(lines = 40): Promise<string> {
    const folders = this.#hosts.flatMap(({ pid }) =>
      ["var/lib/vnet", "home/root/.local/state/vnet", `home/alice/.local/state/vnet`].map(
        (folder) => `/proc/${pid}/root/${folder}`,
      )
    );
    const parts: string[] = [];
    for (const folder of [`${this.directory}/logs`, ...folders]) {
      for (const file of logsIn(folder)) {
        const tail = (await Deno.readTextFile(file)).trimEnd().split("\n").slice(-lines).join("\n");
        if (tail !== "") parts.push(`--- ${file}\n${tail}`);
      }
    }
    return parts.join("\n");
  }

  /** Kills every host and removes the shared directory, unless VNET_LAB_KEEP asks to keep it. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#hosts.map((host) => host.close()));
    this.#goneAtTicks = nowTicks();
    if (Deno.env.get("VNET_LAB_KEEP") === undefined) {
      await Deno.remove(this.directory, { recursive: true });
    } else {
      say(`Kept ${this.directory}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Looks for what the lab may have left on the machine, at most for two seconds: the kernel tidies up late. */
  async leftovers(): Promise<Leftovers> {
    const count = (found: Leftovers) => Object.values(found).flat().length;
    await until("nothing of the lab is left", 2_000, () => count(this.#look()) === 0).catch(
      () => undefined,
    );
    return this.#look();
  }

  #look(): Leftovers {
    const own = new Set(this.#namespaces);
    const held = namespacesInUse(own, this.#goneAtTicks);
    return {
      processes: held.map((use) => use.process),
      namespaces: [...new Set(held.map((use) => use.namespace))],
      mounts: Deno.readTextFileSync("/proc/self/mountinfo").split("\n").filter((line) =>
        line.includes(this.directory) || line.includes("nsfs")
      ),
      links: linkNames().filter((name) => !this.#linksBefore.has(name)),
      files: exists(this.directory) ? [this.directory] : [],
    };
  }
}

/** Processes in namespaces of ours. The kernel gives their numbers to others' once they are gone. */
function namespacesInUse(
  own: ReadonlySet<string>,
  beforeTicks: number,
): { process: string; namespace: string }[] {
  const found: { process: string; namespace: string }[] = [];
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^[0-9]+$/.test(entry.name)) continue;
    for (const kind of NAMESPACES) {
      try {
        const namespace = Deno.readLinkSync(`/proc/${entry.name}/ns/${kind}`);
        if (own.has(namespace) && startTicks(entry.name) <= beforeTicks) {
          found.push({ process: describe(entry.name), namespace });
        }
      } catch {
        // It ended while we looked.
      }
    }
  }
  return found;
}

/** The kernel's clock for proc(5), whatever its own. */
const TICKS_PER_SECOND = 100;

function nowTicks(): number {
  return Math.ceil(parseFloat(Deno.readTextFileSync("/proc/uptime")) * TICKS_PER_SECOND);
}

/** When a process started. @see proc_pid_stat(5), field 22; the name before it may contain anything */
function startTicks(pid: string): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}

function describe(pid: string): string {
  return `${pid} ${Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()}`;
}

function linkNames(): string[] {
  return Deno.readTextFileSync("/proc/net/dev").split("\n").slice(2)
    .map((line) => line.split(":")[0]!.trim()).filter((name) => name !== "");
}

function logsIn(folder: string): string[] {
  if (!exists(folder)) return [];
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
    name.endsWith(".log")
  ).sort().map((name) => `${folder}/${name}`);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function repository(): string {
  return here("../..");
}

function executableDirectory(): string {
  return Deno.execPath().replace(/\/[^/]+$/, "");
}

async function denoDirectory(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout)) as { denoDir: string };
  return denoDir;
}
