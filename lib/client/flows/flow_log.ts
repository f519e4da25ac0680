/**
 * What became of the connections, kept in bounded memory: counters, the open ones, the latest refusals.
 *
 * @module
 */
import type { StatusV1 } from "../../status/mod.ts";

const MAX_FAILURES = 20;
const MAX_STRANGERS = 10;
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
interface FlowFailure {
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
  readonly #strangers: FlowFailure[] = [];
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
    refusal: Pick<FlowFailure, "atMs" | "code" | "message">,
  ): void {
    this.#refuse(entry);
    const failure = { ...placeOf(entry), ...refusal, program: null };
    const keys = ["name", "port", "code", "message", "uid"] as const;
    note(this.#failures, failure, keys, MAX_FAILURES);
  }

  /** Notes a refusal of somebody else's program, wherever it went: strangers must not crowd out the owner's. */
  refusedStranger(
    entry: FlowEntry,
    refusal: Pick<FlowFailure, "atMs" | "code" | "message" | "program">,
  ): void {
    this.#refuse(entry);
    const failure = { ...placeOf(entry), ...refusal };
    note(this.#strangers, failure, ["code", "uid", "program"], MAX_STRANGERS);
  }

  /** The public form, newest refusal first. */
  render(): StatusV1["connections"] {
    const flows = [...this.#flows];
    const recent = [...this.#failures, ...this.#strangers].reverse().sort((a, b) =>
      b.atMs - a.atMs
    );
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
      recent_failures: recent.map((failure) => ({
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

  #refuse(entry: FlowEntry): void {
    this.#flows.delete(entry);
    this.#refused++;
  }
}

function placeOf({ name, port, uid }: FlowEntry): Pick<FlowFailure, "name" | "port" | "uid"> {
  return { name, port, uid };
}

/** Puts a failure last, in the place of one that is the same by these keys. */
function note(
  failures: FlowFailure[],
  failure: Omit<FlowFailure, "count">,
  keys: readonly (keyof typeof failure)[],
  most: number,
): void {
  const same = failures.findIndex((known) => keys.every((key) => known[key] === failure[key]));
  const [known] = same < 0 ? [] : failures.splice(same, 1);
  failures.push({ ...failure, count: (known?.count ?? 0) + 1 });
  if (failures.length > most) failures.shift();
}
