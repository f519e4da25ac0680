/**
 * Questions for the second factor: an app that wants one for each session waits here until somebody answers.
 *
 * @module
 */
import { UsageError, VnetError } from "../../error.ts";
import { refusalError } from "../../refusal/mod.ts";
import type { SessionProof } from "../cluster/driver.ts";
import { Bell } from "./bell.ts";

/** As long as a program's connection is held. */
const ANSWER_MS = 60_000;
/** The cluster counts wrong codes as well, and locks a login sooner or later. */
const MAX_WRONG = 3;
const MAX_QUESTIONS = 32;
/** So long a program that tries again and again is not asked about again. */
const DECLINED_MS = 10_000;

/** What is asked about: one port of an app, by one login. */
export interface MfaSubject {
  readonly app: string;
  readonly appId: string;
  readonly cluster: string;
  readonly port: number;
  readonly user: string;
}

/** A question that waits. */
export interface MfaQuestion extends MfaSubject {
  /** What people call it by: a small number, not used again soon. */
  readonly id: string;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Asks for a second factor. */
export interface SecondFactor {
  /**
   * Waits for a code, and tries it.
   *
   * @param attempt What the cluster says to a code.
   * @returns What the attempt gave.
   * @throws AuthError `mfa-declined`, `mfa-unanswered`, and what the last attempt threw
   */
  ask<T>(subject: MfaSubject, attempt: (proof: SessionProof) => Promise<T>): Promise<T>;
}

interface Waiting {
  readonly question: MfaQuestion;
  readonly attempt: (proof: SessionProof) => Promise<void>;
  readonly end: (error: VnetError) => void;
  wrong: number;
  isTrying: boolean;
}

/** The questions of one process, answered from any shell. */
export class MfaDesk implements SecondFactor {
  readonly #nowMs: () => number;
  readonly #answerMs: number;
  readonly #waiting = new Map<string, Waiting>();
  readonly #declined = new Map<string, number>();
  readonly #bell: Bell;
  #lastId = 0;
  #isClosed = false;

  /** @param bell Rings with every question that comes or goes. */
  constructor(nowMs: () => number, { answerMs = ANSWER_MS, bell = new Bell() } = {}) {
    this.#nowMs = nowMs;
    this.#answerMs = answerMs;
    this.#bell = bell;
  }

  /** Grows with every question that comes or goes. */
  get revision(): number {
    return this.#bell.revision;
  }

  /** Whether nothing will ever wait any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** What waits, oldest first. */
  list(): readonly MfaQuestion[] {
    return [...this.#waiting.values()].map(({ question }) => question);
  }

  /** Waits until the revision is another one, or the signal fires. */
  changed(revision: number, signal: AbortSignal): Promise<void> {
    return this.#bell.changed(revision, signal);
  }

  /** Ends what waits, questions and those who wait for them. */
  close(): void {
    this.#isClosed = true;
    for (const { question, end } of this.#waiting.values()) {
      end(refusalError("mfa-unanswered", `Cannot connect to "${question.app}"`, {
        state: "vnet ends",
      }));
    }
    this.#bell.close();
  }

  async ask<T>(subject: MfaSubject, attempt: (proof: SessionProof) => Promise<T>): Promise<T> {
    const what = `Cannot connect to "${subject.app}"`;
    const key = `${subject.appId}:${subject.port}`;
    const nowMs = this.#nowMs();
    if ((this.#declined.get(key) ?? -Infinity) > nowMs) throw refusalError("mfa-declined", what);
    this.#declined.delete(key);
    if (this.#isClosed) throw refusalError("mfa-unanswered", what, { state: "vnet ends" });
    if (this.#waiting.size >= MAX_QUESTIONS) {
      throw refusalError("mfa-unanswered", what, {
        state: `${MAX_QUESTIONS} questions for a second factor wait already`,
      });
    }
    const id = String(++this.#lastId);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const leave = () => {
      clearTimeout(timer);
      this.#waiting.delete(id);
      this.#bell.ring();
    };
    const waiting: Waiting = {
      question: { ...subject, id, sinceMs: nowMs, untilMs: nowMs + this.#answerMs },
      attempt: async (proof) => {
        resolve(await attempt(proof));
        leave();
      },
      end: (error) => {
        if (error.code === "mfa-declined") this.#noteDeclined(key);
        reject(error);
        leave();
      },
      wrong: 0,
      isTrying: false,
    };
    const timer = setTimeout(() => {
      // A code that is being tried is waited for: the cluster answers within a deadline of its own.
      if (!waiting.isTrying) waiting.end(refusalError("mfa-unanswered", what));
    }, this.#answerMs);
    this.#waiting.set(id, waiting);
    this.#bell.ring();
    return await promise;
  }

  /**
   * Answers with a code.
   *
   * @param id Which question; `null` for the oldest.
   * @returns What was asked.
   * @throws VnetError `mfa-nothing-waits`; what the cluster says to the code: `mfa-failed` and the like
   */
  async approve(totpCode: string, id: string | null): Promise<MfaQuestion> {
    const waiting = this.#find(id);
    if (waiting.isTrying) {
      throw new VnetError("mfa-nothing-waits", "A code for this question is being tried already", {
        hint: "Run `vnet mfa ls` to see what waits",
      });
    }
    waiting.isTrying = true;
    try {
      await waiting.attempt({ totpCode });
      return waiting.question;
    } catch (thrown) {
      if (!(thrown instanceof VnetError)) throw thrown;
      const isWrongCode = thrown.code === "mfa-failed" && ++waiting.wrong < MAX_WRONG;
      if (!isWrongCode || waiting.question.untilMs <= this.#nowMs()) waiting.end(thrown);
      throw thrown;
    } finally {
      waiting.isTrying = false;
    }
  }

  /** Says no. @param id Which question; `null` for the oldest. @throws VnetError `mfa-nothing-waits` */
  decline(id: string | null): MfaQuestion {
    const { question, end } = this.#find(id);
    end(refusalError("mfa-declined", `Cannot connect to "${question.app}"`));
    return question;
  }

  #find(id: string | null): Waiting {
    const [oldest] = this.#waiting.values();
    const found = id === null ? oldest : this.#waiting.get(id);
    if (found !== undefined) return found;
    const what = id === null ? "Nothing waits" : `No question "${id}" waits`;
    throw new UsageError("mfa-nothing-waits", `${what} for a second factor`, {
      hint: "Connect to the app first; `vnet mfa ls` shows what waits",
    });
  }

  #noteDeclined(key: string): void {
    if (this.#declined.size >= MAX_QUESTIONS) this.#declined.clear();
    this.#declined.set(key, this.#nowMs() + DECLINED_MS);
  }
}
