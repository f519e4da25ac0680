import type { OidcResource } from "../../../config/mod.ts";
import { refusal } from "../api/refusals.ts";
import { Provider } from "./provider.ts";
import type { ProviderFault } from "./provider_fault.ts";

/** How long what a provider says of itself holds. */
const KEPT_MS = 10 * 60_000;
/** A provider that did not answer is let alone for as long. */
const FAILED_MS = 3_000;
/** Logins that ask a provider at a time. */
const MAX_ASKING = 32;

interface Held {
  readonly spec: string;
  readonly untilMs: number;
  readonly provider: Promise<Provider>;
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
    this.#asking++;
    try {
      const held = this.#hold(name, spec);
      return await act(await held.provider).catch((fault: ProviderFault) => {
        // The secret, or what the provider says of itself, may be another one by now
        if (fault.kind === "misconfigured") this.#drop(name, held);
        throw fault;
      });
    } finally {
      this.#asking--;
    }
  }

  [Symbol.dispose](): void {
    for (const [name, held] of this.#held) this.#drop(name, held);
  }

  #hold(name: string, spec: OidcResource["spec"]): Held {
    const text = JSON.stringify(spec);
    const before = this.#held.get(name);
    if (before?.spec === text && this.#nowMs() < before.untilMs) return before;
    if (before !== undefined) this.#drop(name, before);
    const provider = this.#discover(spec);
    const held = { spec: text, untilMs: this.#nowMs() + KEPT_MS, provider };
    this.#held.set(name, held);
    provider.catch(() => {
      if (this.#held.get(name) !== held) return;
      this.#held.set(name, { ...held, untilMs: this.#nowMs() + FAILED_MS });
    });
    return held;
  }

  #drop(name: string, held: Held): void {
    if (this.#held.get(name) === held) this.#held.delete(name);
    // Whoever still asks with it is given the time to
    held.provider.then((provider) => provider[Symbol.dispose](), () => {});
  }
}
