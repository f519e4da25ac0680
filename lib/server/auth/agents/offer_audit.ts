import { getLogger } from "../../../log.ts";
import { RateLimit } from "../login/rate.ts";
import type { AgentIdentity, AuditLog, OfferRefusal } from "../types.ts";

const log = getLogger("server", "auth");

/** Refusals of one agent that are recorded. */
const RECORDED = { burst: 64, perSecond: 0.1 };
/** Agents whose last refusals are remembered. */
const MAX_AGENTS = 10_000;

/** Records what agents offer and may not have: each once for as long as it stays so, and not without end. */
export class OfferAudit {
  readonly #audit: AuditLog;
  readonly #nowMs: () => number;
  readonly #rate = new RateLimit(RECORDED);
  readonly #told = new Map<string, ReadonlySet<string>>();

  constructor(audit: AuditLog, nowMs: () => number) {
    this.#audit = audit;
    this.#nowMs = nowMs;
  }

  /** What is refused an agent from here on. Never throws: what is refused stays so, recorded or not. */
  note(agent: Pick<AgentIdentity, "agentId" | "name">, refused: readonly OfferRefusal[]): void {
    const { agentId } = agent;
    const before = this.#told.get(agentId);
    // Deleting first keeps the map in the order of last use
    this.#told.delete(agentId);
    for (const oldest of this.#told.keys()) {
      if (this.#told.size < MAX_AGENTS) break;
      this.#told.delete(oldest);
    }
    this.#told.set(agentId, new Set(refused.map(keyOf)));
    for (const one of refused) {
      if (before?.has(keyOf(one))) continue;
      if (!this.#mayRecord(agentId)) return;
      this.#write(agent, one);
    }
  }

  #mayRecord(agentId: string): boolean {
    try {
      this.#rate.take(agentId, this.#nowMs());
      return true;
    } catch {
      return false;
    }
  }

  #write({ agentId, name }: Pick<AgentIdentity, "agentId" | "name">, refused: OfferRefusal): void {
    const { app, code, publicAddr } = refused;
    this.#audit.write({
      event: "agent.app.refused",
      agent_id: agentId,
      agent: name,
      app,
      reason: code,
      ...(publicAddr === undefined ? {} : { name: publicAddr }),
    }).catch((error) => {
      log.error("Cannot record that an app was refused", { agentId, error: String(error) });
    });
  }
}

function keyOf({ app, code, publicAddr = "" }: OfferRefusal): string {
  return `${code} ${app} ${publicAddr}`;
}
