/**
 * What became of the connections, kept in bounded memory: counters, the open ones, the latest refusals.
 *
 * @module
 */
import { getLogger } from "../../log.ts";
import type { SocketHolder } from "../../os/mod.ts";
import { toldError } from "../../refusal/mod.ts";
import type { ConnectionsV1, StatusV1 } from "../../status/mod.ts";
import type { Flow, FlowSummary } from "../cluster/driver.ts";
import {
  type FlowApp,
  type FlowFact,
  FlowFacts,
  type FlowPlace,
  type WaitsFor,
} from "./flow_facts.ts";

const log = getLogger("client", "flows");

const MAX_FAILURES = 20;
const MAX_STRANGERS = 10;
const MAX_LISTED_FLOWS = 200;

/** Where a connection goes, and whose it is; `app` is `null` if it leads to none. */
export type FlowStart = Omit<FlowPlace, "app"> & { readonly app: FlowApp | null };

/** A connection while it lasts. */
export interface FlowEntry {
  readonly name: string;
  readonly port: number;
  readonly uid: number | null;
  readonly sinceMs: number;
  /** What is kept of it; `null` where there is no app. */
  readonly fact: FlowFact | null;
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

/** Told of every refusal of the owner's programs as it happens. */
export type OnRefused = (
  refusal: Pick<FlowFailure, "name" | "port" | "code" | "message">,
) => void;

/** Counts connections and remembers the latest refusals. */
export class FlowLog {
  readonly #onRefused: OnRefused | null;
  readonly #flows = new Set<FlowEntry>();
  readonly #facts = new FlowFacts();
  readonly #failures: FlowFailure[] = [];
  readonly #strangers: FlowFailure[] = [];
  #opened = 0;
  #refused = 0;
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(onRefused: OnRefused | null = null) {
    this.#onRefused = onRefused;
  }

  /** Notes one that begins. A stranger's has no app: it says nothing about one. */
  begin(start: FlowStart, sinceMs: number): FlowEntry {
    const { name, port, uid, app } = start;
    const fact = app === null ? null : this.#facts.begin({ ...start, app }, sinceMs);
    const entry: FlowEntry = { name, port, uid, sinceMs, fact, open: false };
    this.#flows.add(entry);
    return entry;
  }

  /** Notes whose program it is. */
  heldBy({ fact }: FlowEntry, holder: SocketHolder): void {
    if (fact !== null) fact.holder = holder;
  }

  /** @param flow Counts its bytes while it lasts. */
  opened(entry: FlowEntry, flow: Flow): void {
    entry.open = true;
    this.#opened++;
    if (entry.fact !== null) this.#facts.opened(entry.fact, flow);
  }

  /**
   * Notes the end of one that was open; one that the other end cut, saying why, is refused by that.
   *
   * @param summary `null` if nobody could say how it ended.
   */
  ended(entry: FlowEntry, summary: FlowSummary | null, atMs: number): void {
    this.#flows.delete(entry);
    if (entry.fact !== null) this.#facts.ended(entry.fact, summary, atMs);
    this.#sentBytes += summary?.sentBytes ?? entry.fact?.sentBytes ?? 0;
    this.#receivedBytes += summary?.receivedBytes ?? entry.fact?.receivedBytes ?? 0;
    if (summary?.code === undefined) return;
    const { code, message } = toldError(summary.code, "The connection was cut");
    this.refused(entry, { atMs, code, message });
    log.info("A connection was cut", { code });
  }

  /** Notes the end of one whose program gave up before it was open. */
  cancelled(entry: FlowEntry): void {
    this.#flows.delete(entry);
    if (entry.fact !== null) this.#facts.cancelled(entry.fact);
  }

  /** Notes a refusal. One that repeats itself takes no second place from the others. */
  refused(
    entry: FlowEntry,
    refusal: Pick<FlowFailure, "atMs" | "code" | "message">,
  ): void {
    this.#refuse(entry);
    if (entry.fact !== null) this.#facts.failed(entry.fact, refusal, refusal.atMs);
    const failure = { ...placeOf(entry), ...refusal, program: null };
    const keys = ["name", "port", "code", "message", "uid"] as const;
    note(this.#failures, failure, keys, MAX_FAILURES);
    this.#onRefused?.(failure);
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
      sent_bytes: flows.reduce(
        (sum, { fact }) => sum + (fact?.flow?.sentBytes ?? 0),
        this.#sentBytes,
      ),
      received_bytes: flows.reduce(
        (sum, { fact }) => sum + (fact?.flow?.receivedBytes ?? 0),
        this.#receivedBytes,
      ),
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

  /** Every connection that is kept, in public form. @param waitsFor What somebody has to do before one can open. */
  renderConnections(waitsFor: (place: FlowPlace) => WaitsFor | null): ConnectionsV1 {
    return { schema: "vnet.connections/1", ...this.#facts.render(waitsFor) };
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
