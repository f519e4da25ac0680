/**
 * Networks that want a sign-in before they let anything out: found by what answers in the cluster's place, and waited
 * for.
 *
 * @module
 */
import { formatHost } from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import { pause } from "../../wait.ts";
import type { Stranger } from "../cluster/driver.ts";
import type { Finding } from "../daemon/findings.ts";

const log = getLogger("client", "network");

/** The network is new for so long: what is found later has other causes. */
const FRESH_MS = 10 * 60_000;
/** How often it is looked whether the cluster answers, and how often the cluster and the network are asked. */
const LOOK_MS = 1_000;
const ASK_MS = 10_000;

/** By these somebody answered who is not the cluster. */
const STRANGE_CODES: readonly string[] = ["proxy-untrusted", "ca-pin-mismatch"];

/** What there is to know of one login. */
export interface PortalSession {
  readonly name: string;
  readonly state: "active" | "expired" | "unreachable";
  /** The code of `error`; `null` while the cluster can be asked. */
  readonly errorCode: string | null;
  /** Whether the cluster was ever reached by this login. */
  readonly wasReached: boolean;
  /** Asks the cluster again, now. */
  hurry(): void;
  findStranger(signal: AbortSignal): Promise<Stranger | null>;
}

/** Says what a new network does with us. @returns `null` when nothing says that it wants a sign-in */
export function captivePortal(
  { name, errorCode, wasReached }: Pick<PortalSession, "name" | "errorCode" | "wasReached">,
  stranger: Stranger | null,
): Finding | null {
  if (stranger !== null) {
    const { host } = stranger;
    const whom = host === null ? "this network itself answers" : `this network sends to "${host}"`;
    return {
      code: "captive-portal",
      message: `The network wants a sign-in: ${whom} in place of "${name}"`,
      hint: `Open ${
        host === null ? "any http:// page" : `http://${formatHost(host)}/`
      } in a browser and sign in; vnet goes on by itself, and the login stays good`,
    };
  }
  if (!wasReached || errorCode === null || !STRANGE_CODES.includes(errorCode)) return null;
  return {
    code: "captive-portal",
    message:
      `On this network something else answers in place of "${name}": its certificate is not the cluster's [${errorCode}]`,
    hint:
      "If the network wants a sign-in, open any http:// page in a browser; vnet goes on by itself. If not, do not trust this network",
  };
}

interface PortalWatchOptions {
  readonly sessions: () => readonly PortalSession[];
  readonly onFound: (finding: Finding) => void;
  readonly onOver: () => void;
  /** How often it asks, if not every ten seconds. */
  readonly askMs?: number;
}

/** Looks for a sign-in after the network changed, until the clusters are reached. */
export class PortalWatch implements AsyncDisposable {
  readonly #options: PortalWatchOptions;
  readonly #stop = new AbortController();
  #freshUntilMs = 0;
  #watching: Promise<void> | null = null;
  #found = false;

  constructor(options: PortalWatchOptions) {
    this.#options = options;
  }

  /** The network is another. */
  begin(): void {
    this.#freshUntilMs = performance.now() + FRESH_MS;
    if (this.#stop.signal.aborted) return;
    this.#watching ??= this.#watch().finally(() => this.#watching = null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    const { askMs = ASK_MS } = this.#options;
    let askedMs = -Infinity;
    while (!signal.aborted && (this.#found || performance.now() < this.#freshUntilMs)) {
      await pause(Math.min(LOOK_MS, askMs), signal);
      const silent = this.#options.sessions().filter(({ state }) => state === "unreachable");
      if (silent.length === 0) {
        this.#over();
      } else if (performance.now() - askedMs >= askMs) {
        askedMs = performance.now();
        await this.#ask(silent);
      }
    }
    this.#over();
  }

  async #ask(silent: readonly PortalSession[]): Promise<void> {
    for (const session of silent) {
      const stranger = await session.findStranger(this.#stop.signal).catch(() => null);
      const finding = captivePortal(session, stranger);
      if (this.#stop.signal.aborted) return;
      if (finding === null) continue;
      if (!this.#found) log.warning("The network wants a sign-in", { message: finding.message });
      this.#found = true;
      this.#options.onFound(finding);
    }
    // Who signs in does not tell us.
    if (this.#found) { for (const session of silent) session.hurry(); }
  }

  #over(): void {
    if (!this.#found) return;
    this.#found = false;
    this.#options.onOver();
  }
}
