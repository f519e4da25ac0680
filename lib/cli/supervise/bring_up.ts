/**
 * Brings vnet up, and stays with it in the foreground.
 *
 * @module
 */
import { readStartError } from "../../client/mod.ts";
import { DEFAULT_UP_SETTINGS, type UpWishes } from "../../config/mod.ts";
import { VnetError } from "../../error.ts";
import { printable } from "../../printable.ts";
import type { StatusV1 } from "../../status/mod.ts";
import { type Context, tell } from "../context.ts";
import { AlreadyTold, EXIT, statusOfCode } from "../exit.ts";
import { sharedUids } from "../shares.ts";
import {
  logFile,
  logFiles,
  prepareFolders,
  requireHelper,
  showLogToOwner,
  whereToLook,
} from "./places.ts";
import { type Running, type Start, startProcesses } from "./processes.ts";
import { agreedRanges, rootsRanges } from "./roots_ranges.ts";
import { remarks, summarize } from "./summary.ts";
import { refuseOthers, toldSettings } from "./told.ts";
import { askRanges } from "./ask_ranges.ts";
import { askDown, findStatus, notReady, waitGone, waitReady } from "./wait.ts";

/**
 * Brings vnet up and returns when it is ready.
 *
 * @returns The processes to watch, or `null` when they go on by themselves.
 * @throws VnetError `already-up` when vnet is up otherwise than wished.
 */
export async function bringUp(
  context: Context,
  wishes: UpWishes,
  { detach }: { readonly detach: boolean },
): Promise<Running | null> {
  await sharedUids(wishes.share ?? []); // Whoever is unknown is told now, not by the daemon.
  const present = await findStatus(context.paths);
  if (present?.state === "stopping") await waitGone(context, present.pid);
  else if (present !== null) {
    refuseOthers(context, wishes, await toldSettings(context));
    tell(context, "vnet is up already");
    return null;
  }
  await requireHelper("bring vnet up");
  const settings = { ...DEFAULT_UP_SETTINGS, ...wishes };
  const allowed = await rootsRanges(context, { typed: wishes.cidr ?? null, keepsCidr: false });
  const running = await startReady(context, { settings, detach, allowed });
  await (await import("./zone_questions.ts")).askAboutZones(context);
  return detach ? null : running;
}

/** Starts both processes and returns when vnet is ready. */
export async function startReady(context: Context, start: Start): Promise<Running> {
  await prepareFolders(context, start.detach);
  if (start.detach) {
    const { processes } = await context.machine();
    for (const path of logFiles(context)) await processes.trimLog(path);
  }
  const running = await startProcesses(context, start);
  if (start.detach && Deno.uid() === 0) {
    await showLogToOwner(context, logFile(context, "daemon"));
  }
  const first = await ready(context, running, start.detach);
  const agreed = await askRanges(context, first);
  if (agreed.length > 0 && Deno.uid() === 0) {
    // The helper holds to what it was started with.
    await askDown(context.paths, { restart: true });
    await Promise.all([running.daemonEnd, running.helperEnd]);
    return await startReady(context, { ...start, allowed: [...start.allowed, ...agreed] });
  }
  const status = agreed.length === 0 ? first : await findStatus(context.paths) ?? first;
  tell(context, summarize(status));
  for (const line of remarks(status)) tell(context, line);
  return running;
}

/** Stays in the foreground until a signal or the daemon's end. */
export async function stayUp(context: Context, running: Running): Promise<number> {
  const stopped = Promise.withResolvers<"signal">();
  context.signal.addEventListener("abort", () => stopped.resolve("signal"), { once: true });
  if (context.signal.aborted) stopped.resolve("signal");
  tell(context, "Press Ctrl-C to bring vnet down; closing this terminal does so, too");
  const ended = new AbortController();
  const { answerDaemon } = await import("../prompt/questions.ts");
  void answerDaemon(context, ended.signal);
  const first = await Promise.race([stopped.promise, running.daemonEnd.then(() => "daemon")]);
  ended.abort();
  if (first === "signal") await askDown(context.paths);
  await Promise.all([running.daemonEnd, running.helperEnd]);
  if (first === "signal") {
    tell(context, "vnet is down");
    return EXIT.done;
  }
  if (await findStatus(context.paths) === null) tell(context, "vnet is down");
  return EXIT.done;
}

/** Prints what `up` would do, as the lines `-v` echoes while doing it. */
export async function printPlan(context: Context, wishes: UpWishes): Promise<number> {
  const { planLines } = await import("../../client/mod.ts");
  const { journalDir } = await import("../journal.ts");
  const settings = { ...DEFAULT_UP_SETTINGS, ...wishes };
  await sharedUids(settings.share);
  const places = { journalDir: journalDir(context), granted: await agreedRanges(context) };
  const lines = await planLines(context.paths, settings, places);
  for (const line of lines) context.stdout(`${printable(line)}\n`);
  return EXIT.done;
}

async function ready(context: Context, running: Running, detach: boolean): Promise<StatusV1> {
  let ended = false;
  void running.daemonEnd.then(() => ended = true);
  const status = await waitReady(context.paths, context.signal, () => ended);
  if (status !== null) return status;
  if (ended && !context.signal.aborted) throw await startError(context, running.daemonPid, detach);
  if (!ended) await endStart(context, running);
  throw notReady(context.signal, whereToLook(context, detach));
}

/** Ends a daemon that is not ready; one that cannot be asked yet, or any more, by a signal. */
async function endStart({ paths }: Context, { daemonPid }: Running): Promise<void> {
  if (await askDown(paths).catch(() => false)) return;
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
