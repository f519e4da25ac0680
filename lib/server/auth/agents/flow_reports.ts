import type { FlowEvent, ReportRefusal } from "../../../wire/mod.ts";
import { getLogger } from "../../../log.ts";
import { refusal } from "../api/refusals.ts";
import { RateLimit } from "../login/rate.ts";
import type { AgentIdentity, AuditLog } from "../types.ts";
import type { DisbeliefWords, FlowRights } from "./flow_rights.ts";

const log = getLogger("server", "auth");

/** Events of one agent that wait to be written; a sound one has a quarter of it under way. */
const MAX_PENDING_EACH = 4096;

/** Flows that are known to be open at a time; what begins beyond it is not counted. */
const MAX_OPEN = 100_000;

/** Ends that are recorded together. */
const ENDS_AT_ONCE = 500;

/** Refused reports of one agent that are recorded. */
const RECORDED = { burst: 32, perSecond: 0.1 };
/** Agents of whom it is counted how many were not. */
const MAX_COUNTED = 10_000;

/** A flow that an agent said has begun, and did not say has ended. */
export interface OpenFlow {
  readonly agentId: string;
  readonly user: string;
  /** The app session it belongs to, and the login that was drawn from: the flow may outlive the first. */
  readonly sessionId: string;
  readonly loginId: string;
  readonly app: string;
  readonly port: number;
}

/** The same, with what its end is recorded by. */
interface KnownFlow extends OpenFlow {
  readonly agent: string;
  readonly connectionId: string;
  readonly startedMs: number;
}

/** An event that is believed. */
interface Believed {
  readonly event: FlowEvent;
  /** The login whose right a flow begins by; `null` for an end. */
  readonly loginId: string | null;
}

/** A refused event and where it stood in its report. */
interface Refused extends DisbeliefWords {
  readonly index: number;
}

/**
 * Writes down what agents say of their flows: of rights that were given to that user for that app, which the agent
 * serves, and not more than the disk takes.
 */
export class FlowReports {
  readonly #audit: AuditLog;
  readonly #rights: FlowRights;
  readonly #onEnd: (event: FlowEvent) => void;
  readonly #nowMs: () => number;
  readonly #rate = new RateLimit(RECORDED);
  readonly #pending = new Map<string, number>();
  readonly #open = new Map<string, KnownFlow>();
  /** Flows of agents that were lost from sight, oldest first: their ends may still be told. */
  readonly #left = new Map<string, KnownFlow>();
  /** Flows whose ends are being recorded. */
  readonly #ending = new Set<string>();
  /** How many refused reports of an agent were not recorded. */
  readonly #unrecorded = new Map<string, number>();

  constructor(options: {
    readonly audit: AuditLog;
    readonly rights: FlowRights;
    /** A flow has ended, and it is written. */
    readonly onEnd: (event: FlowEvent) => void;
    readonly nowMs: () => number;
  }) {
    this.#audit = options.audit;
    this.#rights = options.rights;
    this.#onEnd = options.onEnd;
    this.#nowMs = options.nowMs;
  }

  /**
   * Resolves when all that is not refused is written.
   *
   * @param how Without `partial` nothing is written if any of it is refused.
   * @returns What is refused.
   * @throws {AuthError} `busy` when too much waits; without `partial` the first refusal.
   * @throws {OsError} `audit-unwritable`.
   */
  async write(
    agent: AgentIdentity,
    events: readonly FlowEvent[],
    how: { readonly partial: boolean },
  ): Promise<readonly ReportRefusal[]> {
    const { agentId, name } = agent;
    const pending = (this.#pending.get(agentId) ?? 0) + events.length;
    if (pending > MAX_PENDING_EACH) {
      throw refusal("busy", { message: "Too many events of this agent wait to be written" });
    }
    this.#pending.set(agentId, pending);
    try {
      const { good, refused } = await this.#judge(agent, events);
      const [first] = refused;
      if (first !== undefined && !how.partial) throw refusal(first.code, first);
      await Promise.all(
        good.map(({ event }) =>
          this.#audit.write({ ...withoutAbsent(event), agent_id: agentId, agent: name })
        ),
      );
      for (const one of good) {
        this.#note(agent, one);
        if (one.loginId === null) this.#onEnd(one.event);
      }
      return refused;
    } finally {
      const left = (this.#pending.get(agentId) ?? 0) - events.length;
      if (left > 0) this.#pending.set(agentId, left);
      else this.#pending.delete(agentId);
    }
  }

  /** The flows that are open, as far as agents have said. */
  open(): readonly OpenFlow[] {
    return [...this.#open.values()];
  }

  /**
   * Records the ends of the flows of an agent that was shut out, and cannot tell of them any more. What could not be
   * recorded is known on.
   */
  async endAll(agentId: string): Promise<void> {
    const ending = [...this.#open, ...this.#left].filter(([key, flow]) =>
      flow.agentId === agentId && !this.#ending.has(key)
    );
    for (const [key] of ending) this.#ending.add(key);
    try {
      for (let at = 0; at < ending.length; at += ENDS_AT_ONCE) {
        const batch = ending.slice(at, at + ENDS_AT_ONCE);
        const outcomes = await Promise.allSettled(batch.map(async ([key, flow]) => {
          const end = this.#endOf(flow);
          const { agentId: agent_id, agent } = flow;
          await this.#audit.write({ ...withoutAbsent(end), agent_id, agent });
          this.#open.delete(key);
          this.#left.delete(key);
          this.#onEnd(end);
        }));
        for (const one of outcomes) if (one.status === "rejected") throw one.reason;
      }
    } finally {
      for (const [key] of ending) this.#ending.delete(key);
    }
  }

  #endOf(flow: KnownFlow): FlowEvent {
    return {
      event: "app.session.end",
      session_id: flow.sessionId,
      connection_id: flow.connectionId,
      user: flow.user,
      app: flow.app,
      port: flow.port,
      duration_ms: Math.max(0, this.#nowMs() - flow.startedMs),
      reason: "agent-expelled",
    };
  }

  /** An agent is gone, and its flows with it, as far as anybody can see. */
  forget(agentId: string): void {
    for (const [key, flow] of this.#open) {
      if (flow.agentId !== agentId) continue;
      this.#open.delete(key);
      this.#left.set(key, flow);
    }
    for (const key of this.#left.keys()) {
      if (this.#left.size <= MAX_OPEN) break;
      this.#left.delete(key);
    }
  }

  async #judge(
    agent: AgentIdentity,
    events: readonly FlowEvent[],
  ): Promise<{ readonly good: readonly Believed[]; readonly refused: readonly Refused[] }> {
    const good: Believed[] = [];
    const refused: Refused[] = [];
    const records: Promise<void>[] = [];
    for (const [index, event] of events.entries()) {
      const verdict = event.event === "app.session.start"
        ? await this.#rights.judgeStart(agent, event)
        : await this.#judgeEnd(agent, event);
      if ("loginId" in verdict) {
        good.push({ event, ...verdict });
        continue;
      }
      refused.push({ index, ...verdict });
      records.push(this.#record(agent, event, verdict));
    }
    await Promise.all(records);
    return { good, refused };
  }

  async #judgeEnd(
    agent: AgentIdentity,
    event: FlowEvent,
  ): Promise<{ readonly loginId: null } | DisbeliefWords> {
    if (this.#isKnown(agent.agentId, event)) return { loginId: null };
    return await this.#rights.judgeEnd(agent, event) ?? { loginId: null };
  }

  /** Whether an end is that of a flow whose start this agent has told. */
  #isKnown(agentId: string, event: FlowEvent): boolean {
    const key = keyOf(agentId, event);
    const flow = this.#open.get(key) ?? this.#left.get(key);
    return flow !== undefined && flow.user === event.user && flow.app === event.app &&
      flow.sessionId === event.session_id && flow.port === event.port;
  }

  /** Never rejects: what is refused stays so, recorded or not. */
  async #record(
    { agentId, name }: AgentIdentity,
    event: FlowEvent,
    { code }: DisbeliefWords,
  ): Promise<void> {
    const unrecorded = this.#unrecorded.get(agentId) ?? 0;
    this.#unrecorded.delete(agentId);
    try {
      this.#rate.take(agentId, this.#nowMs());
    } catch {
      if (this.#unrecorded.size < MAX_COUNTED) this.#unrecorded.set(agentId, unrecorded + 1);
      return;
    }
    await this.#audit.write({
      event: "agent.report.refused",
      agent_id: agentId,
      agent: name,
      user: event.user,
      app: event.app,
      port: event.port,
      session_id: event.session_id,
      reason: code,
      ...(unrecorded === 0 ? {} : { unrecorded }),
    }).catch((error) => {
      log.error("Cannot record that a report was refused", { agentId, error: String(error) });
    });
  }

  #note({ agentId, name: agent }: AgentIdentity, { event, loginId }: Believed): void {
    const key = keyOf(agentId, event);
    this.#left.delete(key);
    if (loginId === null) this.#open.delete(key);
    else if (this.#open.size < MAX_OPEN) {
      const { user, session_id: sessionId, connection_id: connectionId, app, port } = event;
      const startedMs = this.#nowMs();
      const session = { user, sessionId, loginId, app, port };
      this.#open.set(key, { agentId, agent, ...session, connectionId, startedMs });
    }
  }
}

function keyOf(agentId: string, event: FlowEvent): string {
  return `${agentId} ${event.connection_id}`;
}

/** Leaves out fields that are there and undefined, which a record may not have. */
function withoutAbsent(event: FlowEvent) {
  return Object.fromEntries(
    Object.entries(event).filter(([, value]) => value !== undefined),
  ) as Required<Pick<FlowEvent, "event">>;
}
