import type { LoginQuestion } from "./desk.ts";

/** One question as the control API tells it. */
export function renderLoginQuestion(
  { sinceMs, ...question }: LoginQuestion,
): Omit<LoginQuestion, "sinceMs"> & { readonly since: string } {
  return { ...question, since: new Date(sinceMs).toISOString() };
}
