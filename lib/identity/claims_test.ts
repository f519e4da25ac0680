import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { type Claims, encodeClaims, parseClaims } from "./claims.ts";

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
