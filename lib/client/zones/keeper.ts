/**
 * What a running daemon knows about whose the zones are, kept fresh: decisions as they are made, TXT records by asking
 * for them again and again.
 *
 * @module
 */
import type { DomainName } from "../../dns/mod.ts";
import { describeError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import {
  believedProof,
  nextQuestionMs,
  noteOutcome,
  NOTHING_SAID,
  type TxtOutcome,
  type ZoneKnowledge,
  type ZoneRecord,
  type ZoneStanding,
  type ZoneWord,
} from "../../plan/mod.ts";
import { DeadlinePassed, orAborted, withDeadline } from "../../wait.ts";
import { Alarm } from "../alarm.ts";
import type { Finding } from "../daemon/findings.ts";
import type { Paths } from "../paths.ts";
import {
  type AdminFile,
  MAX_RECORDS,
  readAdminFile,
  readRecords,
  readWords,
  writeRecords,
  writeWords,
} from "./files.ts";

const log = getLogger("client", "zones");

/** How many zones are asked about at a time, and how long one question may take. */
const AT_A_TIME = 8;
const QUESTION_MS = 5_000;

export interface ZoneKeeperOptions {
  readonly paths: Pick<Paths, "configDir" | "stateDir">;
  readonly nowMs: () => number;
  /** Asks the resolvers this machine had before us for the TXT records of a zone. */
  readonly ask: (zone: DomainName) => Promise<TxtOutcome>;
  /** Called when zones may have become somebody else's. */
  readonly onChange: () => void;
  /** Whether what records say is kept on the disk; true if not given. */
  readonly keepsRecords?: boolean;
  /** The usual one if not given. */
  readonly readAdmin?: () => Promise<AdminFile>;
}

/** Which zones are asked about: those whose time has come; those that nobody answered for, too; all. */
const SCOPES = ["due", "unanswered", "all"] as const;
type Scope = typeof SCOPES[number];

/** Everything that is known about whose the zones are. */
export class ZoneKeeper {
  readonly #options: ZoneKeeperOptions;
  readonly #alarm: Alarm;
  readonly #stop = new AbortController();
  #words: readonly ZoneWord[] = [];
  #damage: Finding | null = null;
  #admin: AdminFile = { grants: [], refusal: null };
  readonly #records = new Map<DomainName, ZoneRecord>();
  /** The zones that are asked about. */
  #wanted: readonly DomainName[] = [];
  /** One round at a time, and one more that waits. */
  #round: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;
  /** What the next round asks about. */
  #scope: Scope = "due";
  /** What records said when the last plan was made: they also say less as time goes by. */
  #told = "";

  constructor(options: ZoneKeeperOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.nowMs, () => void this.check());
  }

  /** Reads what is on disk. Decisions that cannot be read are a finding, and grants nobody has then. */
  async load(): Promise<void> {
    const { paths, readAdmin = readAdminFile } = this.#options;
    this.#admin = await readAdmin();
    try {
      this.#words = await readWords(paths);
      this.#damage = null;
    } catch (thrown) {
      this.#damage = { code: "zones-damaged", message: describeError(thrown) };
      log.error("Cannot read the decisions about zones", { error: describeError(thrown) });
    }
    if (this.#records.size > 0) return;
    for (const record of await readRecords(paths)) this.#records.set(record.suffix, record);
  }

  /** What is known at this moment. */
  get knowledge(): ZoneKnowledge {
    if (this.#damage !== null) return NOTHING_SAID;
    const nowMs = this.#options.nowMs();
    const proofs = [...this.#records.values()].map((record) =>
      [record.suffix, believedProof(record, nowMs)] as const
    );
    return { words: this.#words, admin: this.#admin.grants, proofs: new Map(proofs) };
  }

  get words(): readonly ZoneWord[] {
    return this.#words;
  }

  get findings(): readonly Finding[] {
    return [this.#damage, this.#admin.refusal].filter((finding) => finding !== null);
  }

  /** Remembers decisions. @throws VnetError `zones-damaged`, OsError `file-unwritable` */
  async decide(change: (words: readonly ZoneWord[]) => readonly ZoneWord[]): Promise<void> {
    const words = change(await readWords(this.#options.paths));
    await writeWords(this.#options.paths, words);
    this.#words = words;
    this.#damage = null;
  }

  /** Says what was made of what is known: zones that a TXT record decides about are asked about from here on. */
  follow(standings: readonly ZoneStanding[]): void {
    this.#wanted = zonesToAsk(standings);
    for (const suffix of this.#records.keys()) {
      if (!this.#wanted.includes(suffix)) this.#records.delete(suffix);
    }
    this.#told = this.#said();
    this.#schedule();
  }

  /**
   * Asks about zones; about all of them when the network is another.
   *
   * @returns When it is done, and who has to know was told.
   */
  check(scope: Scope = "due"): Promise<void> {
    if (SCOPES.indexOf(scope) > SCOPES.indexOf(this.#scope)) this.#scope = scope;
    this.#next ??= this.#round.then(() => {
      this.#next = null;
      return this.#ask();
    });
    this.#round = this.#next;
    return this.#next;
  }

  /** Asks nothing more. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#alarm.stop();
    await this.#round;
  }

  async #ask(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const nowMs = this.#options.nowMs();
    const scope = this.#scope;
    this.#scope = "due";
    const due = this.#wanted.filter((suffix) => {
      const record = this.#records.get(suffix);
      if (scope === "all" || record === undefined) return true;
      const isOpen = scope === "unanswered" && record.failure !== null;
      return isOpen || nextQuestionMs(record, nowMs) <= nowMs;
    });
    const queue = [...due];
    const worker = async () => {
      for (let suffix = queue.shift(); suffix !== undefined; suffix = queue.shift()) {
        await this.#askOne(suffix);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    if (this.#stop.signal.aborted) return;
    if (due.length > 0) await this.#save();
    this.#schedule();
    if (this.#said() !== this.#told) this.#options.onChange();
  }

  async #save(): Promise<void> {
    if (this.#options.keepsRecords === false) return;
    await writeRecords(this.#options.paths, [...this.#records.values()]).catch((thrown) => {
      log.warning("Cannot keep what TXT records say", { error: describeError(thrown) });
    });
  }

  async #askOne(suffix: DomainName): Promise<void> {
    const outcome = await withDeadline(
      QUESTION_MS,
      this.#stop.signal,
      (signal) => orAborted(this.#options.ask(suffix), signal),
    ).catch((thrown): TxtOutcome => ({ kind: "failed", why: whyFailed(thrown) }));
    if (this.#stop.signal.aborted || !this.#wanted.includes(suffix)) return;
    const known = this.#records.get(suffix) ?? null;
    this.#records.set(suffix, noteOutcome(known, suffix, outcome, this.#options.nowMs()));
    log.debug("Asked about a zone", { suffix, ...outcome });
  }

  #schedule(): void {
    if (this.#stop.signal.aborted) return;
    const nowMs = this.#options.nowMs();
    const times = this.#wanted.map((suffix) => {
      const record = this.#records.get(suffix);
      return record === undefined ? nowMs : nextQuestionMs(record, nowMs);
    });
    this.#alarm.set(times.length === 0 ? null : Math.min(...times));
  }

  /** What a plan depends on, as text. */
  #said(): string {
    return JSON.stringify([...this.knowledge.proofs].sort(([a], [b]) => a < b ? -1 : 1));
  }
}

/** Those that it makes a difference for what their records say. */
export function zonesToAsk(standings: readonly ZoneStanding[]): readonly DomainName[] {
  const wanted = standings.filter(({ state, by, refusal }) => {
    if (state === "served") return by === "txt";
    return state !== "denied" && (state !== "refused" || refusal === "outvoted");
  });
  return [...new Set(wanted.map(({ suffix }) => suffix as DomainName))].slice(0, MAX_RECORDS);
}

function whyFailed(thrown: unknown): string {
  return thrown instanceof DeadlinePassed ? "the resolver does not answer" : describeError(thrown);
}
