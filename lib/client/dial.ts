import { VnetError } from "../error.ts";
import type { AppRef } from "../plan/mod.ts";
import { refusalError } from "../refusal/mod.ts";
import type { Flow } from "./cluster/driver.ts";
import type { Session } from "./cluster/session.ts";

/** What was tried; the name and the port stand beside it. */
const ACT = "Cannot connect";

interface AppDialerOptions {
  /** The session of a profile's name; `null` if its login is gone. */
  readonly sessionOf: (profile: string) => Session | null;
  /** Waits for the next login in place of one that is over; nobody waits if not given. */
  readonly awaitLogin?: (session: Session, signal: AbortSignal) => Promise<void>;
  /** Told of every refusal, with its code. */
  readonly onRefused: (target: AppRef, code: string) => void;
}

/** Opens connections to apps by the sessions there are. It needs no device, no helper and no root. */
export class AppDialer {
  readonly #options: AppDialerOptions;

  constructor(options: AppDialerOptions) {
    this.#options = options;
  }

  /**
   * Opens a connection to one port of an app.
   *
   * @throws VnetError `app-removed`, `login-expired`, and what the driver of its cluster throws.
   */
  async dial(target: AppRef, port: number, signal: AbortSignal): Promise<Flow> {
    try {
      await this.#options.awaitLogin?.(this.#sessionOf(target), signal);
      return await this.#sessionOf(target).connect(target, port, signal);
    } catch (thrown) {
      if (thrown instanceof VnetError) this.#options.onRefused(target, thrown.code);
      throw thrown;
    }
  }
  #sessionOf({ profile }: AppRef): Session {
    const session = this.#options.sessionOf(profile);
    if (session !== null) return session;
    throw refusalError("app-removed", ACT, { state: "the login for this app is gone" });
  }
}
