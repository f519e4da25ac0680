/**
 * Logins that are over: whoever would connect by one waits here for the next login, and a person is asked once.
 *
 * @module
 */
import type { VnetError } from "../../error.ts";
import { readConnectionRefusal, refusalError } from "../../refusal/mod.ts";
import { orAborted } from "../../wait.ts";
import { Bell } from "../mfa/bell.ts";
import { loginCommand } from "../state/mod.ts";

/** As long as a program's connection is held. */
const HELD_MS = 60_000;
/** More are refused at once. */
const MAX_HELD = 256;

/** How a login stands, as far as a new one would mend it. */
export interface LoginStanding {
  /** The profile's name. */
  readonly proxy: string;
  readonly cluster: string;
  readonly user: string;
  /** The code it is refused with, if it is over and another would be good. */
  readonly over: string | null;
  /** The identity provider it was made with: no password helps. Absent where it was one. */
  readonly connector?: string;
}

/** A login that is asked for. */
export interface LoginQuestion {
  readonly proxy: string;
  readonly cluster: string;
  readonly user: string;
  readonly sinceMs: number;
  /** How many connections wait for it. */
  readonly waiting: number;
  /** As of {@link LoginStanding}. */
  readonly connector?: string;
}

interface Asked {
  readonly standing: LoginStanding;
  readonly sinceMs: number;
  readonly held: Set<PromiseWithResolvers<void>>;
  /** Somebody said no: who comes is refused, until there is another login all the same. */
  isDeclined: boolean;
}

/** The logins that a process asks for. */
export class LoginDesk {
  readonly #nowMs: () => number;
  readonly #heldMs: number;
  readonly #bell: Bell;
  readonly #asked = new Map<string, Asked>();
  #isClosed = false;

  /** @param bell Rings with every question that comes, goes, or has others wait for it. */
  constructor(nowMs: () => number, { heldMs = HELD_MS, bell = new Bell() } = {}) {
    this.#nowMs = nowMs;
    this.#heldMs = heldMs;
    this.#bell = bell;
  }

  /** What is asked for, by the profiles' names. */
  list(): readonly LoginQuestion[] {
    return [...this.#asked.values()].filter(({ isDeclined }) => !isDeclined)
      .map(({ standing: { proxy, cluster, user, connector }, sinceMs, held }) => ({
        ...{ proxy, cluster, user, sinceMs },
        waiting: held.size,
        ...(connector === undefined ? {} : { connector }),
      }))
      .sort((a, b) => a.proxy < b.proxy ? -1 : 1);
  }

  /** Is told how all logins stand: asks for those that are over, and lets go on who waited for one that is not. */
  follow(standings: readonly LoginStanding[]): void {
    const over = new Map(
      standings.filter(({ over }) => over !== null)
        .map((standing) => [standing.proxy, standing]),
    );
    for (const standing of over.values()) this.#ask(standing);
    for (const [proxy, asked] of [...this.#asked]) {
      if (over.has(proxy)) continue;
      this.#asked.delete(proxy);
      for (const { resolve } of asked.held) resolve();
      this.#bell.ring();
    }
  }

  /**
   * Waits for the next login in place of one that is over, or until that is gone altogether.
   *
   * @throws AuthError what it is refused with, when nobody logs in in time, when somebody said no
   */
  async wait(standing: LoginStanding, signal: AbortSignal): Promise<void> {
    const asked = this.#ask(standing);
    let count = 0;
    for (const { held } of this.#asked.values()) count += held.size;
    if (this.#isClosed || asked.isDeclined || count >= MAX_HELD) {
      throw refusalOf(standing);
    }
    const waiting = Promise.withResolvers<void>();
    const timer = setTimeout(() => waiting.reject(refusalOf(standing)), this.#heldMs);
    asked.held.add(waiting);
    this.#bell.ring();
    try {
      await orAborted(waiting.promise, signal);
    } finally {
      clearTimeout(timer);
      asked.held.delete(waiting);
      this.#bell.ring();
    }
  }

  /** Says no: nobody is asked for this login again. @returns Whether it was asked for. */
  decline(proxy: string): boolean {
    const asked = this.#asked.get(proxy);
    if (asked === undefined || asked.isDeclined) return false;
    asked.isDeclined = true;
    this.#refuse(asked);
    this.#bell.ring();
    return true;
  }

  /** Ends whoever waits. */
  close(): void {
    this.#isClosed = true;
    for (const asked of this.#asked.values()) this.#refuse(asked);
    this.#asked.clear();
    this.#bell.ring();
  }

  #ask(standing: LoginStanding): Asked {
    const known = this.#asked.get(standing.proxy);
    if (known !== undefined) return known;
    const asked = { standing, sinceMs: this.#nowMs(), held: new Set<never>(), isDeclined: false };
    if (this.#isClosed) return asked;
    this.#asked.set(standing.proxy, asked);
    this.#bell.ring();
    return asked;
  }

  #refuse({ held, standing }: Asked): void {
    for (const { reject } of held) reject(refusalOf(standing));
  }
}

/** What whoever would connect by a login that is over is told. */
function refusalOf(standing: LoginStanding): VnetError {
  const code = readConnectionRefusal(standing.over ?? "login-expired") ?? "login-expired";
  return refusalError(code, "Cannot connect", { hint: `Run \`${loginCommand(standing)}\`` });
}
