/**
 * Keys, digests and chance. P-256 everywhere: every TLS stack speaks it and it signs quickly.
 *
 * @module
 */
import { createHash, createHmac, createPublicKey, randomBytes, timingSafeEqual } from "node:crypto";
import { appIdFromDigest, appIdSource } from "../identity/mod.ts";

/** A key of ours as it is kept in a file: PKCS #8 and SubjectPublicKeyInfo, both PEM. */
interface KeyPair {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
}

const ECDSA_P256 = { name: "ECDSA", namedCurve: "P-256" } as const;

/** Makes a P-256 key. */
export async function generateKeyPair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey(ECDSA_P256, true, ["sign", "verify"]);
  return {
    privateKeyPem: toPem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", pair.privateKey)),
    publicKeyPem: toPem("PUBLIC KEY", await crypto.subtle.exportKey("spki", pair.publicKey)),
  };
}

/**
 * Reads a private key of ours to sign with.
 *
 * @throws {DOMException} When the PEM holds anything but a P-256 key in PKCS #8.
 */
export function importPrivateKey(privateKeyPem: string): Promise<CryptoKey> {
  const body = privateKeyPem.replaceAll(/-----[A-Z ]+-----|\s/g, "");
  return crypto.subtle.importKey(
    "pkcs8",
    Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0)),
    ECDSA_P256,
    false,
    ["sign"],
  );
}

/**
 * Reads a public key a peer sent.
 *
 * @returns The key, or `null` if the PEM holds anything but a P-256 key.
 */
export async function importPublicKey(publicKeyPem: string): Promise<CryptoKey | null> {
  // Node would also take the public half of a private key, which nobody should send
  if (!publicKeyPem.trimStart().startsWith("-----BEGIN PUBLIC KEY-----")) return null;
  try {
    const key = createPublicKey({ key: publicKeyPem, format: "pem", type: "spki" });
    if (key.asymmetricKeyType !== "ec") return null;
    const spki = key.export({ type: "spki", format: "der" });
    return await crypto.subtle.importKey("spki", new Uint8Array(spki), ECDSA_P256, true, [
      "verify",
    ]);
  } catch {
    return null;
  }
}

/**
 * The public half of a private key of any kind, PKCS #8, PKCS #1 or SEC 1, as certificates name it.
 *
 * @returns `sha256:` and the hex SHA-256 of the SubjectPublicKeyInfo, or `null` if the PEM holds no private key.
 */
export function publicPinOf(privateKeyPem: string): string | null {
  if (!privateKeyPem.includes("PRIVATE KEY-----")) return null;
  try {
    const spki = createPublicKey({ key: privateKeyPem, format: "pem" })
      .export({ type: "spki", format: "der" });
    return `sha256:${sha256(new Uint8Array(spki)).toHex()}`;
  } catch {
    return null;
  }
}

/** Random hex digits: two for each byte. */
export function randomHex(sizeBytes: number): string {
  return randomBytes(sizeBytes).toString("hex");
}

const READABLE = "abcdefghijkmnpqrstuvwxyz23456789";

/** A password nobody has used before: 20 letters and digits in groups of 5, 100 bits, none that look alike. */
export function randomPassword(): string {
  // 32 letters: five bits of each byte are taken, so none is likelier than another
  const letters = Array.from(randomBytes(20), (byte) => READABLE[byte & 31]).join("");
  return letters.replaceAll(/.{5}(?=.)/g, "$&-");
}

export function sha256(input: Uint8Array | string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(input).digest());
}

export function hmacSha256(key: Uint8Array, input: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac("sha256", key).update(input).digest());
}

/** Compares in a time that does not depend on where the two differ. */
export function equalSecret(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The id of an app in server names and certificates: 16 hex digits. */
export function appId(cluster: string, app: string): string {
  return appIdFromDigest(sha256(appIdSource(cluster, app)));
}

/** Wraps DER in PEM, 64 letters to a line. */
export function toPem(label: string, der: ArrayBuffer | Uint8Array): string {
  const base64 = new Uint8Array(der).toBase64();
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
