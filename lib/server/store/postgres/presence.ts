/**
 * The one connection that is always open: by it is known whether the database is there, that no other server serves
 * from it, and what others change in it.
 *
 * @module
 */
// @ts-types="@types/pg"
import pg from "pg";
import type { PostgresConfig } from "../../../config/mod.ts";
import { OsError } from "../../../error.ts";
import { getLogger } from "../../../log.ts";
import { pause } from "../../../wait.ts";
import type { Row } from "../rows.ts";
import type { StoreTopic } from "../store.ts";
import { explain, formatPlace } from "./failure.ts";
import { LOCK_CLASS, SERVER_LOCK } from "./keys.ts";

const log = getLogger("server", "store");

/** How often it is looked what has changed, should no notification come. */
const POLL_MS = 2_000;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;
/** How long whoever starts waits for the lock of one who has just been killed. */
const TAKEOVER_MS = 1_000;
const CLOSE_MS = 1_000;

const TOPICS: readonly StoreTopic[] = ["resources", "sessions", "agents", "trusts", "events"];

/** Who holds the lock of the server that serves. */
const HOLDER =
  "SELECT a.pid, a.application_name AS name, host(a.client_addr) AS address, a.backend_start::text AS since" +
  " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted" +
  ` AND l.classid = ${LOCK_CLASS} AND l.objid = ${SERVER_LOCK}` +
  " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

type Watcher = (topics: ReadonlySet<StoreTopic>) => void;

/** Whether the database can be used, from one moment to the next. */
export class Presence {
  readonly #options: pg.ClientConfig;
  readonly #config: PostgresConfig;
  readonly #isSole: boolean;
  readonly #watchers = new Set<Watcher>();
  readonly #closing = new AbortController();
  /** The sums of what others have changed, by topic, as they were seen last. */
  readonly #seen = new Map<string, string>();
  #running: Promise<void> = Promise.resolve();
  /** Why the database cannot be used; `null`: it can. */
  #trouble: OsError | null = null;
  #back = Promise.withResolvers<void>();

  private constructor(options: pg.ClientConfig, config: PostgresConfig, isSole: boolean) {
    this.#options = options;
    this.#config = config;
    this.#isSole = isSole;
  }

  /**
   * Connects, once.
   *
   * @param isSole Whether no other server may serve from the database meanwhile.
   * @param prepare Makes the database what it has to be; called once nobody else serves from it.
   * @throws {OsError} `store-in-use`, and what `explain` finds.
   */
  static async open(
    options: pg.ClientConfig,
    config: PostgresConfig,
    { isSole, prepare }: { readonly isSole: boolean; prepare(): Promise<void> },
  ): Promise<Presence> {
    const presence = new Presence(options, config, isSole);
    const client = await presence.#connect(TAKEOVER_MS);
    try {
      await prepare();
      await presence.#poll(client);
    } catch (thrown) {
      await client.end();
      throw explain(thrown, config);
    }
    presence.#running = presence.#run(client);
    return presence;
  }

  watch(tell: Watcher, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#watchers.add(tell);
    signal.addEventListener("abort", () => this.#watchers.delete(tell), { once: true });
  }

  /**
   * Waits until the database can be used.
   *
   * @throws {OsError} Why it cannot, when the signal has fired.
   */
  async ready(signal: AbortSignal): Promise<void> {
    while (this.#trouble !== null) {
      if (signal.aborted || this.#closing.signal.aborted) throw this.#trouble;
      const late = Promise.withResolvers<void>();
      const onAbort = () => late.resolve();
      signal.addEventListener("abort", onAbort, { once: true });
      await Promise.race([this.#back.promise, late.promise]);
      signal.removeEventListener("abort", onAbort);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#watchers.clear();
    await this.#running;
  }

  async #run(first: LiveClient): Promise<void> {
    const { signal } = this.#closing;
    let client: LiveClient | null = first;
    let retryMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      try {
        const isAgain = client === null;
        client ??= await this.#connect(0);
        this.#use();
        // Whoever could not read while it was away has to
        if (isAgain) this.#tell(new Set(TOPICS));
        retryMs = RETRY_MIN_MS;
        await this.#serve(client);
      } catch (thrown) {
        if (!signal.aborted) this.#lose(explain(thrown, this.#config));
      }
      await client?.end();
      client = null;
      await pause(retryMs * (0.5 + Math.random() / 2), signal);
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
    await client?.end();
  }

  #use(): void {
    if (this.#trouble === null) return;
    this.#trouble = null;
    log.info("The database is back", {});
    this.#back.resolve();
  }

  #lose(trouble: OsError): void {
    if (this.#trouble === null) {
      this.#back = Promise.withResolvers<void>();
      log.error("The database cannot be used; it is tried again", { error: trouble.message });
    }
    this.#trouble = trouble;
  }

  async #connect(takeoverMs: number): Promise<LiveClient> {
    const client = new LiveClient(this.#options);
    try {
      await client.connect();
      if (this.#isSole) await this.#takeLock(client, takeoverMs);
      await client.query("LISTEN vnet_changes");
      return client;
    } catch (thrown) {
      await client.end();
      throw explain(thrown, this.#config);
    }
  }

  async #takeLock(client: LiveClient, takeoverMs: number): Promise<void> {
    // Should this machine die, the lock is free as soon as the database has noticed
    await client.query(
      "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3",
    );
    const untilMs = performance.now() + takeoverMs;
    for (;;) {
      const sql = `SELECT pg_try_advisory_lock(${LOCK_CLASS}, ${SERVER_LOCK}) AS is_taken`;
      if ((await client.query(sql))[0]?.["is_taken"] === true) return;
      const [holder] = await client.query(HOLDER);
      // A connection of this very store that the database takes for alive
      if (holder?.["name"] === this.#options.application_name) {
        await client.query(`SELECT pg_terminate_backend(${Number(holder?.["pid"])})`);
      } else if (performance.now() >= untilMs) {
        throw this.#inUse(holder);
      }
      await pause(100, this.#closing.signal);
    }
  }

  #inUse(holder: Row | undefined): OsError {
    const who = holder === undefined
      ? "another server"
      : `"${holder["name"]}" (${holder["address"] ?? "this machine"}, since ${holder["since"]})`;
    return new OsError(
      "store-in-use",
      `Cannot use the store as ${formatPlace(this.#config)}: ${who} serves from it`,
      {
        call: "pg_try_advisory_lock",
        errno: "EBUSY",
        hint: "One server uses a database at a time: stop the other one first",
      },
    );
  }

  /** Tells of changes until the connection is lost, which is thrown, or closed. */
  async #serve(client: LiveClient): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#poll(client);
      await client.woken(POLL_MS, signal);
    }
  }

  async #poll(client: LiveClient): Promise<void> {
    const rows = await client.query(
      "SELECT topic, sum(n)::text AS n FROM change_counts WHERE writer <> current_setting('application_name')" +
        " GROUP BY topic",
    );
    const changed = new Set<StoreTopic>();
    for (const topic of TOPICS) {
      const n = String(rows.find((row) => row["topic"] === topic)?.["n"] ?? 0);
      if (this.#seen.has(topic) && this.#seen.get(topic) !== n) changed.add(topic);
      this.#seen.set(topic, n);
    }
    if (changed.size > 0) this.#tell(changed);
  }

  #tell(topics: ReadonlySet<StoreTopic>): void {
    for (const tell of this.#watchers) tell(topics);
  }
}

/** A client whose loss is noticed, and which never throws into the void. */
class LiveClient {
  readonly #client: pg.Client;
  readonly #name: string;
  #lostBy: Error | null = null;
  #wake: (() => void) | null = null;
  #isWoken = false;

  constructor(options: pg.ClientConfig) {
    this.#client = new pg.Client(options);
    this.#name = options.application_name ?? "";
    this.#client.on("error", (error) => this.#lose(error));
    this.#client.on("end", () => this.#lose(new Error("Connection terminated")));
    this.#client.on("notification", ({ payload }) => {
      if (payload === this.#name) return;
      this.#isWoken = true;
      this.#wake?.();
    });
  }

  async connect(): Promise<void> {
    await this.#client.connect();
  }

  async query(sql: string): Promise<Row[]> {
    return (await this.#client.query(sql)).rows;
  }

  /** Waits for a notification of somebody else, so long. @throws When the connection is lost. */
  async woken(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const stop = new AbortController();
    const onAbort = () => stop.abort();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#wake = onAbort;
    try {
      // No race with a promise of the connection: each would be kept as long as the connection
      if (!this.#isWoken && this.#lostBy === null) await pause(ms, stop.signal);
      if (this.#lostBy !== null) throw this.#lostBy;
      this.#isWoken = false;
    } finally {
      this.#wake = null;
      signal.removeEventListener("abort", onAbort);
      stop.abort();
    }
  }

  #lose(error: Error): void {
    this.#lostBy ??= error;
    this.#wake?.();
  }

  /** Closes. Never rejects, and does not wait for a server that is silent. */
  async end(): Promise<void> {
    const stop = new AbortController();
    const ended = this.#client.end().catch(() => {});
    await Promise.race([ended, pause(CLOSE_MS, stop.signal)]);
    stop.abort();
    (this.#client as unknown as { connection: { stream: { destroy(): void } } })
      .connection.stream.destroy();
  }
}
