/**
 * Certificates as they are read and judged. Who may sign them is in x509_issue.
 *
 * @module
 * @see RFC 5280
 */
import "reflect-metadata"; // must come before @peculiar/x509
import * as x509 from "@peculiar/x509";
import { X509Certificate } from "node:crypto";
import {
  type AppClaims,
  type Claims,
  CLAIMS_OID,
  GROUNDS_OID,
  parseExtensions,
  parsePrincipal,
  type Principal,
  type UserClaims,
  type Validity,
} from "../../identity/mod.ts";
import { formatIp, parseIp } from "../../ip/mod.ts";
import { sha256 } from "../keys.ts";

/** Extended key usages. @see RFC 5280 section 4.2.1.12 */
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** A certificate we have read. That it was read says nothing of who signed it. */
export interface Certificate {
  readonly der: Uint8Array<ArrayBuffer>;
  readonly pem: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly validity: Validity;
  readonly commonName: string | null;
  readonly dnsNames: readonly string[];
  /** As `formatIp` writes them. */
  readonly ipAddresses: readonly string[];
  /** Who the certificate names, if it names exactly one of ours. */
  readonly principal: Principal | null;
  readonly claims: Claims | null;
  readonly isAuthority: boolean;
  readonly purposes: readonly ("client" | "server")[];
  /** `sha256:` and the hex SHA-256 of the SubjectPublicKeyInfo. */
  readonly pin: string;
  readonly subject: string;
  /** Who says it signed it, as `subject` is written. */
  readonly issuer: string;
}

export type CertificateRefusal =
  | "certificate-malformed"
  | "certificate-foreign"
  | "certificate-expired"
  | "certificate-not-yet-valid";

export type CertificateVerdict =
  | { readonly kind: "good"; readonly certificate: Certificate; readonly authority: Certificate }
  | { readonly kind: "bad"; readonly code: CertificateRefusal; readonly message: string };

/**
 * Reads a certificate, DER or PEM.
 *
 * @returns The certificate, or `null` if the bytes are none.
 */
export function parseCertificate(encoded: Uint8Array | string): Certificate | null {
  try {
    const parsed = new x509.X509Certificate(
      typeof encoded === "string" ? encoded : new Uint8Array(encoded),
    );
    const names = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
    const valuesOf = (type: string) =>
      names.filter((name) => name.type === type).map((name) => name.value);
    const uris = valuesOf("url");
    const valueOf = (oid: string) => {
      const extension = parsed.getExtension(oid);
      return extension === null ? null : new Uint8Array(extension.value);
    };
    const claims = valueOf(CLAIMS_OID);
    const usages = parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? [];
    return {
      der: new Uint8Array(parsed.rawData),
      pem: `${parsed.toString("pem")}\n`,
      serial: parsed.serialNumber.toLowerCase(),
      validity: { notBeforeMs: parsed.notBefore.getTime(), notAfterMs: parsed.notAfter.getTime() },
      commonName: parsed.subjectName.getField("CN")[0] ?? null,
      dnsNames: valuesOf("dns"),
      ipAddresses: valuesOf("ip"),
      principal: uris.length === 1 ? parsePrincipal(uris[0]!) : null,
      claims: claims === null ? null : parseExtensions(claims, valueOf(GROUNDS_OID)),
      isAuthority: parsed.getExtension(x509.BasicConstraintsExtension)?.ca === true,
      purposes: [
        ...(usages.includes(CLIENT_AUTH) ? ["client" as const] : []),
        ...(usages.includes(SERVER_AUTH) ? ["server" as const] : []),
      ],
      pin: `sha256:${sha256(new Uint8Array(parsed.publicKey.rawData)).toHex()}`,
      subject: parsed.subject,
      issuer: parsed.issuer,
    };
  } catch {
    return null;
  }
}

/**
 * Judges a peer's certificate: signed by one of these authorities, for this purpose, and in force. The signature is
 * looked at first: dates nobody vouches for say nothing.
 */
export function verifyCertificate(
  encoded: Uint8Array | string | Certificate,
  against: {
    readonly authorities: readonly Certificate[];
    readonly purpose: "client" | "server";
    readonly nowMs: number;
  },
): CertificateVerdict {
  const certificate = isParsed(encoded) ? encoded : parseCertificate(encoded);
  if (certificate === null) return bad("certificate-malformed", "The certificate cannot be read");
  const authority = against.authorities.find((candidate) => isSignedBy(certificate, candidate));
  if (authority === undefined || certificate.isAuthority) {
    return bad("certificate-foreign", "The certificate is signed by no authority of the cluster");
  }
  if (!certificate.purposes.includes(against.purpose)) {
    return bad("certificate-foreign", `The certificate is not for a TLS ${against.purpose}`);
  }
  for (const { validity } of [certificate, authority]) {
    if (against.nowMs < validity.notBeforeMs) {
      return bad(
        "certificate-not-yet-valid",
        `The certificate is valid from ${iso(validity.notBeforeMs)} on`,
      );
    }
    if (against.nowMs >= validity.notAfterMs) {
      return bad(
        "certificate-expired",
        `The certificate was valid until ${iso(validity.notAfterMs)}`,
      );
    }
  }
  return { kind: "good", certificate, authority };
}

/** A user's certificate with claims of one kind. */
type UserClient<Claims> =
  | {
    readonly kind: "good";
    readonly principal: Principal;
    readonly claims: Claims;
    readonly certificate: Certificate;
    readonly authority: Certificate;
  }
  | Extract<CertificateVerdict, { readonly kind: "bad" }>;

/** What the certificates of users are judged by. */
interface Against {
  readonly userCas: readonly Certificate[];
  readonly nowMs: number;
}

function verifyUser(encoded: Uint8Array | string, { userCas, nowMs }: Against): CertificateVerdict {
  return verifyCertificate(encoded, { authorities: userCas, purpose: "client", nowMs });
}

/** A user's certificate that says the user may use one app. */
export type AppClient = UserClient<AppClaims>;

/** Judges the client certificate of an app connection; see {@link KnownCertificates}. */
export function verifyAppClient(encoded: Uint8Array | string, against: Against): AppClient {
  const verdict = verifyUser(encoded, against);
  if (verdict.kind === "bad") return verdict;
  const { certificate, authority } = verdict;
  const { principal, claims } = certificate;
  if (principal?.kind !== "user" || claims?.kind !== "app") {
    return bad("certificate-foreign", "The certificate is not for an app");
  }
  return { kind: "good", principal, claims, certificate, authority };
}

/** A login's certificate. */
export type LoginClient = UserClient<UserClaims>;

/** Judges the client certificate of an API request by a user. An app certificate is none. */
export function verifyLoginClient(encoded: Uint8Array | string, against: Against): LoginClient {
  const verdict = verifyUser(encoded, against);
  if (verdict.kind === "bad") return verdict;
  const { certificate, authority } = verdict;
  const { principal, claims } = certificate;
  if (
    principal?.kind !== "user" || claims?.kind !== "user" || claims.cluster !== principal.cluster
  ) {
    return bad("certificate-foreign", "The certificate is not a login's");
  }
  return { kind: "good", principal, claims, certificate, authority };
}

/**
 * Judges the chain of a TLS server that is known only by a pin of its host CA, which the server sends along. See
 * {@link verifyProxyServer}.
 */
export function verifyPinnedServer(
  chain: readonly Uint8Array[],
  against: { readonly pins: readonly string[]; readonly host: string; readonly nowMs: number },
): CertificateVerdict {
  const authorities = chain.slice(1).map((der) => parseCertificate(der)).filter((one) =>
    one !== null && one.isAuthority && against.pins.includes(one.pin)
  );
  return verifyProxyServer(chain, { ...against, authorities: authorities as Certificate[] });
}

/**
 * Judges the chain of a TLS server by a cluster's own authorities: one of them must have signed the leaf. What they
 * sign for proxies is good under any name, an alias or an address: they vouch for nothing but their cluster. Any other
 * certificate must name the host, so that an agent is not taken for the proxy.
 */
export function verifyProxyServer(
  chain: readonly Uint8Array[],
  against: {
    readonly authorities: readonly Certificate[];
    readonly host: string;
    readonly nowMs: number;
  },
): CertificateVerdict {
  const [first] = chain;
  const leaf = first === undefined ? null : parseCertificate(first);
  if (leaf === null) return bad("certificate-malformed", "The server's certificate cannot be read");
  const verdict = verifyCertificate(leaf, { ...against, purpose: "server" });
  if (verdict.kind === "bad") return verdict;
  const isProxys = leaf.commonName === PROXY_COMMON_NAME && leaf.principal === null &&
    isHostAuthority(verdict.authority);
  if (isProxys || namesHost(leaf, against.host)) return verdict;
  return bad("certificate-foreign", "The certificate is not the proxy's, and names another host");
}

/** What the certificates of proxies are called; agents' have their id there. */
export const PROXY_COMMON_NAME = "vnet proxy";

/** Whether an authority is the one that a cluster made for its own servers, and not a company's that was pinned. */
function isHostAuthority({ commonName, subject, issuer }: Certificate): boolean {
  return subject === issuer && commonName !== null && commonName.endsWith(" host CA");
}

/** Whether a server certificate is for a host, by name (`*` for one label) or by address. */
export function namesHost(certificate: Certificate, host: string): boolean {
  if (isAddress(host)) {
    const address = formatIp(parseIp(host));
    return certificate.ipAddresses.some((one) =>
      isAddress(one) && formatIp(parseIp(one)) === address
    );
  }
  const name = host.toLowerCase();
  const parent = name.slice(name.indexOf(".") + 1);
  return certificate.dnsNames.some((one) =>
    one.toLowerCase() === name || (name.includes(".") && one.toLowerCase() === `*.${parent}`)
  );
}

/** Whether an authority's certificate is signed with its own key. */
export function isSelfSigned(authority: Certificate): boolean {
  return authority.subject === authority.issuer && isSignedBy(authority, authority);
}

/** Splits a text of several PEM certificates. */
export function splitPem(text: string): string[] {
  return (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [])
    .map((pem) => `${pem}\n`);
}

function isSignedBy(certificate: Certificate, authority: Certificate): boolean {
  if (!authority.isAuthority) return false;
  try {
    const issuer = nodeCertificate(authority);
    const subject = new X509Certificate(certificate.der);
    return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

/** Authorities are asked again and again, so what Node made of them is kept with them. */
const NODE_CERTIFICATES = new WeakMap<Certificate, X509Certificate>();

function nodeCertificate(authority: Certificate): X509Certificate {
  const known = NODE_CERTIFICATES.get(authority);
  if (known !== undefined) return known;
  const parsed = new X509Certificate(authority.der);
  NODE_CERTIFICATES.set(authority, parsed);
  return parsed;
}

function isParsed(encoded: Uint8Array | string | Certificate): encoded is Certificate {
  return typeof encoded !== "string" && !(encoded instanceof Uint8Array);
}

/** Whether a text is an IP address rather than a name. */
export function isAddress(text: string): boolean {
  try {
    parseIp(text);
    return true;
  } catch {
    return false;
  }
}

function bad(
  code: CertificateRefusal,
  message: string,
): Extract<CertificateVerdict, { kind: "bad" }> {
  return { kind: "bad", code, message };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
