import {
  type Certificate,
  isSelfSigned,
  parseCertificate,
  verifyCertificate,
} from "../../../io/mod.ts";
import { refusal } from "../api/refusals.ts";

/** What another cluster's authorities are held against. */
interface Against {
  /** The one cluster that all of them must name. */
  readonly cluster: string;
  readonly kind: "user" | "host";
  /** `sha256:…` of every authority that is known already, whosever it is. */
  readonly known: ReadonlySet<string>;
  readonly nowMs: number;
}

/**
 * Reads the authorities that another cluster says are its own.
 *
 * @throws {AuthError} `trust-refused` when one names any other cluster, is of another kind, is known already as somebody
 * else's, or cannot be used.
 */
export function readAuthorities(pems: readonly string[], against: Against): Certificate[] {
  const { cluster, kind, known, nowMs } = against;
  return pems.map((pem) => {
    const certificate = parseCertificate(pem);
    if (certificate === null || !certificate.isAuthority || !isSelfSigned(certificate)) {
      throw trustRefused("an authority cannot be read, or does not vouch for itself");
    }
    if (certificate.commonName !== `${cluster} ${kind} CA`) {
      const named = (certificate.commonName ?? "nobody").slice(0, 80);
      throw trustRefused(`an authority names "${named}", and not "${cluster} ${kind} CA"`);
    }
    if (known.has(certificate.pin)) {
      throw trustRefused("an authority is known already as another cluster's");
    }
    const { notBeforeMs, notAfterMs } = certificate.validity;
    if (nowMs < notBeforeMs || nowMs >= notAfterMs) {
      throw trustRefused("an authority is not in force");
    }
    return certificate;
  });
}

/** The digest by which a key is told from others: `sha256:…`. */
export async function pinOf(publicKey: CryptoKey): Promise<string> {
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", spki));
  return `sha256:${digest.toHex()}`;
}

/** What a root's certificate for its leaf is held against. */
interface LeafAgainst {
  readonly authorities: readonly Certificate[];
  readonly root: string;
  /** The key that was asked for. */
  readonly publicKey: CryptoKey;
  /** What the certificate before it names; `null` for the first. */
  readonly id: string | null;
  readonly nowMs: number;
}

/** Reads what a root gives its leaf. @throws {AuthError} `trust-refused` when that is not what was asked for. */
export async function readLeafCertificate(
  pem: string,
  { authorities, root, publicKey, id, nowMs }: LeafAgainst,
): Promise<Certificate> {
  const verdict = verifyCertificate(pem, { authorities, purpose: "client", nowMs });
  if (verdict.kind === "bad") throw trustRefused(verdict.message);
  const { certificate } = verdict;
  const { kind, cluster, name } = certificate.principal ?? {};
  if (kind !== "leaf" || cluster !== root || (id !== null && name !== id)) {
    throw trustRefused("the certificate it gives is not for its leaf");
  }
  if (certificate.pin !== await pinOf(publicKey)) {
    throw trustRefused("the certificate it gives is for another key");
  }
  return certificate;
}

/** Makes the refusal of another cluster. */
export function trustRefused(state: string): Error {
  return refusal("trust-refused", { message: `Cannot trust the other cluster: ${state}` });
}
