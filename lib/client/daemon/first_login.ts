import { VnetError } from "../../error.ts";
import { getLogger } from "../../log.ts";
import { orAborted } from "../../wait.ts";
import type { Profile } from "../cluster/profile.ts";
import { requireLogin } from "../cluster/require_login.ts";
import type { Findings } from "./findings.ts";

const log = getLogger("client");

interface FirstLoginOptions {
  /** What cannot be done without one, as a sentence without an end. */
  readonly act: string;
  readonly logins: () => Promise<readonly Profile[]>;
  /** Whether to wait for a login where there is none, as at boot. */
  readonly waits: boolean;
  /** Where it is said that a login is waited for. */
  readonly findings: Findings;
  readonly nowMs: () => number;
}

/** The login that a daemon cannot begin without. */
export class FirstLogin {
  readonly #options: FirstLoginOptions;
  /** While there is none. */
  #next: PromiseWithResolvers<void> | null = null;

  constructor(options: FirstLoginOptions) {
    this.#options = options;
  }

  /** Makes sure that there is one, or waits until there is. @throws VnetError `login-needed`, `login-expired` */
  async require(signal: AbortSignal): Promise<void> {
    const { act, logins, waits, findings, nowMs } = this.#options;
    while (!signal.aborted) {
      try {
        return requireLogin(act, await logins(), nowMs());
      } catch (thrown) {
        if (!waits || !(thrown instanceof VnetError)) throw thrown;
        const { code, message, hint } = thrown;
        log.warning("Waiting for a login", { code });
        findings.note({ code, message, ...(hint === null ? {} : { hint }) });
        this.#next = Promise.withResolvers();
        await orAborted(this.#next.promise, signal).catch(() => {}); // it ends, then
        this.#next = null;
        findings.clear(code);
      }
    }
  }

  /** Has the logins looked at again. @returns Whether one is waited for. */
  look(): boolean {
    this.#next?.resolve();
    return this.#next !== null;
  }
}
