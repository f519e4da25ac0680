import { equal, match, notEqual, ok } from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import {
  appId,
  equalSecret,
  generateKeyPair,
  hmacSha256,
  importPrivateKey,
  importPublicKey,
  randomHex,
  randomPassword,
  sha256,
} from "./keys.ts";

Deno.test("generateKeyPair() makes a pair whose halves belong together", async () => {
  const pair = await generateKeyPair();
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const message = new TextEncoder().encode("hello");
  const signature = await crypto.subtle.sign(
    algorithm,
    await importPrivateKey(pair.privateKeyPem),
    message,
  );
  const publicKey = await importPublicKey(pair.publicKeyPem);
  ok(publicKey && await crypto.subtle.verify(algorithm, publicKey, signature, message));
});

Deno.test("digests are SHA-256's", () => {
  equal(sha256("abc").toHex(), createHash("sha256").update("abc").digest("hex"));
  const key = new Uint8Array([1, 2, 3]);
  equal(
    hmacSha256(key, new Uint8Array([4])).toHex(),
    createHmac("sha256", key).update(new Uint8Array([4])).digest("hex"),
  );
  match(appId("c", "a"), /^[0-9a-f]{16}$/);
  notEqual(appId("c", "a"), appId("c", "b"));
});

Deno.test("chance gives what was asked, and never the same", () => {
  match(randomHex(16), /^[0-9a-f]{32}$/);
  notEqual(randomHex(16), randomHex(16));
  match(randomPassword(), /^(?:[a-km-np-z2-9]{5}-){3}[a-km-np-z2-9]{5}$/);
  notEqual(randomPassword(), randomPassword());
});

Deno.test("equalSecret() compares lengths too", () => {
  equal(equalSecret(new Uint8Array([1]), new Uint8Array([1])), true);
  equal(equalSecret(new Uint8Array([1]), new Uint8Array([1, 0])), false);
  equal(equalSecret(new Uint8Array([1]), new Uint8Array([2])), false);
});
