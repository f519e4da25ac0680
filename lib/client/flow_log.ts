/**
 * What became of the connections, kept in bounded memory: counters, the open ones, the latest refusals.
 *
 * @module
 */
import type { StatusV1 } from "../status/mod.ts";

const MAX_FAILURES = 20;
const MAX_LISTED_FLOWS = 200;

/** A connection while it lasts. */
export interface FlowEntry {
  readonly name: string;
  readonly port: number;
  readonly uid: number | null;
  readonly sinceMs: number;
  open: boolean;
}

/** One refused connection and why. */
export interface FlowFailure {
  readonly atMs: number;
  readonly name: string;
  readonly port: number;
  readonly code: string;
  readonly message: string;
  /** Whose program it was; `null` if that is not known. */
  readonly uid: number | null;
  readonly program: string | null;
  /** How often it happened alike; the time is the latest. */
  readonly count: number;
}

/** Counts connections and remembers the latest refusals. */
export class FlowLog {
  readonly #flows = new Set<FlowEntry>();
  readonly #failures: FlowFailure[] = [];
  #opened = 0;
  #refused = 0;
  #sentBytes = 0;
  #receivedBytes = 0;

  begin(name: string, port: number, uid: number | null, sinceMs: number): FlowEntry {
    const entry: FlowEntry = { name, port, uid, sinceMs, open: false };
    this.#flows.add(entry);
    return entry;
  }

  opened(entry: FlowEntry): void {
    entry.open = true;
    this.#opened++;
  }

  ended(entry: FlowEntry, sentBytes: number, receivedBytes: number): void {
    this.#flows.delete(entry);
    this.#sentBytes += sentBytes;
    this.#receivedBytes += receivedBytes;
  }

  /** Notes a refusal. One that repeats itself takes no second place from the others. */
  refused(
    entry: FlowEntry,
    refusal: Pick<FlowFailure, "atMs" | "code" | "message"> & { readonly program?: string | null },
  ): void {
    this.#flows.delete(entry);
    this.#refused++;
    const { name, port, uid } = entry;
    const failure = { name, port, uid, program: null, count: 1, ...refusal };
    const same = this.#failures.findIndex((known) => isAlike(known, failure));
    const [known] = same < 0 ? [] : this.#failures.splice(same, 1);
    this.#failures.push({
      ...failure,
      program: failure.program ?? known?.program ?? null,
      count: (known?.count ?? 0) + 1,
    });
    if (this.#failures.length > MAX_FAILURES) this.#failures.shift();
  }

  /** The public form, newest refusal first. */
  render(): StatusV1["connections"] {
    const flows = [...this.#flows];
    return {
      active: flows.filter((flow) => flow.open).length,
      opened_total: this.#opened,
      refused_total: this.#refused,
      sent_bytes: this.#sentBytes,
      received_bytes: this.#receivedBytes,
      flows: flows.slice(0, MAX_LISTED_FLOWS).map((flow) => ({
        name: flow.name,
        port: flow.port,
        state: flow.open ? "open" as const : "connecting" as const,
        since: new Date(flow.sinceMs).toISOString(),
        ...(flow.uid === null ? {} : { uid: flow.uid }),
      })),
      recent_failures: this.#failures.toReversed().map((failure) => ({
        at: new Date(failure.atMs).toISOString(),
        name: failure.name,
        port: failure.port,
        code: failure.code,
        message: failure.message,
        count: failure.count,
        ...(failure.uid === null ? {} : { uid: failure.uid }),
        ...(failure.program === null ? {} : { program: failure.program }),
      })),
    };
  }
}

/** The same failure again, by the same program as far as both are known. */
function isAlike(a: FlowFailure, b: FlowFailure): boolean {
  const isSame = (key: "name" | "port" | "code" | "message" | "uid") => a[key] === b[key];
  return (["name", "port", "code", "message", "uid"] as const).every(isSame) &&
    (a.program === b.program || a.program === null || b.program === null);
}
