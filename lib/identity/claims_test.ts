import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import {
  type AppClaims,
  type Claims,
  encodeClaims,
  encodeGrounds,
  parseClaims,
  parseExtensions,
} from "./claims.ts";

const name = fc.string({ minLength: 1, maxLength: 20 });
const sessionId = fc.string({
  unit: fc.constantFrom(..."0123456789abcdef"),
  minLength: 32,
  maxLength: 32,
});
const claims: fc.Arbitrary<Claims> = fc.oneof(
  fc.record({ kind: fc.constant("user" as const), cluster: name, sessionId }),
  fc.record({
    kind: fc.constant("app" as const),
    cluster: name,
    app: name,
    publicAddr: name,
    port: fc.integer({ min: 0, max: 65_535 }),
    roles: fc.array(name, { maxLength: 4 }),
    sessionId,
    loginId: sessionId,
    mfaTimeMs: fc.option(fc.nat(), { nil: null }),
  }),
);

Deno.test("parseClaims() reads what encodeClaims() writes", () => {
  fc.assert(fc.property(claims, (one) => deepEqual(parseClaims(encodeClaims(one)), one)));
});

Deno.test("parseClaims() answers null to anything that is not exactly that", async (t) => {
  const good = { kind: "user", cluster: "c", session_id: "0".repeat(32) };
  const cases: [name: string, value: unknown][] = [
    ["an unknown key", { ...good, admin: true }],
    ["another kind", { ...good, kind: "agent" }],
    ["no session", { kind: "user", cluster: "c" }],
    ["a session of other letters", { ...good, session_id: "Z".repeat(32) }],
    ["an app without a port", { ...good, kind: "app", app: "a", public_addr: "a.b", roles: [] }],
    ["a list", [good]],
    ["null", null],
  ];
  for (const [label, value] of cases) {
    await t.step(label, () => {
      equal(parseClaims(new TextEncoder().encode(JSON.stringify(value))), null);
    });
  }
  equal(parseClaims(new Uint8Array([0xff, 0xfe])), null);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => equal(parseClaims(bytes), null)));
});

Deno.test("parseExtensions() reads what else is known of a user, and older certificates without it", async (t) => {
  const older: AppClaims = {
    kind: "app",
    cluster: "c",
    app: "db",
    publicAddr: "db.c",
    port: 0,
    roles: ["dev"],
    sessionId: "0".repeat(32),
    loginId: "1".repeat(32),
    mfaTimeMs: null,
  };
  const read = (claims: Claims, more: Uint8Array | null) =>
    parseExtensions(encodeClaims(claims), more);
  await t.step("both", () => {
    for (const said of [{}, { team: ["a", "b"] }]) {
      const claims = { ...older, grounds: { loginExpiresMs: 5, claims: said } };
      deepEqual(read(claims, encodeGrounds(claims)), claims);
    }
  });
  await t.step("an older certificate has one", () => {
    equal(encodeGrounds(older), null);
    deepEqual(read(older, null), older);
  });
  await t.step("a newer one may say more", () => {
    const more = new TextEncoder().encode('{"login_expires_ms":5,"later":true}');
    deepEqual(read(older, more), { ...older, grounds: { loginExpiresMs: 5, claims: {} } });
  });
  for (const text of ["", "{}", '{"login_expires_ms":-1}', '{"login_expires_ms":1,"claims":[]}']) {
    await t.step(`not: ${text}`, () => equal(read(older, new TextEncoder().encode(text)), null));
  }
  await t.step("a login's has none", () => {
    const login: Claims = { kind: "user", cluster: "c", sessionId: "0".repeat(32) };
    equal(read(login, new TextEncoder().encode('{"login_expires_ms":1}')), null);
  });
});
