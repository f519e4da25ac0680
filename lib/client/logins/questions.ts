import type { Desktop } from "../../os/mod.ts";
import type { Session } from "../cluster/session.ts";
import { Bell } from "../mfa/bell.ts";
import { MfaDesk } from "../mfa/desk.ts";
import { standingOf } from "./again.ts";
import { LoginDesk } from "./desk.ts";
import { showQuestions } from "./notices.ts";

/** All that a daemon asks of a person: codes for apps, and logins in place of those that are over. */
export class Questions implements AsyncDisposable {
  readonly #bell = new Bell();
  readonly #ending = new AbortController();
  readonly #isReached: boolean;
  #showing: Promise<void> = Promise.resolve();
  readonly mfa: MfaDesk;
  readonly logins: LoginDesk;

  /** @param isReached Whether other shells reach the daemon: otherwise only its own terminal is asked, for codes. */
  constructor(nowMs: () => number, { isReached = true } = {}) {
    this.#isReached = isReached;
    this.mfa = new MfaDesk(nowMs, { bell: this.#bell });
    this.logins = new LoginDesk(nowMs, { bell: this.#bell });
  }

  /** Grows with every question that comes or goes. */
  get revision(): number {
    return this.#bell.revision;
  }

  /** Waits until the revision is another one, or the signal fires. */
  changed(revision: number, signal: AbortSignal): Promise<void> {
    return this.#bell.changed(revision, signal);
  }

  /** Shows what waits on the desktop from here on. */
  show(desktop: Desktop): void {
    if (!this.#isReached) return;
    const desks = { bell: this.#bell, mfa: this.mfa, logins: this.logins };
    this.#showing = showQuestions(desktop, desks, this.#ending.signal);
  }

  /** Is told how the logins stand. */
  follow(sessions: readonly Session[]): void {
    if (this.#isReached) this.logins.follow(sessions.map(standingOf));
  }

  /** Waits for the next login in place of one that is over; returns at once if it is not, or no login mends it. */
  async awaitLogin(session: Session, signal: AbortSignal): Promise<void> {
    const standing = standingOf(session);
    if (this.#isReached && standing.over !== null) await this.logins.wait(standing, signal);
  }

  /** Ends what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.logins.close();
    this.mfa.close();
    this.#ending.abort();
    await this.#showing;
  }
}
