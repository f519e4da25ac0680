/**
 * Why a server's certificate is not trusted, in words that say what to do: the issuer, the names, the dates.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";
import { type Certificate, namesHost, parseCertificate } from "./verify.ts";

/** What is wrong with a certificate. */
export interface Distrust {
  readonly kind: "issuer" | "dates" | "name" | "other";
  /** To stand after an act and a colon; no final period. */
  readonly state: string;
  readonly hint: string;
}

const MAX_NAMES = 3;
const MAX_TEXT = 100;

/**
 * Finds out what a TLS library only calls untrusted. Who vouches is looked at first: what stands in a certificate that
 * nobody vouches for says nothing.
 *
 * @param chain DER, the server's own first.
 */
export function explainDistrust(
  chain: readonly Uint8Array[],
  against: {
    readonly host: string;
    readonly nowMs: number;
    /** Who is trusted, PEM. */
    readonly authorityPems: readonly string[];
    /** Whose certificate it is, for the message: `the proxy's`. */
    readonly whose: string;
  },
): Distrust {
  const { host, nowMs, whose } = against;
  const certificates = chain.map((der) => parseCertificate(der)).filter((one) => one !== null);
  const [leaf] = certificates;
  if (leaf === undefined) {
    return { kind: "other", state: `${whose} certificate cannot be read`, hint: HINTS.server };
  }
  if (!isVouchedFor(chain, against.authorityPems)) return explainIssuer(leaf, chain.length, whose);
  const dated = explainDates(certificates, nowMs, whose);
  if (dated !== null) return dated;
  if (!namesHost(leaf, host)) {
    const state = `${whose} certificate is for ${namesOf(leaf)}, not for "${host}"`;
    return { kind: "name", state, hint: HINTS.name };
  }
  const state = `${whose} certificate may not be used by a TLS server`;
  return { kind: "other", state, hint: HINTS.server };
}

/** Says which of these certificates are not in force, and what the clock says. @returns `null` if all are. */
export function explainDates(
  certificates: readonly Certificate[],
  nowMs: number,
  whose: string,
): Distrust | null {
  for (const [index, { validity, subject }] of certificates.entries()) {
    const what = index === 0
      ? `${whose} certificate`
      : `the certificate of its issuer ${quoted(shortName(subject))}`;
    const clock = `the clock of this machine says ${moment(nowMs)}`;
    if (nowMs >= validity.notAfterMs) {
      const state = `${what} expired on ${moment(validity.notAfterMs)}; ${clock}`;
      return { kind: "dates", state, hint: HINTS.expired };
    }
    if (nowMs < validity.notBeforeMs) {
      const state = `${what} is valid from ${moment(validity.notBeforeMs)} on; ${clock}`;
      return { kind: "dates", state, hint: HINTS.early };
    }
  }
  return null;
}

/** Writes the issuer of a certificate as a person knows it. */
export function issuerOf({ issuer }: Certificate): string {
  return quoted(shortName(issuer));
}

const HINTS = {
  issuer:
    "If you trust that authority, name its certificate: `--ca-file FILE` (agent: `ca_file`); " +
    "if it is the cluster's own, use `--ca-pin` (agent: `ca_pin`) and the pin of `vnet ctl status`",
  chain:
    "If a public authority issued it, have the server send the whole chain; else name the authority's certificate: " +
    "`--ca-file FILE` (agent: `ca_file`), or for the cluster's own `--ca-pin` (agent: `ca_pin`)",
  name: "Use a name that is in the certificate, or trust the cluster by its pin: `--ca-pin`",
  expired: "If the clock is right, the certificate must be renewed; else set the clock",
  early: "If the clock is right, wait or have another issued; else set the clock",
  server: "Ask whoever runs the server for a certificate that TLS clients accept",
} as const;

function explainIssuer(leaf: Certificate, length: number, whose: string): Distrust {
  if (leaf.issuer === leaf.subject) {
    const state = `${whose} certificate is self-signed by ${
      issuerOf(leaf)
    }, which this machine does not trust`;
    return { kind: "issuer", state, hint: HINTS.issuer };
  }
  const state = `${whose} certificate was issued by ${
    issuerOf(leaf)
  }, which this machine does not trust`;
  return { kind: "issuer", state, hint: length === 1 ? HINTS.chain : HINTS.issuer };
}

/** Whether one of those authorities is in a chain, or signed a part of it. */
function isVouchedFor(chain: readonly Uint8Array[], authorityPems: readonly string[]): boolean {
  const links = chain.flatMap((der) => readNode(der));
  return authorityPems.flatMap((pem) => readNode(pem)).some((authority) =>
    links.some((link) =>
      link.fingerprint256 === authority.fingerprint256 ||
      (authority.ca && link.checkIssued(authority) && isSigned(link, authority))
    )
  );
}

function readNode(encoded: Uint8Array | string): readonly X509Certificate[] {
  try {
    return [new X509Certificate(encoded)];
  } catch {
    return [];
  }
}

function isSigned(link: X509Certificate, authority: X509Certificate): boolean {
  try {
    return link.verify(authority.publicKey);
  } catch {
    return false;
  }
}

function namesOf({ dnsNames, ipAddresses, commonName }: Certificate): string {
  const names = [...dnsNames, ...ipAddresses];
  if (names.length === 0) {
    return commonName === null
      ? "no host"
      : `no host (its common name ${quoted(commonName)} does not count)`;
  }
  const shown = names.slice(0, MAX_NAMES).map(quoted).join(", ");
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}

/** The common name of a distinguished name, or else its organization, or else all of it. */
function shortName(distinguished: string): string {
  for (const field of ["CN", "O"]) {
    const [, value] = new RegExp(`(?:^|, ?)${field}=((?:\\\\.|[^,\\\\])+)`).exec(distinguished) ??
      [];
    if (value !== undefined) return value.replace(/\\(.)/g, "$1").replace(/^"(.*)"$/, "$1");
  }
  return distinguished;
}

/** Foreign text in a message: short, and without what a terminal obeys. */
function quoted(text: string): string {
  const plain = text.replace(/[^\x20-\x7e\u00a0-\uffff]|["\u2028-\u202f\u2066-\u2069]/g, "?");
  return `"${plain.length > MAX_TEXT ? `${plain.slice(0, MAX_TEXT)}…` : plain}"`;
}

/** A moment to the second, in UTC. */
function moment(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
