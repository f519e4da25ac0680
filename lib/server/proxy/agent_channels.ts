import type { WebSocket } from "ws";
import type { LockTarget } from "../../config/mod.ts";
import { parseCertificate } from "../../io/mod.ts";
import { DeadlinePassed } from "../../wait.ts";
import { getLogger } from "../../log.ts";
import { TokenBuckets } from "../limits/mod.ts";
import type { AuthService, Denial, Peer, ShutOut } from "../auth/mod.ts";
import { AgentChannel } from "./agent_channel.ts";
import type { AppRelay } from "./app_relays.ts";
import { type DataChannel, Rendezvous } from "./rendezvous.ts";

const log = getLogger("server", "proxy");

/** Agents that are tried for one connection. */
const MAX_AGENTS_TRIED = 2;
const WATCH_MS = 1_000;
/** Control channels of one agent. It has two while it takes another certificate; lost ones are missed after a minute. */
const MAX_CHANNELS_EACH = 8;

/** Hellos of one leaf, over all its channels: one that is sound tells what changes every few hundred milliseconds. */
const LEAF_HELLOS = { burst: 64, perSecond: 4 };

interface AgentChannelsOptions {
  readonly auth: AuthService;
  readonly nowMs: () => number;
  /** Cuts what an agent carries, and says how much that was. */
  readonly cut: (agentId: string, reason: string) => number;
  /** Whether an agent carries anything of a session. */
  readonly carries: (agentId: string, sessionId: string) => boolean;
}

/** The agents that are connected to this proxy: lets them in, sends clients to them, and expels them. */
export class AgentChannels {
  readonly #options: AgentChannelsOptions;
  readonly #rendezvous = new Rendezvous();
  readonly #channels = new Map<symbol, AgentChannel>();
  /** Until when the latest certificate of each agent lasts that was here, whether it still is or not. */
  readonly #certifiedMs = new Map<string, number>();
  readonly #leafHellos = new TokenBuckets(LEAF_HELLOS);
  readonly #watch: ReturnType<typeof setInterval>;
  /** For taking turns among the agents of an app. */
  #turn = 0;

  constructor(options: AgentChannelsOptions) {
    this.#options = options;
    this.#watch = setInterval(() => this.#expelExpired(), WATCH_MS);
  }

  /** @returns What to do with the open channel, or the answer that refuses it. */
  async admit(peer: Peer): Promise<((socket: WebSocket) => void) | Response> {
    const { auth } = this.#options;
    const { certificate } = peer;
    if (certificate === null) {
      return refusal("certificate-required", "An agent shows its certificate");
    }
    const service = parseCertificate(certificate)?.principal?.kind === "leaf" ? auth.leaves : auth;
    const judge = async () =>
      service === auth.leaves
        ? auth.leaves.verify(certificate)
        : await auth.verifyAgentCertificate(certificate);
    const verdict = await judge();
    if (verdict.kind === "refused") return refusal(verdict.code, verdict.message);
    const { agentId, certificateExpiresMs } = verdict.agent;
    return (socket) => {
      const channel: AgentChannel = new AgentChannel(socket, {
        agent: verdict.agent,
        auth: service,
        // Who was locked out while the channel opened is told so here
        judge,
        rightOf: (holder) => auth.rightFor(holder),
        rendezvous: this.#rendezvous,
        mayGreet: () =>
          verdict.agent.leaf === undefined ||
          this.#leafHellos.take(agentId, this.#options.nowMs()) === 0,
        onEnd: () => this.#channels.delete(channel.instance),
      });
      this.#channels.set(channel.instance, channel);
      const [oldest, ...rest] = this.#channelsOf(agentId);
      if (rest.length >= MAX_CHANNELS_EACH) oldest?.expel("replaced");
      const knownMs = this.#certifiedMs.get(agentId) ?? 0;
      this.#certifiedMs.set(agentId, Math.max(knownMs, certificateExpiresMs));
    };
  }

  /**
   * Has an agent that serves an app open a data channel. One that was there a moment ago is waited for.
   *
   * @returns `null` if none did.
   */
  async dial(relay: AppRelay, peer: string): Promise<DataChannel | null> {
    const { holder: { appId, leaf }, cut } = relay;
    const { agents } = leaf === null ? this.#options.auth : this.#options.auth.leaves;
    const far = await this.#dialAny(relay, peer);
    if (far !== null || cut.aborted || agents.agentsFor(appId).length > 0) return far;
    return await agents.comesBack(appId, cut) ? await this.#dialAny(relay, peer) : null;
  }

  async #dialAny(relay: AppRelay, peer: string): Promise<DataChannel | null> {
    const { holder, cut } = relay;
    const { auth } = this.#options;
    const agents = (holder.leaf === null ? auth : auth.leaves).agents.agentsFor(holder.appId);
    const first = agents.length === 0 ? 0 : this.#turn++ % agents.length;
    const inTurn = [...agents.slice(first), ...agents.slice(0, first)];
    for (const { instance, agentId, name } of inTurn.slice(0, MAX_AGENTS_TRIED)) {
      const channel = this.#channels.get(instance);
      if (channel === undefined) continue;
      try {
        const far = await channel.dial(holder, peer, cut);
        // Expelled at the very moment that it came: nobody would cut it
        if (this.#certifiedMs.has(agentId)) {
          relay.agentId = agentId;
          return far;
        }
        far.release();
      } catch (thrown) {
        if (cut.aborted) return null;
        const error = thrown instanceof DeadlinePassed ? "timeout" : String(thrown);
        log.warning("An agent did not come", { agent: name, error });
      }
    }
    return null;
  }

  /** Gives a data channel to whoever waits for it, and waits until they are done with it. */
  claim(ticket: string, conn: Deno.Conn): Promise<void> {
    return this.#rendezvous.claim(ticket, conn);
  }

  /**
   * Tells every agent who is kept out; an agent that it is itself has to go. Leaves are told of sessions that they
   * carry, and of nobody else here.
   */
  shutOut(target: LockTarget, reason: ShutOut): void {
    const { carries } = this.#options;
    for (const channel of this.#channels.values()) {
      const isTold = !channel.isLeaf ||
        ("session" in target && carries(channel.agentId, target.session));
      if (isTold) channel.lock(target);
    }
    if ("agent" in target) this.#expel(target.agent, reason);
  }

  /** Tells an agent that an app session may not go on. */
  revoke(agentId: string, sessionId: string, code: Denial): void {
    for (const channel of this.#channelsOf(agentId)) channel.revoke(sessionId, code);
  }

  /** Says goodbye to every agent. */
  drain(): void {
    for (const channel of this.#channels.values()) channel.drain();
  }

  close(): void {
    clearInterval(this.#watch);
    for (const channel of [...this.#channels.values()]) channel.close("shutting down");
  }

  #expelExpired(): void {
    const nowMs = this.#options.nowMs();
    for (const channel of [...this.#channels.values()]) {
      if (nowMs >= channel.expiresMs) channel.expel("certificate-expired");
    }
    for (const [agentId, untilMs] of this.#certifiedMs) {
      if (nowMs >= untilMs) this.#expel(agentId, "certificate-expired");
    }
  }

  /** In the order they were opened. */
  #channelsOf(agentId: string): AgentChannel[] {
    return [...this.#channels.values()].filter((channel) => channel.agentId === agentId);
  }

  #expel(agentId: string, reason: ShutOut | "certificate-expired"): void {
    this.#certifiedMs.delete(agentId);
    const channels = this.#channelsOf(agentId);
    for (const channel of channels) channel.expel(reason);
    const cut = this.#options.cut(agentId, reason);
    // Recorded last: a log that cannot be written keeps nobody in
    const wasHere = channels.length + cut > 0;
    this.#options.auth.recordExpelled(agentId, reason, wasHere).catch((error) => {
      log.error("Cannot record that an agent was expelled", { agentId, error: String(error) });
    });
  }
}

/** Says no to an agent that wants to open a control channel. */
export function refusal(code: string, message: string, status = 401): Response {
  return Response.json({ error: { code, message } }, { status });
}
