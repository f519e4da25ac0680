import type { OidcResource } from "../../../config/mod.ts";
import { refusal } from "../api/refusals.ts";
import { Provider } from "./provider.ts";
import { ProviderFault } from "./provider_fault.ts";

/** How long what a provider says of itself holds. */
const KEPT_MS = 10 * 60_000;
/** A provider that did not answer is let alone for as long. */
const FAILED_MS = 3_000;
/** Logins that ask a provider at a time. */
const MAX_ASKING = 32;

interface Held {
  readonly spec: string;
  readonly provider: Promise<Provider>;
  /** It is not given up for what the provider says of us before then. */
  readonly keptMs: number;
  untilMs: number;
  users: number;
  isOver: boolean;
}

/** The providers of the cluster, each asked how it is asked when somebody first wants it. */
export class Providers implements Disposable {
  readonly #nowMs: () => number;
  readonly #discover: typeof Provider.discover;
  readonly #held = new Map<string, Held>();
  #asking = 0;

  constructor(nowMs: () => number, discover: typeof Provider.discover = Provider.discover) {
    this.#nowMs = nowMs;
    this.#discover = discover;
  }

  /**
   * Does something with a provider.
   *
   * @throws {ProviderFault} @throws {AuthError} `busy`
   */
  async ask<T>(
    { metadata: { name }, spec }: OidcResource,
    act: (provider: Provider) => Promise<T>,
  ): Promise<T> {
    if (this.#asking >= MAX_ASKING) throw refusal("busy", { message: "Too many logins at a time" });
    const held = this.#hold(name, spec);
    held.users++;
    this.#asking++;
    try {
      return await act(await held.provider).catch((thrown) => {
        const { kind, isHearsay } = ProviderFault.of(thrown);
        // The secret, or what the provider says of itself, may be another one by now
        if (kind === "misconfigured" && !isHearsay) {
          held.untilMs = Math.min(held.untilMs, Math.max(held.keptMs, this.#nowMs()));
        }
        throw thrown;
      });
    } finally {
      this.#asking--;
      held.users--;
      if (held.isOver && held.users === 0) close(held);
    }
  }

  [Symbol.dispose](): void {
    for (const held of this.#held.values()) close(held);
    this.#held.clear();
  }

  #hold(name: string, spec: OidcResource["spec"]): Held {
    const text = JSON.stringify(spec);
    const nowMs = this.#nowMs();
    const before = this.#held.get(name);
    const isSame = before?.spec === text;
    if (isSame && nowMs < before.untilMs) return before;
    if (before !== undefined) {
      before.isOver = true;
      if (before.users === 0) close(before);
    }
    const held: Held = {
      spec: text,
      provider: this.#discover(spec),
      keptMs: isSame ? nowMs + FAILED_MS : nowMs,
      untilMs: nowMs + KEPT_MS,
      users: 0,
      isOver: false,
    };
    this.#held.set(name, held);
    held.provider.catch(() => held.untilMs = this.#nowMs() + FAILED_MS);
    return held;
  }
}

function close({ provider }: Held): void {
  provider.then((provider) => provider[Symbol.dispose](), () => {});
}
