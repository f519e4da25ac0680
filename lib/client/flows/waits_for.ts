import type { Clusters } from "../cluster/clusters.ts";
import type { MfaQuestion } from "../mfa/desk.ts";
import type { FlowPlace, WaitsFor } from "./flow_facts.ts";

/** Says of a connection that is being opened what a person has to do first; `null` for nothing. */
export function waitsFor(
  questions: readonly MfaQuestion[],
  clusters: Pick<Clusters, "find">,
): (place: FlowPlace) => WaitsFor | null {
  return ({ app: { appId, profile }, port }) => {
    const isAsked = questions.some((question) =>
      question.appId === appId && question.port === port
    );
    if (isAsked) return "second-factor";
    return clusters.find(profile)?.state === "expired" ? "login" : null;
  };
}
