/**
 * Starts the two processes: the helper as root, the daemon as the owner.
 *
 * @module
 */
import type { UpSettings } from "../../config/mod.ts";
import type { Prefix } from "../../ip/mod.ts";
import type { Descriptor, ThisMachine } from "../../os/mod.ts";
import type { Context } from "../context.ts";
import { journalDir } from "../journal.ts";
import { homeArgs, selfCommand, selfEnvironment } from "../self.ts";
import { HELPER_SOCKET } from "../service/units.ts";
import { daemonArgs, helperArgs } from "./arguments.ts";
import { logFile } from "./places.ts";

/** The two processes while they run. */
export interface Running {
  readonly daemonPid: number;
  readonly helperEnd: Promise<unknown>;
  readonly daemonEnd: Promise<unknown>;
}

/** What both are started with. */
export interface Start {
  readonly settings: UpSettings;
  /** Whether they go on in the background, and write into logs. */
  readonly detach: boolean;
  /** Where root lets ranges lie beside 100.64.0.0/10; nothing where a service's helper knows that itself. */
  readonly allowed: readonly Prefix[];
}

/**
 * What the helper keeps of root's power: what its unit has (units.ts), and what it takes to name the program of another
 * user's connection, which the unit does without.
 */
const HELPER_CAPABILITIES = [
  "chown",
  "dac-read-search",
  "net-admin",
  "net-bind-service",
  "net-raw",
  "sys-ptrace",
] as const;

/** The descriptor that each gets one end of their socket pair as. */
const PEER_DESCRIPTOR = 3;

/** Starts both as root; anybody else starts the daemon, which finds the service's helper. */
export async function startProcesses(context: Context, start: Start): Promise<Running> {
  const machine = await context.machine();
  return Deno.uid() === 0
    ? startBoth(context, machine, start)
    : startAlone(context, machine, start);
}

/** Starts both with a socket pair between them: when one dies, the other knows at once. */
function startBoth(context: Context, machine: ThisMachine, start: Start): Running {
  const { sockets, processes } = machine;
  const [helperFd, daemonFd] = sockets.messagePair();
  try {
    const helperPid = startHelper(context, machine, start, helperFd);
    const daemonPid = startDaemon(context, machine, start, daemonFd);
    return {
      daemonPid,
      helperEnd: processes.wait(helperPid),
      daemonEnd: processes.wait(daemonPid),
    };
  } finally {
    sockets.close(helperFd);
    sockets.close(daemonFd);
  }
}

function startAlone(context: Context, machine: ThisMachine, start: Start): Running {
  const daemonPid = startDaemon(context, machine, start, null);
  return {
    daemonPid,
    helperEnd: Promise.resolve(), // The daemon ends when its helper has taken everything back.
    daemonEnd: machine.processes.wait(daemonPid),
  };
}

function startHelper(
  context: Context,
  machine: ThisMachine,
  { settings, detach, allowed }: Start,
  descriptor: Descriptor,
): number {
  const args = helperArgs({
    client: PEER_DESCRIPTOR,
    journalDir: journalDir(context),
    // Root's files root keeps from growing; a user's own, the user's daemon.
    logsOf: detach ? context.owner.uid : null,
    settings,
    allowed,
  });
  return machine.processes.spawn({
    ...selfCommand([...args, ...logFlags(context)]),
    env: { ...selfEnvironment(context.env), HOME: "/root" },
    stdin: "null",
    stdout: "null",
    stderr: detach ? { append: logFile(context, "helper") } : "inherit",
    descriptors: [descriptor],
    newSession: true,
    noNewPrivileges: true,
    capabilities: HELPER_CAPABILITIES,
  });
}

/** @param descriptor Its end of the pair; `null` for the service's helper. */
function startDaemon(
  context: Context,
  machine: ThisMachine,
  { settings, detach }: Start,
  descriptor: Descriptor | null,
): number {
  const { owner } = context;
  const args = daemonArgs({
    helper: descriptor === null ? { path: HELPER_SOCKET } : { descriptor: PEER_DESCRIPTOR },
    keepLog: descriptor === null && detach ? logFile(context, "daemon") : null,
    settings,
  });
  return machine.processes.spawn({
    ...selfCommand([...args, ...homeArgs(context), ...logFlags(context)]),
    env: { ...selfEnvironment(context.env), HOME: owner.homeDir, USER: owner.name },
    ...(owner.uid === Deno.uid() ? {} : { uid: owner.uid, gid: owner.gid }),
    stdin: "null",
    stdout: "null",
    stderr: detach ? { append: logFile(context, "daemon") } : "inherit",
    descriptors: descriptor === null ? [] : [descriptor],
    newSession: true,
    noNewPrivileges: true,
    capabilities: [],
  });
}

function logFlags({ globals }: Context): readonly string[] {
  if (globals.debug) return ["--debug"];
  return globals.verbose ? ["--verbose"] : [];
}
