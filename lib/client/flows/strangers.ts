import { getLogger } from "../../log.ts";
import type { SynEvent } from "../../os/mod.ts";
import { printable } from "./printable.ts";

const log = getLogger("client", "strangers");

/** Who was refused, as far as that is known. */
interface Stranger {
  /** `null` for a connection no local socket owns. */
  readonly uid: number | null;
  /** The connecting program's file; `null` if it was not found in time, or not looked for. */
  readonly program: string | null;
}

/** Finds the program that a connection belongs to. */
export type ProgramFinder = (syn: SynEvent) => Promise<string | null>;

/** Looking through all processes is work that strangers must not be able to order at will. */
const FIND_EVERY_MS = 250;
const FINDS_AT_ONCE = 8;
/** The refused program waits for its answer meanwhile. */
const FIND_MS = 200;
const MAX_UIDS = 256;
const TELL_EVERY_MS = 60_000;

interface Tally {
  total: number;
  untold: number;
  toldMs: number;
}

/** Counts who is refused for whose they are, finds out what they run, and tells the log now and then. */
export class Strangers {
  readonly #find: ProgramFinder;
  readonly #tallies = new Map<number | null, Tally>();
  #isFinding = false;
  /** When the last of {@link FINDS_AT_ONCE} searches in a row will be made up for. */
  #paidMs = 0;

  constructor(find: ProgramFinder) {
    this.#find = find;
  }

  /** Notes one refused connection. To be called while it still waits: afterwards its program may be gone. */
  async meet(syn: SynEvent, nowMs: number): Promise<Stranger> {
    const { uid } = syn;
    this.#count(uid, nowMs);
    const program = await this.#programOf(syn, nowMs);
    log.debug("Refused a stranger", { uid, program, port: syn.destination.port });
    return { uid, program };
  }

  /** Refused connections by user, most first; `uid` is absent for those without a local socket. */
  render(): { uid?: number; total: number }[] {
    return [...this.#tallies]
      .map(([uid, { total }]) => ({ ...(uid === null ? {} : { uid }), total }))
      .sort((a, b) => b.total - a.total || (a.uid ?? -1) - (b.uid ?? -1));
  }

  #count(uid: number | null, nowMs: number): void {
    let tally = this.#tallies.get(uid);
    if (tally === undefined) {
      if (this.#tallies.size >= MAX_UIDS) return; // the total of all refusals still counts it
      tally = { total: 0, untold: 0, toldMs: -Infinity };
      this.#tallies.set(uid, tally);
    }
    tally.total++;
    tally.untold++;
    if (nowMs - tally.toldMs < TELL_EVERY_MS) return;
    log.warning("Refused connections of another user's programs", { uid, count: tally.untold });
    tally.toldMs = nowMs;
    tally.untold = 0;
  }

  async #programOf(syn: SynEvent, nowMs: number): Promise<string | null> {
    const paidMs = Math.max(this.#paidMs, nowMs) + FIND_EVERY_MS;
    const isTooSoon = paidMs > nowMs + FINDS_AT_ONCE * FIND_EVERY_MS;
    if (syn.uid === null || this.#isFinding || isTooSoon) return null;
    this.#isFinding = true;
    this.#paidMs = paidMs;
    const late = Promise.withResolvers<null>();
    const timer = setTimeout(() => late.resolve(null), FIND_MS);
    const finding = this.#find(syn).catch((thrown) => {
      log.debug("Cannot find a program", { error: String(thrown) });
      return null;
    }).finally(() => this.#isFinding = false);
    try {
      const program = await Promise.race([finding, late.promise]);
      return program && printable(program);
    } finally {
      clearTimeout(timer);
    }
  }
}
