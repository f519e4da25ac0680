import type { LocalPolicy } from "../identity/mod.ts";
import { formatPrefix } from "../ip/mod.ts";
import type { PrivateRange } from "../plan/mod.ts";
import type { StatusV1 } from "../status/mod.ts";
import { VERSION } from "../version.ts";
import { renderQuestion } from "./mfa/render.ts";
import type { MfaQuestion } from "./mfa/desk.ts";
import type { LoginQuestion } from "./logins/desk.ts";
import type { Session } from "./cluster/session.ts";
import type { Finding } from "./daemon/findings.ts";
import type { FlowLog } from "./flows/flow_log.ts";
import type { Setup } from "./setup/setup.ts";
import type { State } from "./state/mod.ts";
import { renderStandings } from "./zones/render.ts";

/** What the public status is made of. */
interface StatusInput {
  readonly phase: StatusV1["state"];
  readonly startedMs: number;
  readonly nowMs: number;
  readonly policy: LocalPolicy;
  readonly sessions: readonly Session[];
  readonly state: State | null;
  readonly setup: Setup | null;
  readonly flowLog: FlowLog;
  readonly findings: readonly Finding[];
  readonly questions: readonly MfaQuestion[];
  readonly logins: readonly LoginQuestion[];
  readonly privateRanges: readonly PrivateRange[];
}

/** Fills `vnet.status/1`. */
export function renderStatus(input: StatusInput): StatusV1 {
  const { policy, setup, state, startedMs } = input;
  const targets = [...state?.plan.targets.values() ?? []];
  const findings = [
    ...input.findings,
    ...setup?.findings ?? [],
    ...state?.findings ?? [],
    ...state?.plan.warnings ?? [],
  ];
  return {
    schema: "vnet.status/1",
    state: isDegraded(input) ? "degraded" : input.phase,
    version: VERSION,
    pid: Deno.pid,
    uid: policy.ownerUid,
    started: new Date(startedMs).toISOString(),
    uptime_ms: input.nowMs - startedMs,
    ...setup?.render(),
    private_ranges: input.privateRanges.map(({ profile, cluster, range, state }) => ({
      ...{ proxy: profile, cluster, state },
      range: formatPrefix(range),
    })),
    profiles: input.sessions.map((session) => renderSession(session, input.logins)),
    apps_total: new Set(targets.map(({ appId }) => appId)).size,
    ...(state === null ? {} : { zones: renderStandings(state.plan.standings) }),
    access: {
      shared_with: policy.sharedWith === "all"
        ? "all"
        : [...policy.sharedWith].sort((a, b) => a - b),
      containers: policy.containers ? "allow" : "deny",
    },
    ...(input.questions.length === 0 ? {} : { mfa_waiting: input.questions.map(renderQuestion) }),
    connections: { ...input.flowLog.render(), refused_owners: setup?.refusedOwners() ?? [] },
    findings: findings.map((finding) => ({ ...finding })),
  };
}

/** It serves, but not all: a change could not be applied, or no login is good any more. */
function isDegraded({ phase, sessions, findings }: StatusInput): boolean {
  if (phase !== "ready") return false;
  return findings.some(({ code }) => code === "apply-failed") ||
    sessions.every(({ state }) => state === "expired");
}

function renderSession(
  session: Session,
  logins: readonly LoginQuestion[],
): StatusV1["profiles"][number] {
  const { profile, refusal, refreshedMs, error } = session;
  const waiting = logins.find(({ proxy }) => proxy === session.name)?.waiting ?? 0;
  return {
    proxy: session.name,
    cluster: profile.cluster,
    user: profile.user,
    expires: new Date(profile.expiresMs).toISOString(),
    state: session.state,
    ...(refusal === null ? {} : { reason: refusal }),
    ...(refreshedMs === null ? {} : { refreshed: new Date(refreshedMs).toISOString() }),
    ...(error === null ? {} : { error }),
    ...(waiting === 0 ? {} : { waiting }),
  };
}
