/**
 * Starts the two client processes, the helper as root and the daemon as the owner, watches them, and ends them.
 *
 * @module
 */
import { ControlClient, type Paths, readStartError, serviceRuntimeDir } from "../client/mod.ts";
import { HELPER_BOUNDS_MS } from "../wire/mod.ts";
import { describeError, OsError, UsageError, VnetError } from "../error.ts";
import type { ThisMachine } from "../os/mod.ts";
import type { StatusV1 } from "../status/mod.ts";
import { isReady, type UpSettings } from "./commands/up.ts";
import { type Context, tell } from "./context.ts";
import { AlreadyTold, EXIT, statusOfCode } from "./exit.ts";
import { journalDir } from "./journal.ts";
import { selfCommand, selfEnvironment } from "./self.ts";
import { HELPER_SOCKET } from "./service/units.ts";
import { sharedUids } from "./shares.ts";

/** Where the sockets of owners without a folder of logind's are. */
const ROOT_RUNTIME_DIR = "/run/vnet";

/** For the clusters to be asked, the processes to start, and the helper to do all that it is asked. */
const READY_DEADLINE_MS = 15_000 + HELPER_BOUNDS_MS.detect + HELPER_BOUNDS_MS.open +
  HELPER_BOUNDS_MS.apply;
const END_DEADLINE_MS = 10_000;

/** The two processes while they run. */
export interface Running {
  readonly daemonPid: number;
  readonly helperEnd: Promise<unknown>;
  readonly daemonEnd: Promise<unknown>;
}

/**
 * Brings vnet up and returns when it is ready.
 *
 * @returns The processes to watch, or `null` when they go on by themselves.
 */
export async function bringUp(
  context: Context,
  settings: UpSettings,
  how: { readonly detach: boolean },
): Promise<Running | null> {
  const service = Deno.uid() !== 0;
  if (service) await requireHelperService("bring vnet up");
  const sharedWith = await sharedUids(settings.share);
  const present = await findStatus(context.paths);
  if (present?.state === "stopping") await waitGone(context, present.pid);
  else if (present !== null) {
    tell(context, "vnet is up already");
    return null;
  }
  const machine = await context.machine();
  if (!service) await prepareFolders(context);
  else await requireRuntimeDir(context);
  if (service && how.detach) {
    await Deno.mkdir(context.paths.stateDir, { recursive: true, mode: 0o700 });
  }
  if (how.detach) { for (const path of logFiles(context)) await machine.processes.trimLog(path); }
  const daemon = { ...settings, sharedWith };
  const running = service
    ? startAlone(context, machine, daemon, how.detach)
    : startBoth(context, machine, daemon, how.detach);
  const status = await waitReady(context, running, how.detach);
  tell(context, summarize(status));
  for (const line of remarks(status)) tell(context, line);
  return how.detach ? null : running;
}

/** Stays in the foreground until a signal or the daemon's end. */
export async function stayUp(context: Context, running: Running): Promise<number> {
  const stopped = Promise.withResolvers<"signal">();
  context.signal.addEventListener("abort", () => stopped.resolve("signal"), { once: true });
  if (context.signal.aborted) stopped.resolve("signal");
  tell(context, "Press Ctrl-C to bring it down");
  const first = await Promise.race([stopped.promise, running.daemonEnd.then(() => "daemon")]);
  if (first === "signal") await askDown(context.paths);
  await Promise.all([running.daemonEnd, running.helperEnd]);
  if (first === "signal") {
    tell(context, "vnet is down");
    return EXIT.done;
  }
  if (await findStatus(context.paths) === null) tell(context, "vnet is down");
  return EXIT.done;
}

/** Brings vnet down and up again, in the background. */
export async function bringUpAgain(context: Context, settings: UpSettings): Promise<void> {
  const status = await findStatus(context.paths);
  if (status === null || context.paths.runtimeDir !== serviceRuntimeDir(context.owner)) {
    if (Deno.uid() !== 0) await requireHelperService("bring vnet up");
    await bringDown(context);
    await bringUp(context, settings, { detach: true });
    return;
  }
  refuseSettings(settings);
  await askDown(context.paths, { restart: true });
  await waitGone(context, status.pid);
  tell(context, summarize(await waitService(context)));
}

/** Ends the daemon, waits until the machine is as it was, and repairs what a crash left (root). */
export async function bringDown(context: Context): Promise<void> {
  const status = await findStatus(context.paths);
  const wasUp = await askDown(context.paths);
  if (wasUp) await waitGone(context, status?.pid ?? null);
  if (Deno.uid() === 0) {
    const { journal } = (await context.machine()).root;
    const lines = await journal.repair(journalDir(context));
    for (const line of lines) tell(context, `Repaired: ${line}`);
  }
  tell(context, wasUp ? "vnet is down" : "vnet was not up");
}

/** Prints what `up` would do, as the lines `-v` echoes while doing it. */
export async function printPlan(context: Context, settings: UpSettings): Promise<number> {
  const { planLines } = await import("../client/mod.ts");
  const lines = await planLines(context.paths, settings, journalDir(context));
  for (const line of lines) context.stdout(`${line}\n`);
  return EXIT.done;
}

/**
 * Makes what root has to make. What lies in the owner's own folders the daemon makes itself: root follows no path
 * that somebody else can bend.
 */
async function prepareFolders(context: Context): Promise<void> {
  const { owner, paths } = context;
  await Deno.mkdir(journalDir(context), { recursive: true, mode: 0o711 });
  if (!paths.runtimeDir.startsWith(`${ROOT_RUNTIME_DIR}/`)) return;
  await Deno.mkdir(ROOT_RUNTIME_DIR, { recursive: true, mode: 0o755 });
  await Deno.mkdir(paths.runtimeDir, { recursive: true, mode: 0o700 });
  await Deno.chown(paths.runtimeDir, owner.uid, owner.gid);
}

/** Refuses to go on without the helper service. @throws VnetError `not-permitted` */
async function requireHelperService(act: string): Promise<void> {
  if (await Deno.lstat(HELPER_SOCKET).catch(() => null) !== null) return;
  throw new VnetError("not-permitted", `Cannot ${act}: this needs root or the helper service`, {
    hint: "Run `sudo vnet up`, or `sudo vnet service install` once",
  });
}

/** A user without a session has no folder for sockets, and cannot make one. @throws OsError `directory-unusable` */
async function requireRuntimeDir({ paths }: Context): Promise<void> {
  const { runtimeDir } = paths;
  if (!runtimeDir.startsWith(`${ROOT_RUNTIME_DIR}/`)) return;
  if (await Deno.lstat(runtimeDir).catch(() => null) !== null) return;
  throw new OsError("directory-unusable", `Cannot make "${runtimeDir}": only root can`, {
    call: "mkdir",
    errno: "EACCES",
    hint: "Log in so that there is a folder in /run/user, or set XDG_RUNTIME_DIR to one of yours",
  });
}

/** @throws UsageError when there are settings that only the unit of the service can have. */
function refuseSettings(settings: UpSettings): void {
  const { cidr, link, dns, share, containers } = settings;
  const isPlain = cidr === undefined && link === undefined && share.length === 0 &&
    dns === "auto" && containers === "deny";
  if (isPlain) return;
  throw new UsageError("usage", "Cannot restart with other options: a service runs this daemon", {
    hint: "Change them with `sudo systemctl edit vnet@NAME`, or run `vnet down` and `vnet up`",
  });
}

/** Where what the two processes of an owner write to stderr in the background is kept. */
function logFile(context: Context, name: "helper" | "daemon"): string {
  if (Deno.uid() !== 0) return `${context.paths.stateDir}/${name}.log`;
  return `${journalDir(context)}/${name}-${context.owner.uid}.log`;
}

/** All that this user's processes append to here. */
function logFiles(context: Context): readonly string[] {
  const names = Deno.uid() === 0 ? ["helper", "daemon"] as const : ["daemon"] as const;
  return names.map((name) => logFile(context, name));
}

/** What the daemon is started with. */
type DaemonSettings = UpSettings & { readonly sharedWith: readonly number[] | "all" };

/** The descriptor that each gets one end of their socket pair as. */
const PEER_DESCRIPTOR = 3;

/** Starts both with a socket pair between them: when one dies, the other knows at once. */
function startBoth(
  context: Context,
  machine: ThisMachine,
  settings: DaemonSettings,
  detach: boolean,
): Running {
  const { sockets, processes } = machine;
  const [helperFd, daemonFd] = sockets.messagePair();
  try {
    const helperPid = startHelper(context, machine, settings, helperFd, detach);
    const daemonPid = startDaemon(context, machine, settings, daemonFd, detach);
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

/** Starts the daemon as the invoking user; it finds the helper by itself. */
function startAlone(
  context: Context,
  machine: ThisMachine,
  settings: DaemonSettings,
  detach: boolean,
): Running {
  const daemonPid = startDaemon(context, machine, settings, null, detach);
  return {
    daemonPid,
    helperEnd: Promise.resolve(), // The daemon ends when its helper has taken everything back.
    daemonEnd: machine.processes.wait(daemonPid),
  };
}

function startHelper(
  context: Context,
  machine: ThisMachine,
  settings: DaemonSettings,
  descriptor: number,
  detach: boolean,
): number {
  const self = selfCommand([
    "helper",
    ...logFlags(context),
    "--client",
    `${PEER_DESCRIPTOR}`,
    "--journal",
    journalDir(context),
    // Root's files root keeps from growing; a user's own, the user's daemon.
    ...(detach ? ["--logs-of", `${context.owner.uid}`] : []),
    "--dns",
    settings.dns,
    "--containers",
    settings.containers,
  ]);
  const stderr = detach ? { append: logFile(context, "helper") } : "inherit";
  return machine.processes.spawn({
    ...self,
    env: { ...selfEnvironment(context.env), HOME: "/root" },
    stdin: "null",
    stdout: "null",
    stderr,
    descriptors: [descriptor],
    newSession: true,
  });
}

function startDaemon(
  context: Context,
  machine: ThisMachine,
  settings: DaemonSettings,
  descriptor: number | null,
  detach: boolean,
): number {
  const { owner, paths, globals } = context;
  const home = globals.home ?? context.env("VNET_HOME");
  const self = selfCommand([
    "daemon",
    ...logFlags(context),
    ...(home === undefined ? [] : ["--home", paths.configDir.replace(/\/config$/, "")]),
    ...(descriptor === null
      ? ["--helper-socket", HELPER_SOCKET]
      : ["--helper", `${PEER_DESCRIPTOR}`]),
    ...(descriptor === null && detach ? ["--keep-log", logFile(context, "daemon")] : []),
    "--dns",
    settings.dns,
    ...(settings.link === undefined ? [] : ["--link", settings.link]),
    ...(settings.cidr === undefined ? [] : ["--cidr", settings.cidr]),
    ...sharedFlags(settings.sharedWith),
    "--containers",
    settings.containers,
  ]);
  return machine.processes.spawn({
    ...self,
    env: {
      ...selfEnvironment(context.env),
      HOME: owner.homeDir,
      USER: owner.name,
    },
    ...(owner.uid === Deno.uid() ? {} : { uid: owner.uid, gid: owner.gid }),
    stdin: "null",
    stdout: "null",
    stderr: detach ? { append: logFile(context, "daemon") } : "inherit",
    descriptors: descriptor === null ? [] : [descriptor],
    newSession: true,
    noNewPrivileges: true,
  });
}

function sharedFlags(uids: readonly number[] | "all"): readonly string[] {
  if (uids === "all") return ["--shared-with", "all"];
  return uids.length === 0 ? [] : ["--shared-with", uids.join(",")];
}

function logFlags(context: Context): readonly string[] {
  if (context.globals.debug) return ["--debug"];
  return context.globals.verbose ? ["--verbose"] : [];
}

async function waitReady(
  context: Context,
  running: Running,
  detach: boolean,
): Promise<StatusV1> {
  using control = new ControlClient(context.paths.controlSocket);
  const deadline = Date.now() + READY_DEADLINE_MS;
  let ended = false;
  void running.daemonEnd.then(() => ended = true);
  while (Date.now() < deadline && !context.signal.aborted) {
    const status = await control.waitReady(2_000, context.signal).catch((thrown) => thrown);
    if (!(status instanceof Error) && isReady(status as StatusV1)) return status as StatusV1;
    if (ended) throw await startError(context, running.daemonPid, detach);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await endStart(context, running, () => ended);
  if (context.signal.aborted) throw new VnetError("cancelled", "Cancelled");
  throw new VnetError("start-timeout", "vnet did not get ready in time", {
    hint: whereToLook(context, detach),
  });
}

/** Waits for a daemon that its service manager starts. */
async function waitService(context: Context): Promise<StatusV1> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (Date.now() < deadline && !context.signal.aborted) {
    using control = new ControlClient(context.paths.controlSocket);
    const status = await control.waitReady(2_000, context.signal).catch(() => null);
    if (status !== null && isReady(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (context.signal.aborted) throw new VnetError("cancelled", "Cancelled");
  throw new VnetError("start-timeout", "vnet did not get ready in time", {
    hint: `See \`journalctl -u vnet@${context.owner.name}\``,
  });
}

/** Ends a daemon that is not ready; one that cannot be asked yet, or any more, by a signal. */
async function endStart(
  context: Context,
  { daemonPid }: Running,
  hasEnded: () => boolean,
): Promise<void> {
  const asked = await askDown(context.paths).catch(() => false);
  if (asked || hasEnded()) return;
  try {
    Deno.kill(daemonPid, "SIGTERM");
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

/** Why it ended. In the foreground the daemon writes to the same terminal, and has told it there. */
async function startError(
  context: Context,
  pid: number,
  detach: boolean,
): Promise<VnetError | AlreadyTold> {
  const error = await readStartError(context.paths, pid);
  if (error !== null) return detach ? error : new AlreadyTold(await statusOfCode(error.code));
  return new VnetError("start-failed", "vnet ended while starting", {
    hint: whereToLook(context, detach),
  });
}

function whereToLook(context: Context, detach: boolean): string {
  if (!detach) return "The lines above may say why; `--debug` says more";
  const helper = Deno.uid() === 0 ? logFile(context, "helper") : "`journalctl -u 'vnet-helper*'`";
  return `See ${logFile(context, "daemon")} and ${helper}`;
}

async function findStatus(paths: Paths): Promise<StatusV1 | null> {
  using control = new ControlClient(paths.controlSocket);
  return await control.status().catch(() => null);
}

async function askDown(paths: Paths, how: { restart?: boolean } = {}): Promise<boolean> {
  using control = new ControlClient(paths.controlSocket);
  try {
    await control.down(how);
    return true;
  } catch (thrown) {
    if (thrown instanceof VnetError && thrown.code === "daemon-not-running") return false;
    throw new VnetError("daemon-stuck", `Cannot end the daemon: ${describeError(thrown)}`, {
      hint: "End it with `sudo kill` and its pid from `vnet status`",
      cause: thrown,
    });
  }
}

/** Waits until the daemon has taken everything back and is no process any more. */
async function waitGone(context: Context, pid: number | null): Promise<void> {
  const { processes } = await context.machine();
  const deadline = Date.now() + END_DEADLINE_MS;
  while (Date.now() < deadline) {
    const gone = await findStatus(context.paths) === null;
    if (gone && (pid === null || !await processes.isRunning(pid))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new VnetError("daemon-stuck", "The daemon did not end in time", {
    hint: "End it with `sudo kill` and its pid from `vnet status`",
  });
}

function summarize(status: StatusV1): string {
  const zones = status.dns?.zones.length ?? 0;
  const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const state = status.state === "ready" ? "ready" : `up, but ${status.state}; see \`vnet status\``;
  return `vnet is ${state}: ${counted(status.apps_total, "app")} in ${counted(zones, "zone")}`;
}

/** What somebody who just brought vnet up has to know; `vnet status` says it again. */
function remarks({ findings }: StatusV1): readonly string[] {
  return findings.flatMap(({ code, message, hint }) => [
    `warning: ${message} [${code}]`,
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
  ]);
}
