import type { FlowEvent } from "../../../wire/mod.ts";
import type { ApiRefusalCode } from "../../../refusal/mod.ts";
import type { Session, Store } from "../../store/mod.ts";
import type { Gate } from "../api/gate.ts";
import type { Roots } from "../trust/roots.ts";
import type { AgentIdentity, Denial } from "../types.ts";

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
  readonly #roots: Pick<Roots, "rightOf" | "askRoot" | "isForeign">;
  readonly #nowMs: () => number;

  constructor(options: {
    readonly store: Store;
    readonly gate: Pick<Gate, "denialOf">;
    readonly roots: Pick<Roots, "rightOf" | "askRoot" | "isForeign">;
    readonly nowMs: () => number;
  }) {
    this.#store = options.store;
    this.#gate = options.gate;
    this.#roots = options.roots;
    this.#nowMs = options.nowMs;
  }

  /** Judges that a flow begins: the right must be in force. */
  async judgeStart(agent: AgentIdentity, event: FlowEvent): Promise<Rightful | DisbeliefWords> {
    const foreign = this.#roots.rightOf(event);
    if (foreign !== null) return await this.#judgeForeign(agent, event, foreign);
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
      leaf: session.app.cluster,
      home: null,
    });
    return code === null ? { loginId: session.parent } : denied(code);
  }

  /** Of a root's user: what counts here is judged here, and the rest there. */
  async #judgeForeign(
    agent: AgentIdentity,
    event: FlowEvent,
    right: NonNullable<ReturnType<Roots["rightOf"]>>,
  ): Promise<Rightful | DisbeliefWords> {
    if (!agent.apps.includes(event.app)) return notServed();
    if (right.app !== event.app) return unknown("app");
    if (right.user !== event.user) return unknown("user");
    if (right.port !== 0 && right.port !== event.port) return unknown("port");
    if (this.#nowMs() >= right.expiresMs) {
      return { code: "certificate-expired", message: "The right has expired" };
    }
    const code = this.#gate.denialOf(right);
    if (code !== null) return denied(code);
    return await this.#roots.askRoot(right, event) ?? { loginId: right.loginId };
  }

  /** Judges that a flow has ended whose start is not known any more: the right may have ended before it. @returns Why not, or `null`. */
  async judgeEnd(agent: AgentIdentity, event: FlowEvent): Promise<DisbeliefWords | null> {
    const session = await this.#store.sessions.get(event.session_id);
    // Rights of roots' users are not kept over a restart: the root, which is told, knows whether it gave this one
    if (session === null && this.#roots.isForeign(event.user)) {
      const right = this.#roots.rightOf(event);
      if (!agent.apps.includes(event.app)) return notServed();
      return right === null || right.app === event.app ? null : unknown("app");
    }
    return mismatchOf(agent, event, session);
  }
}

function mismatchOf(
  agent: AgentIdentity,
  event: FlowEvent,
  session: Session | null,
): DisbeliefWords | null {
  // First, so that nobody learns by it of rights to apps of others
  if (!agent.apps.includes(event.app)) return notServed();
  if (session === null || session.app === null) return unknown("session");
  if (session.app.name !== event.app || session.app.cluster !== (agent.leaf ?? null)) {
    return unknown("app");
  }
  if (session.user !== event.user) return unknown("user");
  return session.app.port === 0 || session.app.port === event.port ? null : unknown("port");
}

function notServed(): DisbeliefWords {
  return { code: "app-unknown", message: "The agent does not serve that app" };
}

function denied(code: Denial): DisbeliefWords {
  const message = code === "access-locked" ? "Access is locked" : "No role allows this app";
  return { code, message };
}

function unknown(what: "session" | "user" | "app" | "port"): DisbeliefWords {
  const message = what === "session"
    ? "The cluster knows of no such session"
    : `The session is for another ${what}`;
  return { code: "right-unknown", message };
}
