/**
 * `vnet run`: has namespaces made, and a daemon serve them; then it becomes the command itself, so that terminal,
 * signals and status are the command's own.
 *
 * @module
 */
import { z } from "zod";
import { OsError, UsageError, VnetError } from "../../error.ts";
import { parseJson } from "../../json.ts";
import type { HeldNamespaces, ThisMachine } from "../../os/mod.ts";
import { orAborted, withDeadline } from "../../wait.ts";
import { type Context, tell } from "../context.ts";
import { homeArgs, selfCommand, selfEnvironment } from "../self.ts";
import type { OuterNetwork } from "./outer_network.ts";

/** What was typed. */
export interface RunOptions {
  readonly command: readonly string[];
  readonly network: OuterNetwork;
}

/** As shells say that there is no such command. */
const NOT_FOUND = 127;
/** As shells say that a signal ended it: here before the command was there. */
const INTERRUPTED = 130;

/** Logins, names and the network: each of them has a shorter limit of its own. */
const START_MS = 60_000;

/** What the daemon says once: all is there, or why not. */
export const ServedSchema = z.union([
  z.object({
    notes: z.array(z.string()),
    /** Whether the first descriptor is that of a user namespace. */
    has_user: z.boolean(),
  }),
  z.object({
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }),
  }),
]);
export type Served = z.infer<typeof ServedSchema>;

/**
 * Becomes a command in namespaces where names and addresses of apps work.
 *
 * @returns The status to end with where there is no such command; else it does not return.
 */
export async function runCommand(context: Context, options: RunOptions): Promise<number> {
  const [name = "", ...args] = options.command;
  refuseSudo(context);
  const machine = await context.machine();
  await requireTun();
  try {
    machine.commands.find(name);
  } catch (thrown) {
    if (!(thrown instanceof OsError) || thrown.code !== "command-unknown") throw thrown;
    context.stderr(`error: ${thrown.message} [${thrown.code}]\n`);
    return NOT_FOUND;
  }
  const namespaces = await serve(context, machine, options.network);
  if (context.signal.aborted || namespaces === null) return INTERRUPTED;
  return machine.commands.become({ name, args, ignored: context.ignored() }, namespaces);
}

/** A command of root's would have the logins of another. */
function refuseSudo({ owner }: Context): void {
  if (Deno.uid() !== 0 || owner.uid === 0) return;
  throw new UsageError("usage", `Cannot run a command as root with the logins of ${owner.name}`, {
    hint: "Leave out sudo: `vnet run` needs no root",
  });
}

/** Looks at the device before anything is started: who may not open it is told so in one line. */
async function requireTun(): Promise<void> {
  try {
    (await Deno.open("/dev/net/tun", { read: true, write: true })).close();
  } catch (thrown) {
    const isMissing = thrown instanceof Deno.errors.NotFound;
    const isDenied = thrown instanceof Deno.errors.PermissionDenied;
    if (!isMissing && !isDenied) return; // What else there is, the helper says.
    const state = isMissing ? "/dev/net/tun does not exist" : "/dev/net/tun cannot be opened";
    throw new OsError(
      isMissing ? "tun-missing" : "tun-open-denied",
      `Cannot run the command: ${state}`,
      {
        call: "open",
        errno: isMissing ? "ENOENT" : "EACCES",
        hint: isMissing
          ? "Run `sudo modprobe tun`; in a container, pass it in: `--device /dev/net/tun`"
          : "Let everybody open it, as most systems do: `sudo chmod 666 /dev/net/tun`",
        cause: thrown,
      },
    );
  }
}

/** Starts the daemon, and waits for what it serves. @returns `null` when somebody stopped us. */
async function serve(
  context: Context,
  { sockets, processes }: ThisMachine,
  network: OuterNetwork,
): Promise<HeldNamespaces | null> {
  const [own, theirs] = sockets.messagePair();
  try {
    processes.spawn({
      ...selfCommand([
        ...["run-daemon", "--command", `${Deno.pid}`, "--network", network],
        ...homeArgs(context),
        ...context.globals.debug ? ["--debug"] : context.globals.verbose ? ["--verbose"] : [],
        ...context.globals.quiet ? ["--quiet"] : [],
      ]),
      env: { ...Deno.env.toObject(), ...selfEnvironment(context.env) },
      stdin: "null",
      stdout: "null",
      descriptors: [theirs],
      orphan: true,
      deaf: true,
    });
  } finally {
    sockets.close(theirs);
  }
  await using socket = sockets.adoptMessages(own);
  const message = await withDeadline(
    START_MS,
    context.signal,
    (both) => orAborted(socket.receive(both), both),
  ).catch((thrown) => {
    if (context.signal.aborted) return null;
    throw new VnetError(
      "start-timeout",
      "Cannot run the command: vnet was not ready in time",
      { hint: "Try `vnet --debug run`, which says what it waits for", cause: thrown },
    );
  });
  if (context.signal.aborted) return null;
  const said = ServedSchema.safeParse(message === null ? null : parseJson(message.bytes));
  if (message === null || !said.success) {
    throw new VnetError("start-failed", "Cannot run the command: vnet ended while starting", {
      hint: "The lines above may say why; `vnet --debug run` says more",
    });
  }
  if ("error" in said.data) {
    const { code, message, hint } = said.data.error;
    throw new VnetError(code, message, hint === null ? {} : { hint });
  }
  for (const note of said.data.notes) tell(context, note);
  return namespacesOf(message.fds, said.data.has_user);
}

function namespacesOf(fds: readonly number[], hasUser: boolean): HeldNamespaces {
  const [user, net, mount, root, directory] = hasUser ? fds : [null, ...fds];
  if (
    user === undefined || net === undefined || net === null || mount === undefined ||
    mount === null || root === undefined || root === null || directory === undefined ||
    directory === null
  ) throw new VnetError("start-failed", "Cannot run the command: its namespaces did not come");
  return { user, net, mount, root, directory };
}
