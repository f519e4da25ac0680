import type { LockTarget } from "../../config/mod.ts";
import { closeQuietly, relay, writeAll } from "../../io/mod.ts";
import { withDeadline } from "../../wait.ts";
import { getLogger } from "../../log.ts";
import type { ConnectionRefusalCode } from "../../refusal/mod.ts";
import { encodePreface } from "../../tunnel/mod.ts";
import type { ForeignRight } from "../../wire/mod.ts";
import type { AuthService } from "../auth/mod.ts";
import type { AgentChannels } from "./agent_channels.ts";
import type { AppRelays } from "./app_relays.ts";

const log = getLogger("server", "proxy");

/** What the way to a root's proxy may take, the ticket included; connections of one root, carried or about to be. */
const LIMITS = { dialMs: 10_000, maxEach: 4096 };

/** What a root asks its leaf for: a data channel to an agent of an app. */
export interface ForeignDial {
  readonly ticket: string;
  readonly app_id: string;
  readonly peer: string;
  readonly right?: ForeignRight | undefined;
}

/** How a root is answered. */
export interface ForeignRoot {
  readonly cluster: string;
  /** Opens a connection to the root's proxy. */
  readonly dial: (signal: AbortSignal) => Promise<Deno.TcpConn>;
  readonly fail: (ticket: string, code: ConnectionRefusalCode, message: string) => void;
}

/** The connections of roots' users to apps here: carried between the root's proxy and agents, never read. */
export class ForeignRelays {
  readonly #auth: Pick<AuthService, "roots">;
  readonly #relays: AppRelays;
  readonly #agents: Pick<AgentChannels, "dial" | "revoke">;
  readonly #limits: typeof LIMITS;
  readonly #serving = new Set<Promise<void>>();
  /** By root. */
  readonly #counts = new Map<string, number>();

  constructor(
    auth: Pick<AuthService, "roots">,
    relays: AppRelays,
    agents: Pick<AgentChannels, "dial" | "revoke">,
    limits: typeof LIMITS = LIMITS,
  ) {
    this.#limits = limits;
    this.#auth = auth;
    this.#relays = relays;
    this.#agents = agents;
  }

  /** Brings an agent's data channel to the root. Never rejects. */
  carry(root: ForeignRoot, dial: ForeignDial): void {
    const { cluster } = root;
    const count = this.#counts.get(cluster) ?? 0;
    if (count >= this.#limits.maxEach) {
      log.warning("A root has too many connections here", { root: cluster, count });
      return root.fail(dial.ticket, "no-agent", "the leaf carries no more connections of the root");
    }
    this.#counts.set(cluster, count + 1);
    const serving: Promise<void> = this.#carry(root, dial).catch((error) => {
      log.info("Cannot carry a connection of a root", {
        root: root.cluster,
        error: String(error),
      });
      root.fail(dial.ticket, "no-agent", "the leaf cannot open a data channel");
    }).finally(() => {
      this.#serving.delete(serving);
      const left = (this.#counts.get(cluster) ?? 1) - 1;
      if (left > 0) this.#counts.set(cluster, left);
      else this.#counts.delete(cluster);
    });
    this.#serving.add(serving);
  }

  /** A root takes a right back: at once, by the agent that carries it. */
  revoke(root: string, sessionId: string): void {
    for (const { holder, agentId } of this.#relays.of(sessionId)) {
      if (holder.home?.cluster !== root || agentId === null) continue;
      this.#agents.revoke(agentId, holder.sessionId, "access-locked");
    }
    this.#relays.review(({ home, sessionId: own, loginId }) =>
      home?.cluster !== root || (own !== sessionId && loginId !== sessionId)
    );
  }

  /** What a root says of its own users, roles and agents is not about those here; of a session it is. */
  lock(root: string, target: LockTarget): void {
    if ("session" in target) this.revoke(root, target.session);
  }

  /** Cuts what a root's users have open. */
  end(root: string): void {
    this.#relays.cut(({ home }) => home?.cluster === root, "the root is trusted no more");
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#serving);
  }

  async #carry(root: ForeignRoot, { ticket, app_id, peer, right }: ForeignDial): Promise<void> {
    const { roots } = this.#auth;
    using client = await this.#relays.admit(() =>
      Promise.resolve(right === undefined ? null : roots.judge(root.cluster, right, app_id))
    );
    if (client === null) {
      return root.fail(ticket, "access-denied", "no role of the leaf is for these roles");
    }
    const far = await this.#agents.dial(client, peer);
    if (far === null) return root.fail(ticket, "no-agent", "no agent of the leaf serves the app");
    let near: Deno.TcpConn | null = null;
    try {
      near = await withDeadline(
        this.#limits.dialMs,
        client.cut,
        (signal) => open(root, ticket, signal),
      );
      await relay(near, far.conn, { signal: client.cut });
    } finally {
      if (near !== null) closeQuietly(near);
      far.release();
    }
  }
}

/** Opens a data channel to a root; a half-open one is closed when the signal fires. */
async function open(root: ForeignRoot, ticket: string, signal: AbortSignal): Promise<Deno.TcpConn> {
  const conn = await root.dial(signal);
  const abort = () => closeQuietly(conn);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
    await writeAll(conn, encodePreface(ticket));
    return conn;
  } catch (thrown) {
    abort();
    throw thrown;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
