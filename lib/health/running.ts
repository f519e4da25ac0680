import type { DaemonStatus, Facts } from "./facts.ts";
import { type Judgement, skip } from "./finding.ts";

/** What is said where only a running daemon could be judged. */
export const NOT_UP: readonly Judgement[] = skip("vnet is not up");

/** The status of a running daemon, or `null`. */
export function statusOf({ daemon }: Facts): DaemonStatus | null {
  return daemon.kind === "measured" && daemon.value.kind === "running" ? daemon.value.status : null;
}

/** Judges a running daemon's status; without one there is nothing to judge. */
export function whenUp(
  facts: Facts,
  judge: (status: DaemonStatus) => readonly Judgement[],
): readonly Judgement[] {
  const status = statusOf(facts);
  return status === null ? NOT_UP : judge(status);
}
