/**
 * What the server writes down for itself and gives somebody else to keep: nobody else can read or change it. So what
 * has begun takes no room here, and may be finished at another server of the cluster.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { z } from "zod";
import { hmacSha256 } from "../../../io/mod.ts";
import { parseJson } from "../../../json.ts";

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PURPOSE = new TextEncoder().encode("vnet oidc login 1");

const SealedSchema = z.strictObject({
  connector: z.string(),
  /** SubjectPublicKeyInfo, PEM: whom the certificate will be for. */
  publicKeyPem: z.string(),
  ttlSeconds: z.int().nullable(),
  expiresMs: z.int(),
  flow: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("code"),
      port: z.int(),
      state: z.string(),
      nonce: z.string(),
      verifier: z.string(),
    }),
    z.strictObject({ kind: z.literal("device"), deviceCode: z.string(), interval: z.int() }),
  ]),
});
/** A login that has begun. */
export type BegunLogin = z.infer<typeof SealedSchema>;

/** Seals and opens with a key that is drawn from one of the cluster's. */
export class Seal {
  readonly #key: Uint8Array;

  constructor(clusterKey: Uint8Array) {
    this.#key = hmacSha256(clusterKey, PURPOSE);
  }

  close(login: BegunLogin): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce);
    const body = [cipher.update(JSON.stringify(login), "utf8"), cipher.final()];
    return Buffer.concat([nonce, ...body, cipher.getAuthTag()]).toString("base64url");
  }

  /** @returns `null` unless it was sealed here and has not expired. */
  open(text: string, nowMs: number): BegunLogin | null {
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length <= NONCE_BYTES + TAG_BYTES) return null;
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const body = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
      const plain = Buffer.concat([decipher.update(body), decipher.final()]);
      const login = SealedSchema.safeParse(parseJson(new Uint8Array(plain)));
      return login.success && nowMs < login.data.expiresMs ? login.data : null;
    } catch {
      return null;
    }
  }
}
