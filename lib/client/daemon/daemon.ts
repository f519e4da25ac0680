/**
 * The daemon: one owner's logins, names, connections and DNS server, and the link to the helper that does what needs
 * root. What it knows is compiled into a state, and the state applied; here is when, and how it all begins and ends.
 *
 * @module
 */
import type { UpSettings } from "../../config/mod.ts";
import { describeError, NetworkError, VnetError } from "../../error.ts";
import type { Prefix } from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import { type Machine, thisMachine } from "../../os/mod.ts";
import type { AppsV1, ConnectionsV1, ResolveV1, StatusV1, ZonesV1 } from "../../status/mod.ts";
import { renderApps } from "../apps.ts";
import { readBook } from "../book_file.ts";
import { Clusters } from "../cluster/clusters.ts";
import { DRIVERS } from "../cluster/drivers.ts";
import { loginFacts } from "../cluster/login_facts.ts";
import type { ControlTarget } from "../control/server.ts";
import type { DaemonOptions } from "./options.ts";
import { AppDialer } from "../dial.ts";
import { Findings } from "./findings.ts";
import { FirstLogin } from "./first_login.ts";
import { nothingKnown, stillStarting } from "./not_ready.ts";
import { FlowLog } from "../flows/flow_log.ts";
import { waitsFor } from "../flows/waits_for.ts";
import type { HelperEvent } from "../setup/helper_link.ts";
import { AppOpener } from "../local/app_opener.ts";
import { serveApps } from "../local/serve_apps.ts";
import { logInAgain, type LoginAnswer, type LoginStep } from "../logins/again.ts";
import { Questions } from "../logins/questions.ts";
import { followNetwork } from "../network/follow.ts";
import { surroundingsOf } from "../network/surroundings.ts";
import { explainName } from "../resolve.ts";
import {
  compilePlan,
  type Plan,
  privateRanges,
  type RangeConsent,
  type RangeWord,
  withRangeWord,
} from "../../plan/mod.ts";
import { readRangeWords, writeRangeWords } from "../range_words.ts";
import { saveSettings } from "../saved_settings.ts";
import { foreignOf, Setup } from "../setup/setup.ts";
import { compileState, firstState, forgetRefusals, noteRefusal, type State } from "../state/mod.ts";
import { renderStatus } from "../status.ts";
import { Alarm } from "../alarm.ts";
import { decideZone, type ZoneRequest } from "../zones/decide.ts";
import { askSystem } from "../zones/ask_now.ts";
import { ZoneKeeper } from "../zones/keeper.ts";
import { zoneLoginOf } from "../zones/known.ts";
import { renderZones } from "../zones/render.ts";
import { orAborted, pause } from "../../wait.ts";

const log = getLogger("client");

/** How long a start waits for what TXT records say of zones. */
const ZONES_MS = 3_000;

const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 60_000;

/** One daemon's life. */
export class Daemon implements ControlTarget {
  readonly #options: DaemonOptions;
  readonly #machine: Machine;
  readonly #startedMs: number;
  readonly #stop = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  readonly #clusters: Clusters;
  readonly #dialer: AppDialer;
  readonly #flowLog: FlowLog;
  readonly #findings = new Findings();
  readonly #firstLogin: FirstLogin;
  readonly #zones: ZoneKeeper;
  /** Rings when a login or a trouble is over, and the state must be compiled anew. */
  readonly #alarm: Alarm;
  #phase: StatusV1["state"] = "starting";
  #state: State | null = null;
  #setup: Setup | null = null;
  /** Where root lets ranges lie beside 100.64.0.0/10; `null` before the helper has said. */
  #granted: readonly Prefix[] | null = null;
  #rangeWords: readonly RangeWord[] = [];
  #changing: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | null = null;
  /** When a change that failed is tried again. */
  #retryMs = RETRY_MIN_MS;
  /** Whether clusters said what is not on disk yet. */
  #hasNews = true;
  /** Why it ends, when nobody asked it to. */
  #failure: VnetError | null = null;
  readonly questions: Questions;
  /** What somebody asked it for: to end, or to end for whoever started it to start it again. */
  asked: "end" | "restart" | null = null;

  constructor(options: DaemonOptions) {
    const { paths, nowMs, drivers = DRIVERS, askTxt = askSystem } = options;
    this.#options = options;
    this.#flowLog = new FlowLog(options.onRefused);
    this.#machine = options.machine ?? thisMachine();
    this.#startedMs = nowMs();
    this.questions = new Questions(nowMs, { isReached: !options.transient });
    const secondFactor = options.asks === false ? null : this.questions.mfa;
    const around = surroundingsOf(this.#machine, () => this.#setup?.ownLink ?? null);
    this.#clusters = new Clusters({ ...paths, drivers, nowMs, secondFactor, around });
    this.#firstLogin = new FirstLogin({
      act: options.transient ? "Cannot run the command" : "Cannot bring vnet up",
      logins: () => this.#clusters.logins(),
      waits: options.waitForLogin,
      findings: this.#findings,
      nowMs,
    });
    this.#dialer = new AppDialer({
      sessionOf: (profile) => this.#clusters.find(profile),
      awaitLogin: (session, signal) => this.questions.awaitLogin(session, signal),
      onRefused: (target, code) => this.#noteRefusal(target.appId, code),
    });
    this.#zones = new ZoneKeeper({
      paths,
      nowMs,
      ask: (zone) => this.#setup?.askTxt(zone) ?? askTxt(zone, this.#stop.signal),
      onChange: () => void this.#change(),
      keepsRecords: options.transient !== true,
      ...(options.readAdmin === undefined ? {} : { readAdmin: options.readAdmin }),
    });
    this.#alarm = new Alarm(nowMs, () => void this.#change());
    if (options.signal.aborted) this.#stop.abort();
    options.signal.addEventListener("abort", () => this.#stop.abort(), { once: true });
  }

  /** Sets everything up, serves until told to stop, and takes everything back. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      const { stateDir } = this.#options.paths;
      this.#state = firstState(await readBook(stateDir));
      this.#rangeWords = await readRangeWords(stateDir);
      await this.#firstLogin.require(signal);
      if (signal.aborted) return;
      await this.#clusters.refresh(signal);
      await this.#saveViews();
      await this.#zones.load();
      const first = compilePlan(this.#clusters.sources, {
        range: null,
        zones: this.#zones.knowledge,
      });
      await this.#askForZones(first.standings, "all");
      const setup = await this.#open();
      await this.#askForZones(this.#requireState().plan.standings, "unanswered");
      if (!this.#options.transient) await saveSettings(stateDir, this.#options.settings);
      this.#phase = "ready";
      this.#ready.resolve();
      log.info("Ready", { apps: this.#state.plan.targets.size });
      this.questions.show(this.#machine.desktop);
      this.questions.follow(this.#clusters.sessions);
      this.#clusters.follow(() => this.#changeAfterNews());
      await using _network = followNetwork({
        ...{ machine: this.#machine, setup, clusters: this.#clusters, zones: this.#zones },
        ...{ findings: this.#findings, change: () => this.#change() },
        clockMs: this.#options.clockMs,
      });
      await using _apps = this.#options.transient ? null : this.#serveApps();
      await setup.run(signal);
      if (this.#failure !== null) throw this.#failure;
    } finally {
      this.#phase = "stopping";
      this.#stop.abort();
      await this.questions[Symbol.asyncDispose]();
      this.#alarm.stop();
      this.#ready.resolve();
      await this.#zones.close();
      await this.#changing;
      const setup = this.#setup;
      this.#setup = null;
      await setup?.[Symbol.asyncDispose]();
      await this.#clusters[Symbol.asyncDispose]();
    }
  }

  // What the control API reads and drives.

  status(): StatusV1 {
    return renderStatus({
      phase: this.#phase,
      startedMs: this.#startedMs,
      nowMs: this.#options.nowMs(),
      policy: this.#options.policy,
      sessions: this.#clusters.sessions,
      state: this.#state,
      setup: this.#setup,
      flowLog: this.#flowLog,
      findings: [...this.#findings.list(), ...this.#zones.findings],
      questions: this.questions.mfa.list(),
      logins: this.questions.logins.list(),
      privateRanges: this.#options.range === null
        ? privateRanges(this.#clusters.sources, this.#consent)
        : [],
    });
  }

  async ready(signal: AbortSignal): Promise<void> {
    await orAborted(this.#ready.promise, signal).catch(() => {}); // whoever asked has given up
  }

  settings(): UpSettings {
    return this.#options.settings;
  }

  apps(): AppsV1 {
    const views = this.#clusters.sessions.map(({ name, view }) => ({ proxy: name, view }));
    const { plan } = this.#requireState();
    return renderApps(views, plan, this.#setup?.names?.addresses ?? new Map());
  }

  connections(): ConnectionsV1 {
    return this.#flowLog.renderConnections(waitsFor(this.questions.mfa.list(), this.#clusters));
  }

  resolve(name: string, type: string): ResolveV1 {
    const names = this.#setup?.names ?? null;
    if (names === null) throw stillStarting();
    const { plan } = this.#requireState();
    return explainName(name, type, { table: names.table, plan }, "daemon");
  }

  zones(): ZonesV1 {
    return renderZones({
      standings: this.#requireState().plan.standings,
      words: this.#zones.words,
      findings: this.#zones.findings,
      source: "daemon",
    });
  }

  async decideZone(request: ZoneRequest): Promise<ZonesV1> {
    const { standings } = this.#requireState().plan;
    const logins = this.#clusters.sessions.map(zoneLoginOf);
    const change = decideZone(request, { standings, logins }, this.#options.nowMs());
    await this.#zones.decide(change);
    await this.#change();
    return this.zones();
  }

  async decideRange(word: RangeWord): Promise<void> {
    this.#rangeWords = withRangeWord(this.#rangeWords, word);
    await writeRangeWords(this.#options.paths.stateDir, this.#rangeWords);
    await this.#change();
  }

  async refresh(): Promise<void> {
    if (this.#firstLogin.look()) return;
    await this.#zones.load();
    await this.#clusters.refresh(this.#stop.signal);
    await this.#changeAfterNews();
  }

  async logInAgain(answer: LoginAnswer): Promise<LoginStep> {
    const { paths, drivers = DRIVERS } = this.#options;
    const earlier = this.#clusters.find(answer.proxy)?.profile ?? null;
    const { signal } = this.#stop;
    const step = await logInAgain(answer, earlier, { configDir: paths.configDir, drivers, signal });
    if (step.kind === "done") await this.refresh();
    return step;
  }

  down(restart = false): void {
    this.asked = restart ? "restart" : "end";
    this.#phase = "stopping";
    this.#stop.abort();
  }

  // How it begins.

  /** Names of zones that a TXT record grants are there from the start, where the resolvers answer soon. */
  async #askForZones(
    standings: Plan["standings"],
    scope: "all" | "unanswered",
  ): Promise<void> {
    this.#zones.follow(standings);
    const stop = new AbortController();
    await Promise.race([
      this.#zones.check(scope),
      pause(ZONES_MS, AbortSignal.any([stop.signal, this.#stop.signal])),
    ]);
    stop.abort();
    await this.#changing;
  }

  #requireState(): State {
    if (this.#state !== null) return this.#state;
    throw stillStarting();
  }

  async #open(): Promise<Setup> {
    const { helper, link, dnsMode, policy, paths, nowMs } = this.#options;
    await using undo = new AsyncDisposableStack();
    const setup = undo.use(
      await Setup.open({
        machine: this.#machine,
        helper,
        link,
        addressesWith: (granted) => {
          this.#granted = granted;
          const { link } = this.#compile();
          if (link === null) throw nothingKnown(this.#clusters.sessions);
          return link;
        },
        dnsMode,
        policy,
        dialer: this.#options.dialerOver?.(this.#dialer) ?? this.#dialer,
        flowLog: this.#flowLog,
        stateDir: this.#options.transient ? null : paths.stateDir,
        nowMs,
        onEvent: (event) => this.#onHelperEvent(event),
        onRangeLeft: () => void this.#change(),
      }),
    );
    this.#setup = setup;
    try {
      const first = this.#changing.then(() => setup.apply(this.#compile())); // Whether there is IPv6 is known now.
      this.#changing = first.catch(() => {});
      await first;
    } catch (thrown) {
      this.#setup = null;
      throw thrown;
    }
    undo.move();
    return setup;
  }

  /** For programs that need no device. */
  #serveApps(): AsyncDisposable {
    const { paths, policy, nowMs } = this.#options;
    const opener = new AppOpener({
      plan: () => this.#state?.plan ?? { targets: new Map() },
      sources: () => this.#clusters.sources,
      dialer: this.#dialer,
    });
    return serveApps({
      path: paths.appSocket,
      opener,
      flowLog: this.#flowLog,
      ownerUid: policy.ownerUid,
      nowMs,
    });
  }

  // Compile, then apply.

  get #consent(): RangeConsent {
    return { words: this.#rangeWords, granted: this.#granted };
  }

  #compile(): State {
    const { range, nowMs } = this.#options;
    this.#state = compileState(this.#requireState(), {
      sources: this.#clusters.sources,
      logins: this.#clusters.sessions.map(loginFacts),
      range,
      zones: this.#zones.knowledge,
      consent: this.#consent,
      machine: this.#setup?.facts ??
        { foreign: foreignOf(this.#machine, null), hasIpv6: true, allDns: false },
      nowMs: nowMs(),
    });
    if (!this.#stop.signal.aborted) this.#alarm.set(this.#state.nextMs);
    return this.#state;
  }

  /** Compiles anew and applies what is different: one change at a time, and one more that waits. */
  #change(): Promise<void> {
    this.#waiting ??= this.#changing.then(() => {
      this.#waiting = null;
      return this.#changeNow();
    });
    this.#changing = this.#waiting;
    return this.#waiting;
  }

  async #changeNow(): Promise<void> {
    if (this.#setup === null || this.#stop.signal.aborted) return;
    await this.#saveViews();
    try {
      const state = this.#compile();
      this.questions.follow(this.#clusters.sessions);
      this.#zones.follow(state.plan.standings);
      await this.#setup.apply(state);
      this.#findings.clear("apply-failed");
      this.#retryMs = RETRY_MIN_MS;
    } catch (thrown) {
      this.#findings.note({ code: "apply-failed", message: describeError(thrown) });
      log.error("Cannot apply a change", { error: describeError(thrown) });
      const retryAtMs = this.#options.nowMs() + this.#retryMs;
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
      this.#alarm.set(Math.min(this.#state?.nextMs ?? Infinity, retryAtMs));
    }
  }

  /** A cluster has spoken: it may have changed its mind about what it refused. */
  #changeAfterNews(): Promise<void> {
    if (this.#state !== null) {
      this.#state = { ...this.#state, troubles: forgetRefusals(this.#state.troubles) };
    }
    this.#hasNews = true;
    return this.#change();
  }

  /** Keeps what the clusters said for the next start; one that cannot does without. */
  async #saveViews(): Promise<void> {
    if (!this.#hasNews || this.#options.transient) return;
    try {
      await this.#clusters.save();
      this.#hasNews = false;
      this.#findings.clear("state-unsaved");
    } catch (thrown) {
      this.#findings.note({ code: "state-unsaved", message: describeError(thrown) });
      log.error("Cannot keep what the clusters said", { error: describeError(thrown) });
    }
  }

  #noteRefusal(appId: string, code: string): void {
    if (this.#state === null) return;
    const troubles = noteRefusal(this.#state.troubles, appId, code, this.#options.nowMs());
    if (troubles === this.#state.troubles) return;
    this.#state = { ...this.#state, troubles };
    void this.#change();
  }

  #onHelperEvent(event: HelperEvent): void {
    switch (event.kind) {
      case "upstreams":
        this.#setup?.setUpstreams(event.upstreams);
        log.info("The machine's resolvers changed");
        void this.#zones.check("all");
        return;
      case "warning": {
        const { kind: _, ...finding } = event;
        this.#findings.note(finding);
        log.warning("The machine was changed", { code: event.code, message: event.message });
        return;
      }
      case "lost":
        // Whoever guards the helper takes the machine's settings back; half of vnet would only mislead.
        if (this.#phase === "stopping") return;
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
}
