import { LockTargetSchema } from "../../config/mod.ts";
import { describeError } from "../../error.ts";
import { renewalDueMs } from "../../identity/mod.ts";
import { getLogger } from "../../log.ts";
import { pause } from "../../wait.ts";
import { ControlChannel, leafHelloOf, Line } from "../agent/mod.ts";
import type { AgentMessage } from "../../wire/mod.ts";
import type { RootLink, Roots } from "../auth/mod.ts";
import type { ForeignRelays } from "../proxy/mod.ts";

const log = getLogger("server", "leaf");

/** What changes is told at most so often. */
const TELL_MS = 300;
const RENEW_CHECK_MS = 60_000;

interface LeafLinksOptions {
  readonly roots: Roots;
  readonly foreign: ForeignRelays;
  readonly revision: () => number;
  readonly changed: (since: number, signal: AbortSignal) => Promise<void>;
  readonly nowMs: () => number;
}

/** The links to every root that this cluster trusts. */
export class LeafLinks {
  readonly #options: LeafLinksOptions;
  readonly #closing = new AbortController();
  readonly #links = new Map<string, LeafLink>();
  readonly #following: Promise<void>;

  constructor(options: LeafLinksOptions) {
    this.#options = options;
    this.#following = this.#follow();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#following;
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }

  /** Keeps as many links as there are roots, and tells each what there is. */
  async #follow(): Promise<void> {
    const { roots, foreign, revision, changed } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const since = revision();
      const wanted = new Map(roots.links().map((link) => [link.cluster, link]));
      for (const [cluster, link] of this.#links) {
        if (wanted.has(cluster)) continue;
        this.#links.delete(cluster);
        foreign.end(cluster);
        void link.close();
      }
      for (const [cluster, root] of wanted) this.#keep(cluster, root);
      await changed(since, signal);
      if (this.#hasGone()) continue; // What is to be cut does not wait
      await pause(TELL_MS, signal);
    }
  }

  /** Never throws: what is wrong with one link ends neither the others nor the server. */
  #keep(cluster: string, root: RootLink): void {
    try {
      const link = this.#links.get(cluster);
      if (link === undefined) this.#links.set(cluster, new LeafLink(root, this.#options));
      else link.update(root);
    } catch (thrown) {
      log.error("Cannot tell the root what there is", {
        root: cluster,
        error: describeError(thrown),
      });
    }
  }

  #hasGone(): boolean {
    const wanted = new Set(this.#options.roots.links().map(({ cluster }) => cluster));
    return [...this.#links.keys()].some((cluster) => !wanted.has(cluster));
  }
}

/** The link to one root. */
class LeafLink {
  readonly #options: LeafLinksOptions;
  readonly #closing = new AbortController();
  readonly #line: Line;
  readonly #working: Promise<unknown>;
  #root: RootLink;
  /** What the root was told last. */
  #told = "";
  /** How many apps it was not told of. */
  #leftOut = 0;

  constructor(root: RootLink, options: LeafLinksOptions) {
    this.#root = root;
    this.#options = options;
    this.#line = new Line(() => this.#connect(), (channel) => this.#opened(channel));
    this.#working = Promise.all([this.#line.run(this.#closing.signal), this.#keepCertified()]);
  }

  /** Goes on with what is known of the root from here on, and tells it what is different here. */
  update(root: RootLink): void {
    const isOther = root.key !== this.#root.key;
    this.#root = root;
    if (isOther) return this.#line.reopen();
    const { channel } = this.#line;
    const hello = this.#hello();
    const text = JSON.stringify(hello);
    if (text === this.#told || !channel?.isOpen) return;
    this.#told = text;
    for (const message of hello) channel.send(message);
  }

  async close(): Promise<void> {
    this.#options.roots.reportTo(this.#root.cluster, null);
    this.#closing.abort(new Error("The link to the root is closed"));
    this.#line.close();
    await this.#working;
    this.#line.close();
  }

  #hello(): readonly AgentMessage[] {
    const { cluster } = this.#root;
    const said = this.#options.roots.hello(cluster);
    if (said === null) return [];
    const { messages, leftOut } = leafHelloOf(said.facts, said.apps);
    if (leftOut > 0 && leftOut !== this.#leftOut) {
      log.warning("The root is not told of all apps: they are too many or too large", {
        root: cluster,
        leftOut,
      });
    }
    this.#leftOut = leftOut;
    return messages;
  }

  async #connect(): Promise<ControlChannel> {
    const { foreign } = this.#options;
    const { settings, cluster } = this.#root;
    const hello = this.#hello();
    this.#told = JSON.stringify(hello);
    const { host: hostname, port } = settings.server;
    const channel: Promise<ControlChannel> = ControlChannel.open(settings, hello, {
      dial: (request) =>
        void channel.then((channel) =>
          foreign.carry({
            cluster,
            dial: (signal) => Deno.connect({ hostname, port, signal }),
            fail: (ticket, code, message) =>
              channel.send({ type: "dial_failed", ticket, code, message }),
          }, request), () => {}),
      lock: (target) => {
        const parsed = LockTargetSchema.safeParse(target);
        if (parsed.success) foreign.lock(cluster, parsed.data);
      },
      revoked: (sessionId) => foreign.revoke(cluster, sessionId),
    }, this.#closing.signal);
    return await channel;
  }

  #opened(channel: ControlChannel): void {
    const { cluster } = this.#root;
    log.info("Connected to the root", { root: cluster });
    this.#options.roots.reportTo(cluster, (events) => channel.report(events));
  }

  async #keepCertified(): Promise<void> {
    const { signal } = this.#closing;
    const { roots, nowMs } = this.#options;
    while (!signal.aborted) {
      const { beginsMs: notBeforeMs, expiresMs: notAfterMs } = this.#root;
      const leftMs = renewalDueMs({ notBeforeMs, notAfterMs }) - nowMs();
      await pause(Math.min(Math.max(leftMs, 0), RENEW_CHECK_MS), signal);
      if (signal.aborted) return;
      roots.tellEnds(this.#root.cluster);
      if (leftMs > RENEW_CHECK_MS) continue;
      try {
        await roots.renew(this.#root, signal);
        await pause(RENEW_CHECK_MS, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        log.warning("Cannot renew the certificate at the root", { error: describeError(thrown) });
        await pause(RENEW_CHECK_MS, signal);
      }
    }
  }
}
