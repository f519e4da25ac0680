/**
 * Waits for a daemon: until it is ready, until it is gone.
 *
 * @module
 */
import { ControlClient, type Paths } from "../../client/mod.ts";
import { describeError, VnetError } from "../../error.ts";
import type { StatusV1 } from "../../status/mod.ts";
import { HELPER_BOUNDS_MS } from "../../wire/mod.ts";
import type { Context } from "../context.ts";
import { isReady } from "./summary.ts";

/** For the clusters to be asked, the processes to start, and the helper to do all that it is asked. */
const READY_DEADLINE_MS = 15_000 + HELPER_BOUNDS_MS.detect + HELPER_BOUNDS_MS.open +
  HELPER_BOUNDS_MS.apply;
const END_DEADLINE_MS = 10_000;
const ASK_MS = 2_000;

/** @returns What the daemon says of itself, or `null` when none answers. */
export async function findStatus(paths: Paths): Promise<StatusV1 | null> {
  using control = new ControlClient(paths.controlSocket);
  return await control.status().catch(() => null);
}

/** @returns Its status once it is ready; `null` when it has ended, the signal aborts, or that takes too long. */
export async function waitReady(
  paths: Paths,
  signal: AbortSignal,
  hasEnded: () => boolean = () => false,
): Promise<StatusV1 | null> {
  using control = new ControlClient(paths.controlSocket);
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (Date.now() < deadline && !signal.aborted) {
    const status = await control.waitReady(ASK_MS, signal).catch(() => null);
    if (status !== null && isReady(status)) return status;
    if (hasEnded()) return null;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return null;
}

/** Why waiting for it was in vain. */
export function notReady(signal: AbortSignal, hint: string): VnetError {
  if (signal.aborted) return new VnetError("cancelled", "Cancelled");
  return new VnetError("start-timeout", "vnet did not get ready in time", { hint });
}

/**
 * Asks the daemon to end.
 *
 * @returns Whether there was one.
 * @throws VnetError `daemon-stuck`
 */
export async function askDown(paths: Paths, how: { restart?: boolean } = {}): Promise<boolean> {
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

/**
 * Waits until the daemon has taken everything back and is no process any more.
 *
 * @throws VnetError `daemon-stuck`
 */
export async function waitGone(
  { paths, machine }: Pick<Context, "paths" | "machine">,
  pid: number | null,
): Promise<void> {
  const { processes } = await machine();
  const deadline = Date.now() + END_DEADLINE_MS;
  while (Date.now() < deadline) {
    const gone = await findStatus(paths) === null;
    if (gone && (pid === null || !await processes.isRunning(pid))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new VnetError("daemon-stuck", "The daemon did not end in time", {
    hint: "End it with `sudo kill` and its pid from `vnet status`",
  });
}
