import type { LoginQuestion } from "./desk.ts";

/** One question as the control API tells it. */
export function renderLoginQuestion(
  { proxy, cluster, user, sinceMs, waiting }: LoginQuestion,
): { proxy: string; cluster: string; user: string; since: string; waiting: number } {
  return { proxy, cluster, user, since: new Date(sinceMs).toISOString(), waiting };
}
