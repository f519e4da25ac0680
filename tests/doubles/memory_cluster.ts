/**
 * A second kind of cluster, all of it in memory: no TLS, no sockets, no clock of its own. What it publishes, refuses
 * and answers is set by the test.
 *
 * @module
 */
import type {
  Approach,
  ClusterDriver,
  ClusterLink,
  Discovery,
  Flow,
  FlowConn,
  FlowSummary,
  LoginRequest,
  OpenRequest,
  Right,
  RightRequest,
  Stranger,
  Surroundings,
} from "../../lib/client/cluster/driver.ts";
import type { Profile } from "../../lib/client/cluster/profile.ts";
import { AuthError, NetworkError } from "../../lib/error.ts";
import { CGNAT } from "../../lib/ip/mod.ts";
import type { AppTarget, AppView, ClusterView, PublishedCluster } from "../../lib/plan/mod.ts";

/** The kind that its profiles say. */
export const MEMORY_KIND = "memory";

const PASSWORD = "correct horse battery staple";
const LIFE_MS = 3_600_000;

/** An app of the cluster; what is not said is as plain as it gets. */
export function memoryApp(name: string, rest: Partial<AppView> = {}): AppView {
  return {
    kind: "tcp",
    name,
    cluster: "memory.test",
    id: `id-${name}`,
    publicAddrs: [`${name}.memory.test`],
    description: null,
    labels: {},
    ports: null,
    ...rest,
  };
}

/** The app "db" as a plan has it by a login to this cluster; what is not said is as plain as it gets. */
export function memoryTarget(rest: Partial<AppTarget> = {}): AppTarget {
  return {
    kind: "tcp",
    profile: "memory.test",
    cluster: "memory.test",
    app: "db",
    appId: "id-db",
    ports: null,
    httpHosts: null,
    range: CGNAT,
    ...rest,
  };
}

/** A cluster whose name is its proxy's. */
export class MemoryCluster implements ClusterDriver {
  readonly kind: string;
  readonly name: string;
  readonly password = PASSWORD;
  /** How long a login and a right last. */
  lifeMs = LIFE_MS;
  rightLifeMs = LIFE_MS;
  /** Thrown at whoever asks; `null` while it answers. */
  failure: Error | null = null;
  /** Whether a login takes a code, too, which is then to be 123456. */
  wantsCode = false;
  /** Refusals of rights by app name. */
  readonly refusals = new Map<string, string>();
  /** Codes that apps want for each session, by app name. */
  readonly codes = new Map<string, string>();
  /** What it was asked for, in order. */
  readonly rights: { readonly app: string; readonly port: number; readonly totp: string | null }[] =
    [];
  readonly flows: MemoryFlow[] = [];
  logouts = 0;
  /** How often its links were told that the network is another. */
  networkChanges = 0;
  /** What its links may ask about the machine; `null` for nothing, or before there is one. */
  around: Surroundings | null = null;
  /** Who answers in its place. */
  stranger: Stranger | null = null;
  #view: ClusterView;
  #changed = Promise.withResolvers<void>();
  #news = 0;
  readonly #nowMs: () => number;

  constructor(options: {
    readonly nowMs: () => number;
    /** `MEMORY_KIND` if not given; two clusters in one client are of two kinds. */
    readonly kind?: string;
    readonly root?: Partial<PublishedCluster>;
    readonly apps?: readonly AppView[];
  }) {
    this.kind = options.kind ?? MEMORY_KIND;
    this.#nowMs = options.nowMs;
    this.name = options.root?.name ?? "memory.test";
    this.#view = {
      root: {
        name: this.name,
        proxyHosts: [this.name],
        range: "100.64.0.0/10",
        zones: [],
        ...options.root,
      },
      leaves: [],
      apps: options.apps ?? [],
    };
  }

  get published(): ClusterView {
    return this.#view;
  }

  /** Publishes something else; who follows hears of it at once. */
  publish(change: Partial<ClusterView>): void {
    this.#view = { ...this.#view, ...change };
    this.wake();
  }

  /** Has whoever follows ask again. */
  wake(): void {
    this.#news++;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** A login that was made somewhere else. */
  profile(rest: Partial<Profile> = {}): Profile {
    return {
      kind: this.kind,
      proxy: { host: this.name, port: 443 },
      cluster: this.name,
      user: "alice",
      expiresMs: this.#nowMs() + this.lifeMs,
      credentials: { session: 1 },
      ...rest,
    };
  }

  discover(_how: Approach, _signal: AbortSignal): Promise<Discovery> {
    return this.#answer(() => ({ cluster: this.name, version: "0.0.0" }));
  }

  async login(request: LoginRequest, _signal: AbortSignal): Promise<Profile> {
    if (this.failure !== null) throw this.failure;
    if (await request.ask.password() !== PASSWORD) {
      throw new AuthError("login-failed", "User name or password is wrong");
    }
    if (this.wantsCode && await request.ask.totp(false) !== "123456") {
      throw new AuthError("login-failed", "The code is wrong");
    }
    const expiresMs = this.#nowMs() + Math.min(request.ttlMs ?? Infinity, this.lifeMs);
    return this.profile({ proxy: request.proxy, user: request.user, expiresMs });
  }

  open(_profile: Profile, around?: Surroundings): ClusterLink {
    this.around = around ?? null;
    return new MemoryLink(this);
  }

  // For its links.

  view(): Promise<ClusterView> {
    return this.#answer(() => this.#view);
  }

  /** How often there was something to hear. */
  get news(): number {
    return this.#news;
  }

  /** Waits for more news than these. */
  async change(heard: number, signal: AbortSignal): Promise<void> {
    if (heard !== this.#news) return;
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    await Promise.race([this.#changed.promise, aborted.promise]);
    signal.removeEventListener("abort", onAbort);
  }

  right({ target, port, proof }: RightRequest): Promise<Right> {
    this.rights.push({ app: target.app, port, totp: proof?.totpCode ?? null });
    const code = this.refusals.get(target.app);
    if (code !== undefined) {
      return Promise.reject(new AuthError(code, `Cannot use app "${target.app}": ${code}`));
    }
    const wanted = this.codes.get(target.app);
    if (wanted !== undefined && proof?.totpCode !== wanted) {
      const code = proof === null ? "mfa-required" : "mfa-failed";
      return Promise.reject(new AuthError(code, `Cannot use app "${target.app}": ${code}`));
    }
    return this.#answer(() => new MemoryRight(this.#nowMs() + this.rightLifeMs, target.app));
  }

  connect({ right, target, port }: OpenRequest): Promise<Flow> {
    if (!(right instanceof MemoryRight) || right.app !== target.app) {
      return Promise.reject(new AuthError("access-denied", "The right is for another app"));
    }
    return this.#answer(() => {
      const flow = new MemoryFlow(target.app, port);
      this.flows.push(flow);
      return flow;
    });
  }

  #answer<T>(act: () => T): Promise<T> {
    return this.failure === null ? Promise.resolve(act()) : Promise.reject(this.failure);
  }
}

class MemoryRight implements Right {
  readonly expiresMs: number;
  readonly app: string;

  constructor(expiresMs: number, app: string) {
    this.expiresMs = expiresMs;
    this.app = app;
  }
}

class MemoryLink implements ClusterLink {
  readonly #cluster: MemoryCluster;
  readonly #closed = new AbortController();

  constructor(cluster: MemoryCluster) {
    this.#cluster = cluster;
  }

  recall(): void {}

  networkChanged(): void {
    this.#cluster.networkChanges++;
  }

  findStranger(): Promise<Stranger | null> {
    return Promise.resolve(this.#cluster.stranger);
  }

  view(): Promise<ClusterView> {
    return this.#cluster.view();
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ClusterView> {
    const either = AbortSignal.any([signal, this.#closed.signal]);
    while (!either.aborted) {
      const { news } = this.#cluster;
      yield await this.#cluster.view();
      await this.#cluster.change(news, either);
    }
  }

  right(request: RightRequest): Promise<Right> {
    return this.#cluster.right(request);
  }

  open(request: OpenRequest): Promise<Flow> {
    return this.#cluster.connect(request);
  }

  reach(): ReturnType<ClusterLink["reach"]> {
    const { failure } = this.#cluster;
    return Promise.resolve(
      failure === null
        ? { kind: "reached", elapsedMs: 1, clockAheadMs: 0 }
        : { kind: "failed", code: codeOf(failure), message: failure.message },
    );
  }

  async logout(): Promise<void> {
    await this.#cluster.view();
    this.#cluster.logouts++;
  }

  retire(): Promise<void> {
    this.#closed.abort();
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closed.abort();
    return Promise.resolve();
  }
}

/** A connection to an app that answers everything in capitals. */
export class MemoryFlow implements Flow {
  readonly app: string;
  readonly port: number;
  state: "open" | "done" | "aborted" = "open";
  sentBytes = 0;
  receivedBytes = 0;
  /** Why the cluster is to have cut it when it ends; `null` if it did not. */
  cut: string | null = null;

  constructor(app: string, port: number) {
    this.app = app;
    this.port = port;
  }

  async splice(conn: FlowConn, _signal: AbortSignal): Promise<FlowSummary> {
    const buffer = new Uint8Array(4096);
    for (let read = await conn.read(buffer); read !== null; read = await conn.read(buffer)) {
      this.sentBytes += read;
      this.receivedBytes += read;
      const text = new TextDecoder().decode(buffer.subarray(0, read)).toUpperCase();
      await conn.write(new TextEncoder().encode(text));
    }
    await conn.closeWrite();
    conn.close();
    this.state = "done";
    const { sentBytes, receivedBytes, cut } = this;
    if (cut !== null) return { sentBytes, receivedBytes, reason: "reset", code: cut };
    return { sentBytes, receivedBytes, reason: "done" };
  }

  abort(): void {
    this.state = "aborted";
  }
}

function codeOf(thrown: Error): string {
  return thrown instanceof NetworkError || thrown instanceof AuthError ? thrown.code : "internal";
}
