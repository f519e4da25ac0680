import { sha256 } from "../keys.ts";
import type { Certificate, CertificateVerdict } from "./verify.ts";

/** Certificates kept at a time, if not said otherwise; some kilobytes each. */
const MAX_KNOWN = 4096;

/** What is known of a certificate that was found good. */
export interface GoodCertificate {
  readonly kind: "good";
  readonly certificate: Certificate;
  /** Who signed it. */
  readonly authority: Certificate;
}

type Bad = Extract<CertificateVerdict, { readonly kind: "bad" }>;

/**
 * Judges certificates that are shown again and again: what is written in one, and its signature, are looked at once,
 * the dates every time. It knows nothing of locks and ended logins: whoever asks looks at those after it.
 */
export class KnownCertificates<Good extends GoodCertificate> {
  readonly #verify: (der: Uint8Array, nowMs: number) => Good | Bad;
  readonly #limit: number;
  /** By digest, in the order they were last shown. */
  readonly #known = new Map<string, Good>();

  constructor(verify: (der: Uint8Array, nowMs: number) => Good | Bad, limit: number = MAX_KNOWN) {
    this.#verify = verify;
    this.#limit = limit;
  }

  judge(der: Uint8Array, nowMs: number): Good | Bad {
    const digest = sha256(der).toHex();
    const known = this.#known.get(digest);
    this.#known.delete(digest);
    const verdict = known !== undefined && isInForce(known, nowMs)
      ? known
      : this.#verify(der, nowMs);
    if (verdict.kind === "bad") return verdict;
    this.#known.set(digest, verdict);
    if (this.#known.size > this.#limit) this.#forgetOldest();
    return verdict;
  }

  #forgetOldest(): void {
    const oldest = this.#known.keys().next();
    if (!oldest.done) this.#known.delete(oldest.value);
  }
}

function isInForce({ certificate, authority }: GoodCertificate, nowMs: number): boolean {
  return [certificate, authority].every(({ validity: { notBeforeMs, notAfterMs } }) =>
    notBeforeMs <= nowMs && nowMs < notAfterMs
  );
}
