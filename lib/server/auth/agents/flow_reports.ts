import type { FlowEvent } from "../../../wire/mod.ts";
import { refusal } from "../api/refusals.ts";
import type { AgentIdentity, AuditLog } from "../types.ts";

/** Events of one agent that wait to be written; a sound one has a quarter of it under way. */
const MAX_PENDING_EACH = 4096;

/** Writes down what agents say of their flows: of the apps that they may serve, and not more than the disk takes. */
export class FlowReports {
  readonly #audit: AuditLog;
  readonly #pending = new Map<string, number>();

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
    } finally {
      const left = (this.#pending.get(agentId) ?? 0) - events.length;
      if (left > 0) this.#pending.set(agentId, left);
      else this.#pending.delete(agentId);
    }
  }
}

/** Leaves out fields that are there and undefined, which a record may not have. */
function withoutAbsent(event: FlowEvent) {
  return Object.fromEntries(
    Object.entries(event).filter(([, value]) => value !== undefined),
  ) as Required<Pick<FlowEvent, "event">>;
}
