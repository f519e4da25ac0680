import type { FlowEvent } from "../../../wire/mod.ts";
import type { ApiRefusalCode } from "../../../refusal/mod.ts";
import type { Session, Store } from "../../store/mod.ts";
import type { Gate } from "../api/gate.ts";
import type { AgentIdentity } from "../types.ts";

/** Why a report is not believed. */
export interface DisbeliefWords {
  readonly code: ApiRefusalCode;
  readonly message: string;
}

/** The login whose right a flow goes by. */
interface Rightful {
  readonly loginId: string;
}

/** Whether what agents say of flows is about rights that the cluster has given, and that still hold. */
export class FlowRights {
  readonly #store: Store;
  readonly #gate: Pick<Gate, "denialOf">;
  readonly #nowMs: () => number;

  constructor(options: {
    readonly store: Store;
    readonly gate: Pick<Gate, "denialOf">;
    readonly nowMs: () => number;
  }) {
    this.#store = options.store;
    this.#gate = options.gate;
    this.#nowMs = options.nowMs;
  }

  /** Judges that a flow begins: the right must be in force. */
  async judgeStart(agent: AgentIdentity, event: FlowEvent): Promise<Rightful | DisbeliefWords> {
    const { sessions } = this.#store;
    const live = await sessions.getLive(event.session_id, this.#nowMs());
    const session = live ?? await sessions.get(event.session_id);
    const mismatch = mismatchOf(agent, event, session);
    if (mismatch !== null) return mismatch;
    if (session === null || session.app === null || session.parent === null) return unknown("app");
    if (live === null) {
      return this.#nowMs() >= session.expiresMs
        ? { code: "certificate-expired", message: "The right has expired" }
        : { code: "session-ended", message: "The login has ended" };
    }
    const code = this.#gate.denialOf({
      user: session.user,
      app: session.app.name,
      sessionId: session.id,
      loginId: session.parent,
    });
    if (code === null) return { loginId: session.parent };
    const message = code === "access-locked" ? "Access is locked" : "No role allows this app";
    return { code, message };
  }

  /** Judges that a flow has ended whose start is not known any more: the right may have ended before it. @returns Why not, or `null`. */
  async judgeEnd(agent: AgentIdentity, event: FlowEvent): Promise<DisbeliefWords | null> {
    return mismatchOf(agent, event, await this.#store.sessions.get(event.session_id));
  }
}

function mismatchOf(
  agent: AgentIdentity,
  event: FlowEvent,
  session: Session | null,
): DisbeliefWords | null {
  // First, so that nobody learns by it of rights to apps of others
  if (!agent.apps.includes(event.app)) {
    return { code: "app-unknown", message: "The agent does not serve that app" };
  }
  if (session === null || session.app === null) return unknown("session");
  if (session.app.name !== event.app) return unknown("app");
  if (session.user !== event.user) return unknown("user");
  return session.app.port === 0 || session.app.port === event.port ? null : unknown("port");
}

function unknown(what: "session" | "user" | "app" | "port"): DisbeliefWords {
  const message = what === "session"
    ? "The cluster knows of no such session"
    : `The session is for another ${what}`;
  return { code: "right-unknown", message };
}
