/**
 * Takes events on to where others keep them. The store is the queue: what is not taken yet is read from there, after
 * a restart too, and as far back as the store goes.
 *
 * @module
 */
import { describeError } from "../../../error.ts";
import { getLogger } from "../../../log.ts";
import { pause, withDeadline } from "../../../wait.ts";
import type { Store } from "../../store/mod.ts";
import type { Changes } from "../changes.ts";
import type { AuditSink } from "../types.ts";
import { withSeq } from "./audit.ts";

const log = getLogger("server", "auth");

/** The most events at a time. */
const BATCH = 256;
const SEND_MS = 15_000;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 60_000;

/** Takes every event to one sink, in order, at least once. */
export class AuditForwarder {
  readonly #options: ForwarderOptions;
  readonly #key: string;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;

  /** Begins with what is recorded from here on; a sink that is known goes on where it was. */
  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#key = `audit_sink ${options.sink.name}`;
    this.#running = this.#run();
  }

  /** Begins with each of several sinks. */
  static startAll(
    sinks: readonly AuditSink[],
    { store, events }: Omit<ForwarderOptions, "sink">,
  ): readonly AuditForwarder[] {
    return sinks.map((sink) => new AuditForwarder({ sink, store, events }));
  }

  /** Ends at once: what was not taken yet is taken after the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    this.#options.sink.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const { sink } = this.#options;
    let retryMs = RETRY_MIN_MS;
    while (!signal.aborted) {
      try {
        if (!await this.#forward(signal)) continue;
        if (retryMs > RETRY_MIN_MS) log.info("Audit events are taken again", { sink: sink.name });
        retryMs = RETRY_MIN_MS;
      } catch (thrown) {
        if (signal.aborted) return;
        // Once when it begins: the cause hardly changes from one try to the next
        const words = { sink: sink.name, error: describeError(thrown) };
        if (retryMs === RETRY_MIN_MS) {
          log.warning("Audit events cannot be taken on; they wait", words);
        }
        await pause(retryMs * (0.5 + Math.random() / 2), signal);
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      }
    }
  }

  /** @returns Whether there was anything; without, it has waited for something. */
  async #forward(signal: AbortSignal): Promise<boolean> {
    const { sink, store, events } = this.#options;
    const revision = events.revision();
    const taken = await this.#taken();
    const waiting = await store.events.after(taken, BATCH);
    const [first] = waiting;
    if (first === undefined) {
      await events.after(revision, signal);
      return false;
    }
    const records = waiting.map(({ seq, body }) => withSeq(seq, body));
    await withDeadline(SEND_MS, signal, (signal) => sink.send(records, signal));
    await store.settings.set(this.#key, String(waiting.at(-1)!.seq));
    const lost = first.seq - taken - 1;
    if (lost > 0) {
      log.error("Audit events were forgotten before they were taken on", { sink: sink.name, lost });
    }
    return true;
  }

  /** The number of the last event that the sink has. */
  async #taken(): Promise<number> {
    const { store } = this.#options;
    const known = await store.settings.get(this.#key);
    if (known !== null) return Number(known);
    const [newest] = await store.events.newest(1);
    return Number(await store.settings.setOnce(this.#key, String(newest?.seq ?? 0)));
  }
}

interface ForwarderOptions {
  readonly sink: AuditSink;
  readonly store: Pick<Store, "events" | "settings">;
  /** Notified after every write. */
  readonly events: Pick<Changes, "revision" | "after">;
}
