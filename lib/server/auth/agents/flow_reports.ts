import type { FlowEvent } from "../../../wire/mod.ts";
import { refusal } from "../api/refusals.ts";
import type { AgentIdentity, AuditLog } from "../types.ts";

/** Events of one agent that wait to be written; a sound one has a quarter of it under way. */
const MAX_PENDING_EACH = 4096;

/** Flows that are known to be open at a time; what begins beyond it is not counted. */
const MAX_OPEN = 100_000;

/** A flow that an agent said has begun, and did not say has ended. */
export interface OpenFlow {
  readonly agentId: string;
  readonly user: string;
  /** The app session it belongs to. */
  readonly sessionId: string;
}

/** Writes down what agents say of their flows: of the apps that they may serve, and not more than the disk takes. */
export class FlowReports {
  readonly #audit: AuditLog;
  readonly #pending = new Map<string, number>();
  readonly #open = new Map<string, OpenFlow>();

  constructor(audit: AuditLog) {
    this.#audit = audit;
  }

  /**
   * Resolves when all of it is written.
   *
   * @throws {AuthError} `app-unknown` when any of it is about an app of others, `busy` when too much waits.
   * @throws {OsError} `audit-unwritable`.
   */
  async write(agent: AgentIdentity, events: readonly FlowEvent[]): Promise<void> {
    const { agentId, name, apps } = agent;
    if (events.some(({ app }) => !apps.includes(app))) {
      throw refusal("app-unknown", { message: "The agent does not serve that app" });
    }
    const pending = (this.#pending.get(agentId) ?? 0) + events.length;
    if (pending > MAX_PENDING_EACH) {
      throw refusal("busy", { message: "Too many events of this agent wait to be written" });
    }
    this.#pending.set(agentId, pending);
    try {
      await Promise.all(
        events.map((event) =>
          this.#audit.write({ ...withoutAbsent(event), agent_id: agentId, agent: name })
        ),
      );
      for (const event of events) this.#note(agentId, event);
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

  /** An agent is gone, and its flows with it. */
  forget(agentId: string): void {
    for (const [key, flow] of this.#open) if (flow.agentId === agentId) this.#open.delete(key);
  }

  #note(agentId: string, event: FlowEvent): void {
    const key = `${agentId} ${event.connection_id}`;
    if (event.event === "app.session.end") this.#open.delete(key);
    else if (this.#open.size < MAX_OPEN) {
      this.#open.set(key, { agentId, user: event.user, sessionId: event.session_id });
    }
  }
}

/** Leaves out fields that are there and undefined, which a record may not have. */
function withoutAbsent(event: FlowEvent) {
  return Object.fromEntries(
    Object.entries(event).filter(([, value]) => value !== undefined),
  ) as Required<Pick<FlowEvent, "event">>;
}
