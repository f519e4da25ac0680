import type { MfaV1 } from "../../status/mod.ts";
import type { MfaQuestion } from "./desk.ts";

/** One question in its public form. */
export function renderQuestion(question: MfaQuestion): MfaV1["waiting"][number] {
  const { id, app, cluster, port, user, sinceMs, untilMs } = question;
  return {
    ...{ id, app, cluster, port, user },
    since: new Date(sinceMs).toISOString(),
    until: new Date(untilMs).toISOString(),
  };
}
