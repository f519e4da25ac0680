import { deepEqual, equal, ok } from "node:assert/strict";
import { LockTargetSchema } from "../config/mod.ts";
import { isPrincipalName } from "./principal.ts";
import { homeOf, mapRoles, type RoleMap, rolesHere, userHere } from "./trust.ts";

Deno.test("mapRoles() gives what the rows say for the roles there, and nothing for the others", async (t) => {
  const map: RoleMap = [
    { remote: "dev", local: ["read", "web"] },
    { remote: "ops-*", local: ["read"] },
    { remote: "*-admin", local: ["all"] },
  ];
  const cases: [roles: string[], want: string[]][] = [
    [[], []],
    [["dev"], ["read", "web"]],
    [["ops-eu"], ["read"]],
    [["ops-eu", "dev"], ["read", "web"]],
    [["ops"], []], // whole names
    [["xdev"], []],
    [["dev*"], []], // what a role is called is no pattern
    [["ops-admin"], ["all", "read"]],
    [["read", "all", "web"], []], // names of roles here count for nothing
  ];
  for (const [roles, want] of cases) {
    await t.step(roles.join(" ") || "none", () => deepEqual(mapRoles(map, roles), want));
  }
  await t.step("an empty map, and one that gives nothing", () => {
    deepEqual(mapRoles([], ["dev"]), []);
    deepEqual(mapRoles([{ remote: "*", local: [] }], ["dev"]), []);
  });
});

Deno.test("rolesHere() is the roles themselves for the own cluster, mapped for a trusted one, and null for any other", () => {
  const trust = [
    { cluster: "leaf", roleMap: null },
    { cluster: "root", roleMap: [{ remote: "*", local: ["guest"] }] },
  ];
  deepEqual(rolesHere(trust, "leaf", ["dev"]), ["dev"]);
  deepEqual(rolesHere(trust, "root", ["dev"]), ["guest"]);
  equal(rolesHere(trust, "other", ["dev"]), null);
});

Deno.test("userHere() tells users of other clusters from the own ones", () => {
  equal(userHere({ name: "alice", cluster: "leaf" }, "leaf"), "alice");
  equal(userHere({ name: "alice", cluster: "root" }, "leaf"), "root/alice");
  deepEqual(homeOf("root/alice"), { cluster: "root", name: "alice" });
  equal(homeOf("alice"), null);
});

Deno.test("userHere() calls nobody of another cluster as a user here can be called", () => {
  for (const name of ["alice", "a.b@c+d-e_f", "x"]) {
    const there = userHere({ name, cluster: "root.example" }, "leaf");
    equal(isPrincipalName(there), false);
    ok(LockTargetSchema.safeParse({ user: there }).success);
  }
});
