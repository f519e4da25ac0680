/**
 * The daemon of one command, outside of its namespaces: it has them made, serves them, and ends with the command.
 *
 * @module
 */
import { daemonForCommand } from "../../client/mod.ts";
import { describeError, OsError, VnetError } from "../../error.ts";
import { configureLog } from "../../log.ts";
import type { HeldNamespaces, MessageSocket, ThisMachine } from "../../os/mod.ts";
import { pause } from "../../wait.ts";
import { type Context, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { harden } from "../harden.ts";
import { answerAtTerminal, questionsOf } from "../prompt/questions.ts";
import { homeArgs, selfCommand, selfEnvironment } from "../self.ts";
import { explainDenial, SWITCHES, type Switches } from "./denied.ts";
import { carryOuter, type OuterNetwork } from "./outer_network.ts";
import type { Served } from "./start.ts";

interface ServeOptions {
  /** The process that becomes the command. */
  readonly command: number;
  readonly network: OuterNetwork;
}

/** The descriptor that the command's end of the pair comes as, and the helper's. */
const PEER_DESCRIPTOR = 3;

/** What a helper in namespaces needs of them; the command has nothing of it. */
const HELPER_CAPABILITIES = ["net-admin", "net-bind-service", "net-raw", "sys-admin"] as const;

/** How long connections may take to end when the command has. */
const END_MS = 300;

/** Serves one command to its end. */
export async function serveCommand(context: Context, options: ServeOptions): Promise<number> {
  // The terminal is the command's: what it could not do anything about is not said there.
  if (!saysMore(context)) {
    await configureLog({ level: "error", form: "text", write: context.stderr });
  }
  const machine = await context.machine();
  const command = machine.sockets.inheritMessages(PEER_DESCRIPTOR);
  const stop = new AbortController();
  const gone = machine.commands.ended(options.command).catch(() => {});
  void gone.then(() => stop.abort());
  try {
    const running = await start(context, machine, options, stop.signal);
    await tellCommand(command, running.served, running.namespaces);
    await harden(context, { programs: false, machine: true });
    void running.end.catch((thrown) => {
      if (!stop.signal.aborted) context.stderr(`vnet: ${describeError(thrown)}\n`);
    });
    await Promise.race([gone, running.end.catch(() => {})]);
    stop.abort();
    await Promise.race([running.end.catch(() => {}), pause(END_MS, AbortSignal.timeout(END_MS))]);
    return EXIT.done;
  } catch (thrown) {
    await tellCommand(command, { error: renderError(thrown) }, null).catch(() => {});
    return EXIT.failed;
  }
}

interface Running {
  readonly served: Served;
  readonly namespaces: HeldNamespaces;
  readonly end: Promise<void>;
}

async function start(
  context: Context,
  machine: ThisMachine,
  { network }: ServeOptions,
  signal: AbortSignal,
): Promise<Running> {
  const { sockets, processes, commands } = machine;
  const [own, theirs] = sockets.messagePair();
  const { pid, hasUser } = startHelper(context, machine, theirs);
  const namespaces = commands.hold(pid, hasUser);
  const daemon = await daemonForCommand({
    paths: context.paths,
    ownerUid: Deno.uid() ?? 0,
    machine,
    helper: { descriptor: own },
    asks: await processes.holdsTerminal(),
    signal,
    nowMs: context.nowMs,
    onRefused: ({ name, port, message, code }) =>
      tell(context, `vnet: ${name}:${port}: ${message} [${code}]`),
  });
  void answerAtTerminal(context, questionsOf(daemon.questions.mfa), signal);
  const end = daemon.run();
  await Promise.race([daemon.ready(signal), end]);
  // Ready it says it is at its end, too.
  if (daemon.status().state !== "ready") await end;
  const inside = { pid, hasUser };
  const stderr = saysMore(context) ? "inherit" : "null";
  const note = await carryOuter({ processes, commands }, { network, inside, stderr }, signal);
  const served = { notes: note === null ? [] : [note], has_user: hasUser };
  return { served, namespaces, end };
}

/** Starts it in new namespaces, to end with this process: without a user namespace of their own, where root may. */
function startHelper(
  context: Context,
  { sockets, processes }: ThisMachine,
  descriptor: number,
): { readonly pid: number; readonly hasUser: boolean } {
  const { debug } = context.globals;
  const spawn = (hasUser: boolean) =>
    processes.spawn({
      ...selfCommand(["run-helper", ...homeArgs(context), ...debug ? ["--debug"] : []]),
      env: { ...selfEnvironment(context.env), HOME: context.env("HOME") ?? "/" },
      stdin: "null",
      stdout: "null",
      stderr: saysMore(context) ? "inherit" : "null",
      descriptors: [descriptor],
      namespaces: { net: true, mount: true, ...hasUser ? { user: "self" } : {} },
      capabilities: HELPER_CAPABILITIES,
      newSession: true,
      noNewPrivileges: true,
      dieWithParent: true,
    });
  try {
    if (Deno.uid() !== 0) return { pid: spawn(true), hasUser: true };
    try {
      return { pid: spawn(false), hasUser: false };
    } catch (thrown) {
      if (!isDenied(thrown)) throw thrown;
      return { pid: spawn(true), hasUser: true };
    }
  } catch (thrown) {
    throw isDenied(thrown) ? denial(thrown) : thrown;
  } finally {
    sockets.close(descriptor);
  }
}

function saysMore({ globals: { verbose, debug } }: Pick<Context, "globals">): boolean {
  return verbose || debug;
}

function isDenied(thrown: unknown): thrown is OsError {
  return thrown instanceof OsError && thrown.code === "namespaces-denied";
}

function denial(cause: OsError): VnetError {
  const read = (name: string) => {
    try {
      return Deno.readTextFileSync(`/proc/sys/${name}`);
    } catch {
      return null;
    }
  };
  const switches: Switches = {
    userns: read(SWITCHES.userns),
    most: read(SWITCHES.most),
    apparmor: read(SWITCHES.apparmor),
  };
  const { cause: why, hint } = explainDenial(cause.errno, switches, Deno.uid() === 0);
  return new VnetError("namespaces-denied", `Cannot run the command: ${why}`, { hint, cause });
}

async function tellCommand(
  command: MessageSocket,
  served: Served,
  namespaces: HeldNamespaces | null,
): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(served));
  const { user = null, net, mount, root, directory } = namespaces ?? {};
  const fds = [user, net, mount, root, directory].filter((fd) => typeof fd === "number");
  await command.send(bytes, fds);
}

function renderError(thrown: unknown): Extract<Served, { error: unknown }>["error"] {
  const error = thrown instanceof VnetError
    ? thrown
    : new VnetError("internal", describeError(thrown));
  return { code: error.code, message: error.message, hint: error.hint };
}
