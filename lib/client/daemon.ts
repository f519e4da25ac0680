/**
 * The daemon: one owner's logins, names, connections and DNS server, and the link to the helper that does what
 * needs root.
 *
 * @module
 */
import type { UpSettings } from "../config/mod.ts";
import type { DnsMode } from "../dns/mod.ts";
import { type Detected } from "../wire/mod.ts";
import { compilePlan, type Plan, type PlanSource } from "../plan/mod.ts";
import { describeError, NetworkError, VnetError } from "../error.ts";
import { CarrierPool, ensurePrivateDirectory } from "../io/mod.ts";
import type { LocalPolicy } from "../identity/mod.ts";
import { formatPrefix, type Prefix } from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import { loadShim, type Shim } from "../os/mod.ts";
import type { AppsV1, ResolveV1, StatusV1 } from "../status/mod.ts";
import { VERSION } from "../version.ts";
import type { Trouble } from "../dns/mod.ts";
import { AddressBook } from "./state/address_book.ts";
import { renderApps } from "./apps.ts";
import { dialerOf, HttpClusterApi } from "./cluster/own/api.ts";
import { serveControl } from "./control/server.ts";
import { DnsServer } from "./dns/server.ts";
import { FlowLog } from "./flows/flow_log.ts";
import { type HelperEnd, type HelperEvent, HelperLink } from "./helper_link.ts";
import { loggedOut, NameTroubles } from "./state/name_troubles.ts";
import { compileNames, destinationOf, type Names, type Troubles } from "./state/names.ts";
import { Network } from "./network.ts";
import type { Paths } from "./paths.ts";
import { type Profile, ProfileStore } from "./cluster/profile.ts";
import { describeMoves, RangePlaces } from "./state/range_places.ts";
import { explainName } from "./resolve.ts";
import { forgetSettings, saveSettings } from "./state/saved_settings.ts";
import { loadViews, saveViews } from "./cluster/saved_views.ts";
import { type ClusterView, Session } from "./cluster/session.ts";
import { writeStartError } from "./control/start_error.ts";

const log = getLogger("client");

type Finding = StatusV1["findings"][number];

const FIRST_REFRESH_MS = 8_000;
/** Foreign answers to keep, each 4 KiB at most. */
const CACHE_ENTRIES = 1_000;
/** Clocks are set and machines sleep: however far off the next change is, the clock is looked at this often. */
const RECOMPILE_MAX_MS = 60_000;

const IPV6_OFF = {
  message: "IPv6 is switched off on this machine: apps are reached by IPv4 alone",
  hint: "Nothing needs to be done; switch IPv6 on and run `sudo vnet restart` to have both",
};

export interface DaemonOptions {
  readonly paths: Paths;
  readonly policy: LocalPolicy;
  readonly helper: HelperEnd;
  /** Whether to wait for a login where there is none, as at boot. */
  readonly waitForLogin: boolean;
  /** `null` for the first name that is free. */
  readonly link: string | null;
  /** Replaces the clusters' ranges. */
  readonly range: Prefix | null;
  readonly dnsMode: DnsMode;
  /** What of it somebody chose, for `vnet restart` to choose again. */
  readonly settings: UpSettings;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
}

/** Runs the daemon until its signal aborts or somebody asks it to end. @returns What was asked for. */
export async function runDaemon(options: DaemonOptions): Promise<"end" | "restart"> {
  for (const dir of [options.paths.stateDir, options.paths.runtimeDir]) {
    await ensurePrivateDirectory(dir);
  }
  using _lock = await lockInstance(options.paths).catch(async (thrown) => {
    await writeStartError(options.paths, thrown);
    throw thrown;
  });
  const daemon = new Daemon(options);
  const control = await serveControl(options.paths.controlSocket, daemon);
  try {
    await daemon.run();
    if (daemon.asked === "end") await forgetSettings(options.paths.stateDir);
    return daemon.asked ?? "end";
  } catch (thrown) {
    await writeStartError(options.paths, thrown);
    throw thrown;
  } finally {
    await control.shutdown();
    await Deno.remove(options.paths.controlSocket).catch(() => {});
  }
}

/**
 * Becomes the owner's one daemon; the kernel ends that with the process.
 *
 * @throws VnetError `already-up` while another one lives.
 */
async function lockInstance(paths: Paths): Promise<Deno.FsFile> {
  const lock = await Deno.open(`${paths.runtimeDir}/daemon.lock`, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  if (await lock.tryLock(true)) return lock;
  lock.close();
  throw new VnetError("already-up", "Cannot start: you have a vnet daemon already", {
    hint: "See `vnet status`; `vnet restart` starts anew",
  });
}

/** What there is once the machine is set up. */
interface Machine {
  readonly helper: HelperLink;
  readonly network: Network;
  readonly dns: DnsServer;
  readonly detected: Detected;
}

class Daemon {
  readonly #options: DaemonOptions;
  readonly #shim: Shim = loadShim();
  readonly #startedMs: number;
  readonly #stop = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #flowLog = new FlowLog();
  readonly #profiles: ProfileStore;
  readonly #carriers = new CarrierPool();
  readonly #findings = new Map<string, Omit<Finding, "code">>();
  #sessions: readonly Session[] = [];
  #following = new AbortController();
  #state: StatusV1["state"] = "starting";
  #book: AddressBook | null = null;
  /** Why it ends, when nobody asked it to. */
  #failure: VnetError | null = null;
  #places: RangePlaces | null = null;
  #plan: Plan | null = null;
  /** What the link was made with; it stays for the daemon's life. */
  #range: Prefix | null = null;
  #names: Names | null = null;
  readonly #troubles = new NameTroubles();
  /** Runs until a login or a trouble is over and the names must be looked at again. */
  #recompile: ReturnType<typeof setTimeout> | null = null;
  #machine: Machine | null = null;
  /** What the helper was told last: zones and routes as text; `null` when that failed. */
  #applied: string | null = null;
  #applying: Promise<void> = Promise.resolve();
  /** While there is no login: what a refresh resolves. */
  #login: PromiseWithResolvers<void> | null = null;
  /** What somebody asked it for: to end, or to end for whoever started it to start it again. */
  asked: "end" | "restart" | null = null;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
    this.#profiles = new ProfileStore(options.paths.configDir);
    if (options.signal.aborted) this.#stop.abort();
    options.signal.addEventListener("abort", () => this.#stop.abort(), { once: true });
  }

  /** Sets everything up, serves until told to stop, and takes everything back. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      this.#book = await AddressBook.open(
        this.#options.paths.stateDir,
        crypto.getRandomValues(new Uint8Array(21)),
      );
      await this.#requireLogin();
      if (signal.aborted) return;
      await this.#openSessions();
      this.#compile();
      this.#machine = await this.#openMachine();
      await saveSettings(this.#options.paths.stateDir, this.#options.settings);
      this.#state = "ready";
      this.#ready.resolve();
      log.info("Ready", { apps: this.#plan?.targets.size ?? 0 });
      this.#follow();
      await this.#machine.network.run(signal);
      if (this.#failure !== null) throw this.#failure;
    } finally {
      this.#state = "stopping";
      this.#stop.abort();
      this.#following.abort();
      this.#recompileAt(null);
      this.#ready.resolve();
      await this.#applying.catch(() => {});
      await this.#closeMachine();
      await this.#carriers.close();
      for (const session of this.#sessions) session.close();
    }
  }

  // What the control API reads and drives.

  status(): StatusV1 {
    const nowMs = this.#options.nowMs();
    const { policy } = this.#options;
    const machine = this.#machine;
    const findings: Finding[] = [...this.#findings].map(([code, rest]) => ({ code, ...rest }));
    for (const warning of this.#plan?.warnings ?? []) findings.push({ ...warning });
    return {
      schema: "vnet.status/1",
      state: this.#state,
      version: VERSION,
      pid: Deno.pid,
      uid: policy.ownerUid,
      started: new Date(this.#startedMs).toISOString(),
      uptime_ms: nowMs - this.#startedMs,
      ...(machine === null ? {} : {
        link: machine.network.render(),
        dns: machine.dns.render(this.#plan?.zones ?? []),
        packets: machine.network.counters(),
      }),
      profiles: this.#sessions.map((session) => ({
        proxy: session.name,
        cluster: session.profile.cluster,
        user: session.profile.user,
        expires: new Date(session.profile.expiresMs).toISOString(),
        state: session.state,
        ...(session.refreshedMs === null
          ? {}
          : { refreshed: new Date(session.refreshedMs).toISOString() }),
        ...(session.error === null ? {} : { error: session.error }),
      })),
      apps_total:
        new Set([...this.#plan?.targets.values() ?? []].map((target) => target.appId)).size,
      access: {
        shared_with: policy.sharedWith === "all"
          ? "all"
          : [...policy.sharedWith].sort((a, b) => a - b),
        containers: policy.containers ? "allow" : "deny",
      },
      connections: {
        ...this.#flowLog.render(),
        refused_owners: machine?.network.refusedOwners() ?? [],
      },
      findings,
    };
  }

  async ready(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    await Promise.race([this.#ready.promise, aborted.promise]);
    signal.removeEventListener("abort", onAbort);
  }

  settings(): UpSettings {
    return this.#options.settings;
  }

  apps(): AppsV1 {
    const views = this.#sessions.map((session) => ({
      proxy: session.name,
      apps: session.view?.apps ?? [],
    }));
    return renderApps(views, this.#names?.addresses ?? new Map());
  }

  resolve(name: string, type: string): ResolveV1 {
    if (this.#names === null) {
      throw new VnetError("starting", "vnet is still starting", { hint: "Run `vnet wait`" });
    }
    return explainName(name, type, this.#names.table, "daemon");
  }

  async refresh(): Promise<void> {
    if (this.#login !== null) return this.#login.resolve();
    await this.#openSessions();
    this.#troubles.forgetRefusals();
    await this.#change();
    this.#follow();
  }

  down(restart = false): void {
    this.asked = restart ? "restart" : "end";
    this.#state = "stopping";
    this.#stop.abort();
  }

  // Sessions and the plan.

  async #requireLogin(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        return requireLogin(await this.#profiles.list(), this.#options.nowMs());
      } catch (thrown) {
        if (!this.#options.waitForLogin || !(thrown instanceof VnetError)) throw thrown;
        log.warning("Waiting for a login", { code: thrown.code });
        const { code, message, hint } = thrown;
        this.#findings.set(code, { message, ...(hint === null ? {} : { hint }) });
        await this.#nextLogin();
        this.#findings.delete(code);
      }
    }
  }

  async #nextLogin(): Promise<void> {
    const login = Promise.withResolvers<void>();
    const { signal } = this.#stop;
    const onAbort = () => login.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#login = login;
    await login.promise;
    this.#login = null;
    signal.removeEventListener("abort", onAbort);
  }

  async #openSessions(): Promise<void> {
    this.#following.abort();
    const saved = await loadViews(this.#options.paths.stateDir);
    const profiles = await this.#profiles.list();
    const sessions = profiles.map((profile) => {
      const session = new Session({
        profile,
        api: new HttpClusterApi(profile),
        nowMs: this.#options.nowMs,
      });
      const known = saved.get(session.name);
      if (known !== undefined) session.restore(known);
      return session;
    });
    const deadline = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(FIRST_REFRESH_MS)]);
    await Promise.all(sessions.map((session) => session.refresh(0, deadline)));
    for (const session of this.#sessions) session.close();
    this.#sessions = sessions;
    if (!this.#stop.signal.aborted) await this.#saveViews();
  }

  #follow(): void {
    this.#following.abort(); // Two refreshes at a time each come here.
    this.#following = new AbortController();
    const signal = AbortSignal.any([this.#following.signal, this.#stop.signal]);
    for (const session of this.#sessions) {
      const onChange = () => {
        this.#troubles.forgetRefusals();
        return this.#change();
      };
      void session.follow(onChange, signal).catch((thrown) => {
        log.error("Stopped following a cluster", { error: describeError(thrown) });
      });
    }
  }

  /** Compiles anew and applies what is different; one change at a time. */
  #change(): Promise<void> {
    this.#applying = this.#applying.catch(() => {}).then(async () => {
      this.#compile();
      await this.#saveViews();
      await this.#applyPlan();
      this.#findings.delete("apply-failed");
    }).catch((thrown) => {
      this.#findings.set("apply-failed", { message: describeError(thrown) });
      log.error("Cannot apply a change", { error: describeError(thrown) });
    });
    return this.#applying;
  }

  #compile(): void {
    const book = this.#requireBook();
    const sources = this.#sessions.flatMap((session) => session.source ?? []);
    const plan = this.#place(sources);
    this.#plan = plan;
    this.#range ??= plan.ranges[0] ?? null;
    const range = this.#range;
    if (range === null) return;
    const link = book.linkAddresses(range);
    const addresses = book.assign(plan, this.#options.nowMs());
    const full = [...addresses].filter(([, given]) => given === null).length;
    if (full > 0) {
      this.#findings.set("range-full", {
        message: `${full} names have no address: the range ${formatPrefix(range)} is full`,
        hint: "Ask an administrator for a larger ipv4_cidr_range, or pass --cidr to `vnet up`",
      });
    } else this.#findings.delete("range-full");
    this.#names = compileNames({
      plan,
      addresses,
      link,
      ipv6: this.#machine?.network.hasIpv6 ?? true,
      allDns: this.#machine?.detected.needs_port_53 ?? false,
      troubles: this.#troublesOf(plan),
    });
    this.#machine?.dns.setTable(this.#names.table);
  }

  #troublesOf(plan: Plan): Troubles {
    const nowMs = this.#options.nowMs();
    this.#troubles.follow(plan, nowMs);
    const ends = [this.#troubles.nextMs ?? Infinity];
    const profiles: [string, Trouble][] = [];
    for (const { name, state, profile } of this.#sessions) {
      if (state === "expired") profiles.push([name, loggedOut(profile.cluster, name)]);
      else ends.push(profile.expiresMs);
    }
    this.#recompileAt(Math.min(...ends));
    const { denied, removed } = this.#troubles;
    return { profiles: new Map(profiles), denied, removed };
  }

  /** @param atMs `null` or never: not at all. */
  #recompileAt(atMs: number | null): void {
    if (this.#recompile !== null) clearTimeout(this.#recompile);
    this.#recompile = null;
    if (atMs === null || atMs === Infinity || this.#stop.signal.aborted) return;
    const delayMs = Math.min(Math.max(atMs - this.#options.nowMs(), 0) + 1, RECOMPILE_MAX_MS);
    this.#recompile = setTimeout(() => {
      if (this.#options.nowMs() < atMs) this.#recompileAt(atMs);
      else void this.#change();
    }, delayMs);
  }

  /** A range that the user chose lies where they said, or nowhere. */
  #place(sources: readonly PlanSource[]): Plan {
    const { range } = this.#options;
    if (range !== null) return compilePlan(sources, { range });
    this.#places ??= new RangePlaces(this.#shim, this.#requireBook());
    const ifindex = this.#machine?.network.ifindex ?? null;
    const { plan, moves } = this.#places.compile(sources, ifindex);
    const finding = describeMoves(moves);
    if (finding === null) this.#findings.delete("range-moved");
    else this.#findings.set("range-moved", finding);
    return plan;
  }

  async #saveViews(): Promise<void> {
    const views = new Map<string, ClusterView>();
    for (const session of this.#sessions) {
      if (session.view !== null) views.set(session.name, session.view);
    }
    await saveViews(this.#options.paths.stateDir, views);
  }

  // The machine.

  async #openMachine(): Promise<Machine> {
    const book = this.#requireBook();
    const range = this.#range;
    if (range === null) {
      const [first] = this.#sessions;
      throw new VnetError(
        "cluster-unreachable",
        `Nothing is known of any cluster${first?.error == null ? "" : `: ${first.error}`}`,
        { hint: "Check the network between you and the proxy, and that the login is still good" },
      );
    }
    const helper = HelperLink.open(
      this.#shim,
      this.#options.helper,
      (event) => this.#onHelperEvent(event),
    );
    await using undo = new AsyncDisposableStack();
    undo.use(helper);
    const detected = await helper.detect(this.#options.dnsMode);
    const network = undo.use(
      await Network.open({
        shim: this.#shim,
        helper,
        link: this.#options.link,
        addresses: book.linkAddresses(range),
        range,
        policy: this.#options.policy,
        findProgram: (syn) => helper.program(syn.source, syn.destination),
        destinationOf: (address) => this.#names && destinationOf(this.#names, address),
        dial: (target, port, signal) => this.#dial(target.profile, target, port, signal),
        log: this.#flowLog,
        nowMs: this.#options.nowMs,
      }),
    );
    const dns = undo.use(
      await DnsServer.open({
        shim: this.#shim,
        helper,
        needsPort53: detected.needs_port_53,
        // Where it must be port 53, programs ask us themselves: nobody in front of us keeps answers.
        cacheEntries: detected.needs_port_53 ? CACHE_ENTRIES : 0,
        linkAddress6: network.hasIpv6 ? book.linkAddresses(range).self6 : null,
      }),
    );
    const machine = { helper, network, dns, detected };
    this.#machine = machine;
    if (!network.hasIpv6) this.#findings.set("ipv6-off", IPV6_OFF);
    this.#compile(); // Now it is known whether there is IPv6.
    try {
      await this.#applyPlan();
    } catch (thrown) {
      this.#machine = null;
      throw thrown;
    }
    undo.move();
    return machine;
  }

  async #applyPlan(): Promise<void> {
    const { machine, names, plan } = {
      machine: this.#machine,
      names: this.#names,
      plan: this.#plan,
    };
    if (machine === null || names === null || plan === null) return;
    const leased = [...names.addresses.values()].flatMap((given) => given?.ipv4 ?? []);
    machine.network.setRanges(plan.ranges);
    machine.network.setLeases(leased);
    await this.#requireBook().save();
    const { routes } = machine.network;
    const wanted = [...plan.zones, ...routes.map(formatPrefix)].join(" ");
    if (this.#applied === wanted) return;
    this.#applied = null;
    const { applied, upstreams, steps } = await machine.helper.apply(routes, {
      mode: this.#options.dnsMode,
      server: machine.dns.endpoint,
      zones: plan.zones,
    });
    machine.dns.setUpstreams(upstreams);
    machine.dns.setBackend(applied.backend, applied.why);
    for (const code of [...this.#findings.keys()]) {
      if (/^dns-\d+$/.test(code)) this.#findings.delete(code); // What was warned of last time.
    }
    for (const [index, message] of applied.warnings.entries()) {
      this.#findings.set(`dns-${index + 1}`, { message });
    }
    for (const step of steps) log.info("Applied", { step });
    this.#applied = wanted;
  }

  async #closeMachine(): Promise<void> {
    const machine = this.#machine;
    if (machine === null) return;
    this.#machine = null;
    await machine.helper.revert().catch((thrown) => {
      log.warning("The helper could not take everything back", { error: describeError(thrown) });
    });
    await machine.dns[Symbol.asyncDispose]();
    await machine.network[Symbol.asyncDispose]();
    await machine.helper[Symbol.asyncDispose]();
  }

  #onHelperEvent(event: HelperEvent): void {
    switch (event.kind) {
      case "upstreams":
        this.#machine?.dns.setUpstreams(event.upstreams);
        log.info("The machine's resolvers changed");
        return;
      case "warning":
        this.#findings.set(event.code, {
          message: event.message,
          ...(event.hint === undefined ? {} : { hint: event.hint }),
        });
        log.warning("The machine was changed", { code: event.code, message: event.message });
        return;
      case "lost":
        // Whoever guards the helper takes the machine's settings back; half of vnet would only mislead.
        if (this.#state === "stopping") return;
        log.error("Lost the helper, so the daemon ends too");
        this.#failure = new NetworkError("helper-lost", "The privileged helper is gone", {
          hint: "Run `sudo vnet up` again",
        });
        this.down();
        return;
      default:
        event satisfies never;
    }
  }

  async #dial(
    profileName: string,
    target: Parameters<Session["credentials"]>[0],
    port: number,
    signal: AbortSignal,
  ) {
    const session = this.#sessions.find((candidate) => candidate.name === profileName);
    if (session === undefined) throw new VnetError("app-removed", "The login for this app is gone");
    if (session.state === "expired") {
      throw new VnetError("login-expired", "The login for this app has expired", {
        hint: "Run `vnet login` again",
      });
    }
    try {
      const credentials = await session.credentials(target, port);
      return await this.#carriers.acquire({
        appId: target.appId,
        app: target.app,
        port,
        proxy: session.profile.proxy,
        credentials,
        hostCaPems: session.profile.hostCaPems,
        dial: dialerOf(session.profile.httpProxy),
      }, signal);
    } catch (thrown) {
      const code = thrown instanceof VnetError ? thrown.code : "";
      if (this.#troubles.refused(target.appId, code, this.#options.nowMs())) void this.#change();
      throw thrown;
    }
  }

  #requireBook(): AddressBook {
    if (this.#book === null) throw new TypeError("The address book is not open");
    return this.#book;
  }
}

function requireLogin(profiles: readonly Profile[], nowMs: number): void {
  if (profiles.length === 0) {
    throw new VnetError("login-needed", "Cannot bring vnet up: you are logged in nowhere", {
      hint: "Run `vnet login --proxy HOST` first",
    });
  }
  if (profiles.every((profile) => profile.expiresMs <= nowMs)) {
    throw new VnetError("login-expired", "Cannot bring vnet up: every login has expired", {
      hint: "Run `vnet login` again",
    });
  }
}
