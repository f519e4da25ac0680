import { formatHostPort, type HostPort } from "../../ip/mod.ts";

/** Who answered is tried first for so long after its last answer. */
const FAVOUR_MS = 600_000;
/** Who did not answer is tried last for so long. */
const SHUN_MS = 60_000;
const MAX_PROXIES = 16;

/** The addresses of one cluster's proxies, in the order to try them: who answered last, then as they are listed. */
export class ProxyOrder {
  readonly #first: HostPort;
  readonly #nowMs: () => number;
  #others: readonly HostPort[] = [];
  #favourite: { readonly key: string; readonly atMs: number } | null = null;
  readonly #failedMs = new Map<string, number>();

  /** @param first The one that is known for certain, as a login has it. */
  constructor(first: HostPort, nowMs: () => number) {
    this.#first = first;
    this.#nowMs = nowMs;
  }

  /** Takes note of the others, in place of those before. */
  know(others: readonly HostPort[]): void {
    this.#others = others;
  }

  /** The best first; each once. */
  list(): readonly HostPort[] {
    const known = new Map([this.#first, ...this.#others].map((one) => [formatHostPort(one), one]));
    const ranked = [...known].slice(0, MAX_PROXIES)
      .map(([key, proxy]) => ({ proxy, rank: this.#rankOf(key, proxy) }));
    return ranked.sort((a, b) => a.rank - b.rank).map(({ proxy }) => proxy); // stable
  }

  answered(proxy: HostPort): void {
    const key = formatHostPort(proxy);
    this.#failedMs.delete(key);
    this.#favourite = { key, atMs: this.#nowMs() };
  }

  /** It refused, or was silent. */
  failed(proxy: HostPort): void {
    const key = formatHostPort(proxy);
    this.#failedMs.set(key, this.#nowMs());
    if (this.#favourite?.key === key) this.#favourite = null;
    if (this.#failedMs.size > 2 * MAX_PROXIES) this.#failedMs.clear();
  }

  /** Whether it has failed lately, and not answered since. */
  isShunned(proxy: HostPort): boolean {
    const failedMs = this.#failedMs.get(formatHostPort(proxy));
    return failedMs !== undefined && Math.abs(this.#nowMs() - failedMs) < SHUN_MS;
  }

  /** The network is another: who answered or failed says nothing any more. */
  forget(): void {
    this.#favourite = null;
    this.#failedMs.clear();
  }

  #rankOf(key: string, proxy: HostPort): number {
    if (this.isShunned(proxy)) return 2;
    const { key: favourite, atMs } = this.#favourite ?? { key: "", atMs: 0 };
    return favourite === key && Math.abs(this.#nowMs() - atMs) < FAVOUR_MS ? 0 : 1;
  }
}
