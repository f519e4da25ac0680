import { Buffer } from "node:buffer";
import { deepEqual, equal } from "node:assert/strict";
import { type BegunLogin, Seal } from "./sealed.ts";

const LOGIN: BegunLogin = {
  connector: "corp",
  publicKeyPem: "a key",
  ttlSeconds: null,
  expiresMs: 1000,
  flow: { kind: "code", port: 1234, state: "s", nonce: "n", verifier: "v" },
};
const seal = new Seal(new Uint8Array(32));

Deno.test("Seal opens what it closed until it expires, and says nothing of it to whoever keeps it", () => {
  const text = seal.close(LOGIN);
  deepEqual(seal.open(text, 999), LOGIN);
  equal(seal.open(text, 1000), null);
  equal(/^[A-Za-z0-9_-]+$/.test(text), true);
  equal(Buffer.from(text, "base64url").includes("corp"), false);
  equal(seal.close(LOGIN) === text, false);
});

Deno.test("Seal opens nothing that anybody else made or changed", () => {
  const text = seal.close(LOGIN);
  equal(new Seal(new Uint8Array(32).fill(1)).open(text, 0), null);
  const bytes = Buffer.from(text, "base64url");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 1;
    equal(seal.open(changed.toString("base64url"), 0), null);
  }
  for (const cut of [0, 1, 12, 27, 28, 29, bytes.length - 1]) {
    equal(seal.open(bytes.subarray(0, cut).toString("base64url"), 0), null);
  }
});
