/**
 * Certificates: the only code that signs them, and the code that judges a peer's. What may be in a certificate is the
 * fields of the functions below, how long it lives is decided in identity/lifetime; nothing a peer writes is copied in.
 *
 * @module
 * @see RFC 5280
 */
import "reflect-metadata"; // must come before @peculiar/x509
import * as x509 from "@peculiar/x509";
import { X509Certificate } from "node:crypto";
import {
  agentDnsName,
  type AppClaims,
  appValidity,
  authorityValidity,
  type Claims,
  CLAIMS_OID,
  encodeClaims,
  formatPrincipal,
  hostValidity,
  parseClaims,
  parsePrincipal,
  type Principal,
  type UserClaims,
  userValidity,
  type Validity,
} from "../identity/mod.ts";
import { formatIp, parseIp } from "../ip/mod.ts";
import { generateKeyPair, importPrivateKey, randomHex, sha256 } from "./keys.ts";

const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** What an authority signs for. */
export type AuthorityKind = "user" | "host";

/** An authority's certificate and key as they are kept. */
export interface AuthorityPem {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** An authority, ready to sign. */
export interface Authority {
  readonly certificate: Certificate;
  readonly key: CryptoKey;
}

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
}

export type CertificateRefusal =
  | "certificate-malformed"
  | "certificate-foreign"
  | "certificate-expired"
  | "certificate-not-yet-valid";

export type CertificateVerdict =
  | { readonly kind: "good"; readonly certificate: Certificate }
  | { readonly kind: "bad"; readonly code: CertificateRefusal; readonly message: string };

/** Creates an authority of a cluster: a key and the certificate it signs itself. */
export async function issueAuthority(
  fields: { readonly cluster: string; readonly kind: AuthorityKind },
  nowMs: number,
): Promise<AuthorityPem> {
  const pair = await generateKeyPair();
  const key = await importPrivateKey(pair.privateKeyPem);
  const publicKey = new x509.PublicKey(pair.publicKeyPem);
  const name = [{ CN: [`${fields.cluster} ${fields.kind} CA`] }, { O: [fields.cluster] }];
  const certificate = await create({
    subject: name,
    issuer: name,
    publicKey,
    key,
    validity: authorityValidity(nowMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { certificatePem: certificate.pem, privateKeyPem: pair.privateKeyPem };
}

/** Reads a kept authority. */
export async function loadAuthority(kept: AuthorityPem): Promise<Authority> {
  const certificate = parseCertificate(kept.certificatePem);
  if (certificate === null || !certificate.isAuthority) {
    throw new TypeError("The kept authority is no authority certificate");
  }
  return { certificate, key: await importPrivateKey(kept.privateKeyPem) };
}

/** Signs a login's certificate. */
export function issueUserCertificate(
  authority: Authority,
  fields: {
    readonly cluster: string;
    readonly user: string;
    readonly sessionId: string;
    readonly publicKey: CryptoKey;
  },
  life: {
    readonly nowMs: number;
    readonly requestedMs: number | null;
    readonly roleMaxMs: number | null;
  },
): Promise<Certificate> {
  const { cluster, user, sessionId, publicKey } = fields;
  return issue(authority, {
    commonName: user,
    publicKey,
    validity: userValidity(life.nowMs, life),
    purposes: [CLIENT_AUTH],
    names: [{ type: "url", value: formatPrincipal({ kind: "user", cluster, name: user }) }],
    claims: { kind: "user", cluster, sessionId },
  });
}

/** Signs the right of one user to one app; `userNotAfterMs` is the end of the certificate it is asked with. */
export function issueAppCertificate(
  authority: Authority,
  fields: {
    /** The user's cluster. */
    readonly cluster: string;
    readonly user: string;
    readonly claims: Omit<AppClaims, "kind">;
    readonly publicKey: CryptoKey;
  },
  life: { readonly nowMs: number; readonly userNotAfterMs: number },
): Promise<Certificate> {
  const { cluster, user, claims, publicKey } = fields;
  return issue(authority, {
    commonName: user,
    publicKey,
    validity: appValidity(life.nowMs, life.userNotAfterMs),
    purposes: [CLIENT_AUTH],
    names: [{ type: "url", value: formatPrincipal({ kind: "user", cluster, name: user }) }],
    claims: { ...claims, kind: "app" },
  });
}

/** Signs an agent's certificate: server toward clients, client toward the proxy. */
export function issueAgentCertificate(
  authority: Authority,
  fields: {
    readonly cluster: string;
    readonly agentId: string;
    readonly appIds: readonly string[];
    readonly publicKey: CryptoKey;
  },
  nowMs: number,
): Promise<Certificate> {
  const { cluster, agentId, appIds, publicKey } = fields;
  return issue(authority, {
    commonName: agentId,
    publicKey,
    validity: hostValidity(nowMs),
    purposes: [SERVER_AUTH, CLIENT_AUTH],
    names: [
      { type: "url", value: formatPrincipal({ kind: "agent", cluster, name: agentId }) },
      ...[...new Set(appIds)].sort().map((id) => ({
        type: "dns" as const,
        value: agentDnsName(id),
      })),
    ],
    claims: null,
  });
}

/** Signs the certificate of a proxy's web name, where no public authority does. */
export function issueProxyCertificate(
  authority: Authority,
  fields: { readonly names: readonly string[]; readonly publicKey: CryptoKey },
  nowMs: number,
): Promise<Certificate> {
  const names = [...new Set(fields.names)].sort();
  if (names[0] === undefined) throw new TypeError("A proxy certificate needs a name");
  return issue(authority, {
    commonName: "vnet proxy",
    publicKey: fields.publicKey,
    validity: hostValidity(nowMs),
    purposes: [SERVER_AUTH],
    names: names.map((name) => ({ type: isAddress(name) ? "ip" : "dns", value: name })),
    claims: null,
  });
}

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
    const claims = parsed.getExtension(CLAIMS_OID);
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
      claims: claims === null ? null : parseClaims(new Uint8Array(claims.value)),
      isAuthority: parsed.getExtension(x509.BasicConstraintsExtension)?.ca === true,
      purposes: [
        ...(usages.includes(CLIENT_AUTH) ? ["client" as const] : []),
        ...(usages.includes(SERVER_AUTH) ? ["server" as const] : []),
      ],
      pin: `sha256:${sha256(new Uint8Array(parsed.publicKey.rawData)).toHex()}`,
      subject: parsed.subject,
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
  return { kind: "good", certificate };
}

/** A user's certificate that says the user may use one app. */
export type AppClient =
  | {
    readonly kind: "good";
    readonly principal: Principal;
    readonly claims: AppClaims;
    readonly certificate: Certificate;
  }
  | Extract<CertificateVerdict, { readonly kind: "bad" }>;

/** Judges the client certificate of an app connection; agents call this for every carrier. */
export function verifyAppClient(
  encoded: Uint8Array | string,
  against: { readonly userCas: readonly Certificate[]; readonly nowMs: number },
): AppClient {
  const verdict = verifyCertificate(encoded, {
    authorities: against.userCas,
    purpose: "client",
    nowMs: against.nowMs,
  });
  if (verdict.kind === "bad") return verdict;
  const { certificate } = verdict;
  const { principal, claims } = certificate;
  if (principal?.kind !== "user" || claims?.kind !== "app") {
    return bad("certificate-foreign", "The certificate is not for an app");
  }
  return { kind: "good", principal, claims, certificate };
}

/** A login's certificate. */
export type LoginClient =
  | {
    readonly kind: "good";
    readonly principal: Principal;
    readonly claims: UserClaims;
    readonly certificate: Certificate;
  }
  | Extract<CertificateVerdict, { readonly kind: "bad" }>;

/** Judges the client certificate of an API request by a user. An app certificate is none. */
export function verifyLoginClient(
  encoded: Uint8Array | string,
  against: { readonly userCas: readonly Certificate[]; readonly nowMs: number },
): LoginClient {
  const verdict = verifyCertificate(encoded, {
    authorities: against.userCas,
    purpose: "client",
    nowMs: against.nowMs,
  });
  if (verdict.kind === "bad") return verdict;
  const { certificate } = verdict;
  const { principal, claims } = certificate;
  if (
    principal?.kind !== "user" || claims?.kind !== "user" || claims.cluster !== principal.cluster
  ) {
    return bad("certificate-foreign", "The certificate is not a login's");
  }
  return { kind: "good", principal, claims, certificate };
}

/**
 * Judges the chain of a TLS server that is known only by a pin of its host CA: the leaf must be signed by the pinned
 * authority, which the server sends along, and name the host.
 */
export function verifyPinnedServer(
  chain: readonly Uint8Array[],
  against: { readonly pins: readonly string[]; readonly host: string; readonly nowMs: number },
): CertificateVerdict {
  const [leaf, ...rest] = chain.map((der) => parseCertificate(der));
  if (leaf === undefined || leaf === null) {
    return bad("certificate-malformed", "The server's certificate cannot be read");
  }
  const pinned = rest.filter((one) =>
    one !== null && one.isAuthority && against.pins.includes(one.pin)
  );
  const verdict = verifyCertificate(leaf, {
    authorities: pinned as Certificate[],
    purpose: "server",
    nowMs: against.nowMs,
  });
  if (verdict.kind === "bad") return verdict;
  if (namesHost(leaf, against.host)) return verdict;
  return bad("certificate-foreign", "The server's certificate names another host");
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

/** Splits a text of several PEM certificates. */
export function splitPem(text: string): string[] {
  return (text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [])
    .map((pem) => `${pem}\n`);
}

interface Leaf {
  readonly commonName: string;
  readonly publicKey: CryptoKey;
  readonly validity: Validity;
  readonly purposes: string[];
  readonly names: x509.JsonGeneralNames;
  readonly claims: Claims | null;
}

async function issue(authority: Authority, leaf: Leaf): Promise<Certificate> {
  const issuer = new x509.X509Certificate(authority.certificate.der);
  const until = Math.min(leaf.validity.notAfterMs, authority.certificate.validity.notAfterMs);
  if (until <= leaf.validity.notBeforeMs) throw new RangeError("The authority is no longer valid");
  return await create({
    subject: [{ CN: [leaf.commonName] }],
    issuer: issuer.subjectName.toJSON(),
    publicKey: leaf.publicKey,
    key: authority.key,
    validity: { notBeforeMs: leaf.validity.notBeforeMs, notAfterMs: until },
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(leaf.purposes),
      new x509.SubjectAlternativeNameExtension(leaf.names),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(leaf.claims === null
        ? []
        : [new x509.Extension(CLAIMS_OID, false, encodeClaims(leaf.claims))]),
    ],
  });
}

async function create(fields: {
  readonly subject: x509.JsonName;
  readonly issuer: x509.JsonName;
  readonly publicKey: x509.PublicKeyType;
  readonly key: CryptoKey;
  readonly validity: Validity;
  readonly extensions: x509.Extension[];
}): Promise<Certificate> {
  const created = await x509.X509CertificateGenerator.create({
    // 127 random bits: positive, and never twice
    serialNumber: `${"01234567"[randomHex(1).charCodeAt(0) & 7]}${randomHex(16).slice(1)}`,
    subject: fields.subject,
    issuer: fields.issuer,
    notBefore: new Date(fields.validity.notBeforeMs),
    notAfter: new Date(fields.validity.notAfterMs),
    publicKey: fields.publicKey,
    signingKey: fields.key,
    signingAlgorithm: SIGNING,
    extensions: fields.extensions,
  });
  const certificate = parseCertificate(new Uint8Array(created.rawData));
  if (certificate === null) throw new TypeError("A certificate we signed cannot be read");
  return certificate;
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

function isAddress(text: string): boolean {
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
