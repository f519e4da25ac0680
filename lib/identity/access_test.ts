import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { compileRole, type PersonalRole, personalRole, type RoleSpec } from "../config/mod.ts";
import { decideAccess, type Labels, matchesSelector, maxSessionMs } from "./access.ts";

const ALICE = { user: "alice", claims: { team: ["payments", "search"] } };

function role(name: string, spec: Partial<RoleSpec>): PersonalRole {
  return personalRole(compileRole(name, { allow: {}, deny: {}, options: {}, ...spec }), ALICE);
}

const everything = role("all", { allow: { app_labels: { "*": "*" } } });
const dev = role("dev", { allow: { app_labels: { env: ["dev", "staging"] } } });
const noDb = role("no-db", { deny: { app_labels: { kind: "db" } } });
const eu = role("eu", { allow: { app_labels: { env: ["dev", "^prod-(eu|us)$"] } } });
const own = role("own", { allow: { app_labels: { owner: "{{user}}" } } });
const team = role("team", { allow: { app_labels: { team: "{{claims.team}}" } } });
const notTheirs = role("nt", { deny: { app_labels: { team: "{{claims.team}}" } } });
const strict = role("strict", {
  allow: { app_labels: { env: "dev" } },
  options: {
    require_session_mfa: true,
    client_idle_timeout: "10m",
    disconnect_expired_cert: false,
  },
});

Deno.test("decideAccess() allows by labels, and deny wins", async (t) => {
  const cases: [
    name: string,
    roles: PersonalRole[],
    labels: Labels,
    want: "allowed" | string | null,
  ][] = [
    ["nobody's role allows nothing", [], { env: "dev" }, null],
    ["a star allows an app without labels", [everything], {}, "allowed"],
    ["one of several values", [dev], { env: "staging" }, "allowed"],
    ["another value", [dev], { env: "prod" }, null],
    ["a label that is missing", [dev], {}, null],
    ["a deny rule beats a star", [everything, noDb], { kind: "db" }, "no-db"],
    ["a deny rule beats a star whatever the order", [noDb, everything], { kind: "db" }, "no-db"],
    ["a deny rule alone allows nothing else", [noDb], { kind: "web" }, null],
    ["a regular expression", [eu], { env: "prod-eu" }, "allowed"],
    ["a regular expression is anchored", [eu], { env: "prod-eu-2" }, null],
    ["the user's own", [own], { owner: "alice" }, "allowed"],
    ["another's own", [own], { owner: "bob" }, null],
    ["any value of a claim", [own, team], { team: "search" }, "allowed"],
    ["no value of a claim", [team], { team: "sales" }, null],
    ["a deny rule with a claim beats a star", [everything, notTheirs], { team: "search" }, "nt"],
    [
      "a claim that is missing denies nothing",
      [everything, role("r", { deny: { app_labels: { team: "{{claims.none}}" } } })],
      { team: "search" },
      "allowed",
    ],
    [
      "an inherited property is no label",
      [role("r", { allow: { app_labels: { toString: "*" } } })],
      {},
      null,
    ],
  ];
  for (const [name, roles, labels, want] of cases) {
    await t.step(name, () => {
      const decision = decideAccess(roles, labels);
      equal(decision.kind === "allowed" ? "allowed" : decision.role, want);
    });
  }
});

Deno.test("decideAccess() takes the strictest option of the roles that allow", () => {
  deepEqual(decideAccess([everything, strict], { env: "dev" }), {
    kind: "allowed",
    requireSessionMfa: true,
    clientIdleMs: 600_000,
    disconnectExpired: true,
  });
  // A role that does not allow the app has no say in how it is used
  deepEqual(decideAccess([everything, strict], { env: "prod" }), {
    kind: "allowed",
    requireSessionMfa: false,
    clientIdleMs: null,
    disconnectExpired: true,
  });
});

Deno.test("maxSessionMs() is the least of the roles' limits", () => {
  const limited = (ttl: string) => role(ttl, { options: { max_session_ttl: ttl } });
  equal(maxSessionMs([limited("2h"), limited("30m"), dev]), 1_800_000);
  equal(maxSessionMs([dev]), null);
});

const key = fc.constantFrom("env", "kind", "team");
const value = fc.constantFrom("dev", "prod", "d", "");
const labels = fc.dictionary(key, value);
const pattern = fc.oneof(value, fc.constantFrom("*", "d*", "*v", "p*d", "**"));
type Rules = { readonly key: string; readonly values: readonly string[] }[];
const selector: fc.Arbitrary<Rules> = fc.uniqueArray(
  fc.record({ key: fc.oneof(key, fc.constant("*")), values: fc.array(pattern, { maxLength: 3 }) }),
  { selector: (rule) => rule.key, maxLength: 3 },
);
const anyRules = fc.record({ allow: selector, deny: selector });
type AnyRules = typeof anyRules extends fc.Arbitrary<infer T> ? T : never;

function ruled({ allow, deny }: AnyRules): PersonalRole {
  const labelsOf = (rules: Rules) =>
    Object.fromEntries(rules.map(({ key, values }) => [key, values]));
  return role("r", {
    allow: { app_labels: labelsOf(allow) },
    deny: { app_labels: labelsOf(deny) },
  });
}

/** The rules as a person would say them, with regular expressions. */
function obviously(roles: readonly AnyRules[], of: Labels): boolean {
  const fits = (rules: Rules) =>
    rules.length > 0 &&
    rules.every(({ key, values }) =>
      key === "*"
        ? values.some((one) => obviousPattern(one, "*"))
        : key in of && values.some((one) => obviousPattern(one, of[key]!))
    );
  return roles.some((one) => fits(one.allow)) && !roles.some((one) => fits(one.deny));
}

function obviousPattern(one: string, text: string): boolean {
  const parts = one.split("*").map((part) => part.replaceAll(/[^a-z]/g, (letter) => `\\${letter}`));
  return new RegExp(`^${parts.join(".*")}$`, "s").test(text);
}

Deno.test("decideAccess() agrees with the obvious way", () => {
  fc.assert(fc.property(fc.array(anyRules, { maxLength: 4 }), labels, (roles, of) => {
    equal(decideAccess(roles.map(ruled), of).kind === "allowed", obviously(roles, of));
  }));
});

Deno.test("decideAccess() does not depend on the order of roles, and one more deny never allows", () => {
  fc.assert(
    fc.property(fc.array(anyRules, { maxLength: 4 }), anyRules, labels, (rules, more, of) => {
      const [roles, extra] = [rules.map(ruled), ruled(more)];
      const before = decideAccess(roles, of).kind;
      equal(decideAccess([...roles].reverse(), of).kind, before);
      const denying = { ...extra, allowApps: [] };
      if (before === "denied") equal(decideAccess([...roles, denying], of).kind, "denied");
    }),
  );
});

Deno.test("matchesSelector() matches nothing when it is empty", () => {
  equal(matchesSelector([], { env: "dev" }), false);
});
