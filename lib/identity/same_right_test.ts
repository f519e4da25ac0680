import { equal } from "node:assert/strict";
import type { AppClaims } from "./claims.ts";
import type { Principal } from "./principal.ts";
import { rightOf } from "./same_right.ts";

const PRINCIPAL: Principal = { kind: "user", cluster: "c.example", name: "alice" };
const CLAIMS: AppClaims = {
  kind: "app",
  cluster: "c.example",
  app: "db",
  publicAddr: "db.c.example",
  port: 0,
  roles: ["dev", "ops"],
  sessionId: "1".repeat(32),
  loginId: "2".repeat(32),
  mfaTimeMs: null,
};

Deno.test("rightOf() is equal for certificates that give the same right, and for no others", async (t) => {
  const cases: [
    name: string,
    principal: Partial<Principal>,
    claims: Partial<AppClaims>,
    same: boolean,
  ][] = [
    ["a renewed certificate has a session of its own", {}, { sessionId: "3".repeat(32) }, true],
    ["roles in another order", {}, { roles: ["ops", "dev"] }, true],
    ["another name of the app", {}, { publicAddr: "db.company.test" }, true],
    ["another login", {}, { loginId: "3".repeat(32) }, false],
    ["another user", { name: "bob" }, {}, false],
    ["another cluster's user", { cluster: "d.example" }, {}, false],
    ["another app", {}, { app: "db2" }, false],
    ["another port", {}, { port: 5432 }, false],
    ["fewer roles", {}, { roles: ["dev"] }, false],
    ["more roles", {}, { roles: ["dev", "ops", "root"] }, false],
    ["roles that only look the same", {}, { roles: ['dev","ops'] }, false],
    [
      "what is said of the user",
      {},
      { grounds: { loginExpiresMs: 1, claims: { t: ["a"] } } },
      false,
    ],
    ["the second factor was shown", {}, { mfaTimeMs: 1 }, false],
  ];
  const right = rightOf(PRINCIPAL, CLAIMS);
  for (const [name, principal, claims, same] of cases) {
    await t.step(name, () => {
      const other = rightOf({ ...PRINCIPAL, ...principal } as Principal, { ...CLAIMS, ...claims });
      equal(other === right, same);
    });
  }
});
