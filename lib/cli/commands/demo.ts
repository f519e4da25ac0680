import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, withDefault } from "@optique/core/modifiers";
import { command, flag, option } from "@optique/core/primitives";
import { integer } from "@optique/core/valueparser";
import { OsError, UsageError, VnetError } from "../../error.ts";
import { type Action, type Context, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { selfCommand, selfEnvironment } from "../self.ts";
import { format } from "./options.ts";

interface DemoOptions {
  readonly apps: number;
  readonly keep: boolean;
  readonly shell: boolean;
  readonly host: boolean;
  readonly format: "text" | "json";
}

/** SIGTERM, as a wait status tells it. */
const SIGTERM = 15;
const DEADLINE_MS = 30_000;
/** After the deadline it has as long to take everything down. */
const GRACE_MS = 8_000;

export const demo = command(
  "demo",
  map(
    object({
      apps: withDefault(
        option("--apps", integer({ min: 0, max: 500, metavar: "N" }), {
          description: message`Publish N more echo apps.`,
        }),
        0,
      ),
      keep: withDefault(
        flag("--keep", { description: message`Stay up after the checks, until Ctrl-C.` }),
        false,
      ),
      shell: withDefault(
        flag("--shell", { description: message`Open a shell in the namespaces after the checks.` }),
        false,
      ),
      host: withDefault(
        flag("--host", {
          description: message`Use this machine's own network and resolver (root), not namespaces.`,
        }),
        false,
      ),
      format,
    }),
    (options): Action => (context) => runDemo(context, options),
  ),
  {
    brief:
      message`Start a cluster, an agent, apps and a client, and check that it works end to end`,
    description:
      message`Everything runs in network and mount namespaces of its own and is removed afterwards; this machine is not changed.`,
  },
);

async function runDemo(context: Context, options: DemoOptions): Promise<number> {
  if (options.keep && options.shell) {
    throw new UsageError("usage", `Use "--keep" or "--shell", not both`);
  }
  if (options.host && Deno.uid() !== 0) {
    throw new VnetError("not-permitted", "Cannot use this machine's network: this needs root", {
      hint: "Run it with sudo, or without --host",
    });
  }
  const { processes } = await context.machine();
  const home = await makeHome();
  const places = await makePlaces();
  try {
    const pid = start(() =>
      processes.spawn({
        ...selfCommand([
          "demo-inside",
          "--home",
          home,
          "--format",
          options.format,
          "--apps",
          `${options.apps}`,
          "--after",
          options.shell ? "shell" : options.keep ? "keep" : "end",
          "--where",
          options.host ? "host" : "inside",
          ...(context.globals.quiet ? ["--quiet"] : []),
          ...(context.globals.debug ? ["--debug"] : []),
          ...(context.globals.verbose ? ["--verbose"] : []),
        ]),
        env: {
          ...selfEnvironment(context.env),
          HOME: context.env("HOME") ?? "/",
          SHELL: context.env("SHELL") ?? "/bin/sh",
        },
        stdin: "inherit",
        stdout: "inherit",
        stderr: "inherit",
        ...(options.host ? {} : {
          namespaces: {
            net: true,
            mount: true,
            ...(Deno.uid() === 0 ? {} : { user: "root" as const }),
          },
        }),
      })
    );
    return await follow(context, options, pid, processes.wait(pid));
  } finally {
    for (const path of [home, ...places]) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
}

/** Makes the demo's folder where temporary files go; a bare root has no such place, and gets it where we stand. */
async function makeHome(): Promise<string> {
  const prefix = "vnet-demo-";
  let cause: unknown;
  for (const dir of [undefined, "/dev/shm", "/run", Deno.cwd()]) {
    try {
      return await Deno.makeTempDir({ prefix, ...(dir === undefined ? {} : { dir }) });
    } catch (thrown) {
      cause ??= thrown;
    }
  }
  throw new VnetError("folder-denied", "Cannot make a folder for the demo", {
    hint: "Set TMPDIR to a writable folder",
    cause,
  });
}

/**
 * Makes what the demo mounts its own /run and resolver file on, where a bare root has nothing.
 *
 * @returns What was made, the innermost first.
 */
async function makePlaces(): Promise<string[]> {
  const made: string[] = [];
  for (const folder of ["/run", "/etc"]) {
    try {
      await Deno.mkdir(folder, { mode: 0o755 });
    } catch {
      continue; // It is there, or we may not: the demo says what it lacks.
    }
    made.unshift(folder);
    if (folder !== "/etc") continue;
    await Deno.writeTextFile("/etc/resolv.conf", "");
    made.unshift("/etc/resolv.conf");
  }
  return made;
}

/** Starts the demo, and says what helps where namespaces are not to be had. */
function start(spawn: () => number): number {
  try {
    return spawn();
  } catch (thrown) {
    if (!(thrown instanceof OsError) || !["EPERM", "ENOSPC", "EUSERS"].includes(thrown.errno)) {
      throw thrown;
    }
    throw new VnetError(
      "namespaces-denied",
      `Cannot make namespaces for the demo: ${thrown.errno}`,
      {
        hint:
          "Run it with sudo, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)",
        cause: thrown,
      },
    );
  }
}

/** Waits for the demo, passing the wish to stop on to it. */
async function follow(
  context: Context,
  options: DemoOptions,
  pid: number,
  end: Promise<{ readonly code: number } | { readonly signal: number }>,
): Promise<number> {
  const stop = () => kill(pid, "SIGTERM");
  context.signal.addEventListener("abort", stop, { once: true });
  const bounded = !options.keep && !options.shell;
  const timers = !bounded ? [] : [
    setTimeout(stop, DEADLINE_MS),
    setTimeout(() => kill(pid, "SIGKILL"), DEADLINE_MS + GRACE_MS),
  ];
  try {
    const reason = await end;
    if ("code" in reason) return reason.code;
    if (context.signal.aborted && reason.signal === SIGTERM) return EXIT.failed;
    tell(context, `The demo was killed by signal ${reason.signal}`);
    return EXIT.failed;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    context.signal.removeEventListener("abort", stop);
  }
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}
