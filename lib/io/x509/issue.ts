/**
 * The only code that signs certificates. What may be in one is the fields of the functions below, how long it lives is
 * decided in identity/lifetime; nothing a peer writes is copied in.
 *
 * @module
 * @see RFC 5280
 */
import "reflect-metadata"; // must come before @peculiar/x509
import * as x509 from "@peculiar/x509";
import {
  agentDnsName,
  type AppClaims,
  appValidity,
  authorityValidity,
  type Claims,
  CLAIMS_OID,
  encodeClaims,
  encodeGrounds,
  formatPrincipal,
  type Grounds,
  GROUNDS_OID,
  hostValidity,
  userValidity,
  type Validity,
} from "../../identity/mod.ts";
import { generateKeyPair, importPrivateKey, randomHex } from "../keys.ts";
import {
  type Certificate,
  CLIENT_AUTH,
  isAddress,
  parseCertificate,
  PROXY_COMMON_NAME,
  SERVER_AUTH,
} from "./verify.ts";

const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;

/** What an authority signs for. */
export type AuthorityKind = "user" | "host";

/** An authority's certificate and key as they are kept. */
interface AuthorityPem {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** An authority, ready to sign. */
export interface Authority {
  readonly certificate: Certificate;
  readonly key: CryptoKey;
}

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
    readonly claims: Omit<AppClaims, "kind" | "grounds">;
    /** What is said of the user. */
    readonly person?: Grounds["claims"];
    readonly publicKey: CryptoKey;
  },
  life: {
    readonly nowMs: number;
    readonly userNotAfterMs: number;
    /** The hour that it lives at most, or less. */
    readonly maxLifeMs?: number;
  },
): Promise<Certificate> {
  const { cluster, user, claims, person = {}, publicKey } = fields;
  const endsMs = Math.min(life.userNotAfterMs, life.nowMs + (life.maxLifeMs ?? Infinity));
  const grounds = { loginExpiresMs: life.userNotAfterMs, claims: person };
  return issue(authority, {
    commonName: user,
    publicKey,
    validity: appValidity(life.nowMs, endsMs),
    purposes: [CLIENT_AUTH],
    names: [{ type: "url", value: formatPrincipal({ kind: "user", cluster, name: user }) }],
    claims: { ...claims, kind: "app", grounds },
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

/** Signs what a leaf is known by: a client, toward the proxy of the cluster whose authority signs. */
export function issueLeafCertificate(
  authority: Authority,
  fields: {
    readonly cluster: string;
    readonly leaf: string;
    /** What tells this time that it joined from others. */
    readonly id: string;
    readonly publicKey: CryptoKey;
  },
  nowMs: number,
): Promise<Certificate> {
  const { cluster, leaf, id, publicKey } = fields;
  return issue(authority, {
    commonName: leaf,
    publicKey,
    validity: hostValidity(nowMs),
    purposes: [CLIENT_AUTH],
    names: [{ type: "url", value: formatPrincipal({ kind: "leaf", cluster, name: id }) }],
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
    commonName: PROXY_COMMON_NAME,
    publicKey: fields.publicKey,
    validity: hostValidity(nowMs),
    purposes: [SERVER_AUTH],
    names: names.map((name) => ({ type: isAddress(name) ? "ip" : "dns", value: name })),
    claims: null,
  });
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
      ...(leaf.claims === null ? [] : extensionsOf(leaf.claims)),
    ],
  });
}

function extensionsOf(claims: Claims): x509.Extension[] {
  const grounds = encodeGrounds(claims);
  return [
    new x509.Extension(CLAIMS_OID, false, encodeClaims(claims)),
    ...(grounds === null ? [] : [new x509.Extension(GROUNDS_OID, false, grounds)]),
  ];
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
