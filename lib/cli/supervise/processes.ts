/**
 * Starts the two processes: the helper as root, the daemon as the owner.
 *
 * @module
 */
import type { UpSettings } from "../../config/mod.ts";
import { closeFd, loadShim, type Shim, socketPair, spawn, waitProcess } from "../../os/mod.ts";
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
}

/** The descriptor that each gets one end of their socket pair as. */
const PEER_DESCRIPTOR = 3;

/** Starts both as root; anybody else starts the daemon, which finds the service's helper. */
export function startProcesses(context: Context, start: Start): Running {
  const shim = loadShim();
  return Deno.uid() === 0 ? startBoth(context, shim, start) : startAlone(context, shim, start);
}

/** Starts both with a socket pair between them: when one dies, the other knows at once. */
function startBoth(context: Context, shim: Shim, start: Start): Running {
  const [helperFd, daemonFd] = socketPair(shim);
  try {
    const helperPid = startHelper(context, shim, start, helperFd);
    const daemonPid = startDaemon(context, shim, start, daemonFd);
    return {
      daemonPid,
      helperEnd: waitProcess(shim, helperPid),
      daemonEnd: waitProcess(shim, daemonPid),
    };
  } finally {
    closeFd(shim, helperFd);
    closeFd(shim, daemonFd);
  }
}

function startAlone(context: Context, shim: Shim, start: Start): Running {
  const daemonPid = startDaemon(context, shim, start, null);
  return {
    daemonPid,
    helperEnd: Promise.resolve(), // The daemon ends when its helper has taken everything back.
    daemonEnd: waitProcess(shim, daemonPid),
  };
}

function startHelper(
  context: Context,
  shim: Shim,
  { settings, detach }: Start,
  descriptor: number,
): number {
  const args = helperArgs({
    client: PEER_DESCRIPTOR,
    journalDir: journalDir(context),
    // Root's files root keeps from growing; a user's own, the user's daemon.
    logsOf: detach ? context.owner.uid : null,
    settings,
  });
  return spawn(shim, {
    ...selfCommand([...args, ...logFlags(context)]),
    env: { ...selfEnvironment(context.env), HOME: "/root" },
    stdin: "null",
    stdout: "null",
    stderr: detach ? { append: logFile(context, "helper") } : "inherit",
    descriptors: [descriptor],
    newSession: true,
  });
}

/** @param descriptor Its end of the pair; `null` for the service's helper. */
function startDaemon(
  context: Context,
  shim: Shim,
  { settings, detach }: Start,
  descriptor: number | null,
): number {
  const { owner } = context;
  const args = daemonArgs({
    helper: descriptor === null ? { path: HELPER_SOCKET } : { descriptor: PEER_DESCRIPTOR },
    keepLog: descriptor === null && detach ? logFile(context, "daemon") : null,
    settings,
  });
  return spawn(shim, {
    ...selfCommand([...args, ...homeArgs(context), ...logFlags(context)]),
    env: { ...selfEnvironment(context.env), HOME: owner.homeDir, USER: owner.name },
    ...(owner.uid === Deno.uid() ? {} : { uid: owner.uid, gid: owner.gid }),
    stdin: "null",
    stdout: "null",
    stderr: detach ? { append: logFile(context, "daemon") } : "inherit",
    descriptors: descriptor === null ? [] : [descriptor],
    newSession: true,
    noNewPrivileges: true,
  });
}

function logFlags({ globals }: Context): readonly string[] {
  if (globals.debug) return ["--debug"];
  return globals.verbose ? ["--verbose"] : [];
}
