import { deepEqual, equal } from "node:assert/strict";
import { checkResource, type OidcSpec } from "../config/mod.ts";
import { type ProviderClaims, signIn } from "./sign_in.ts";

const ROWS = [{ claim: "groups", value: "dev*", roles: ["dev", "read"] }, {
  claim: "groups",
  value: "^(ops|sre)$",
  roles: ["ops"],
}, { claim: "admin", value: "true", roles: ["admin"] }];

function spec(more: Partial<Record<keyof OidcSpec, unknown>> = {}): OidcSpec {
  const resource = checkResource({
    kind: "oidc",
    version: "v1",
    metadata: { name: "corp" },
    spec: { issuer_url: "https://id.test", client_id: "vnet", claims_to_roles: ROWS, ...more },
  }, "oidc/corp");
  if (resource.kind !== "oidc") throw new TypeError("Another kind");
  return resource.spec;
}

const ANN = { preferred_username: "ann", groups: ["developers"] };

Deno.test("signIn() gives the roles of every row that fits, each once", async (t) => {
  const rows: readonly (readonly [ProviderClaims, readonly string[]])[] = [
    [ANN, ["dev", "read"]],
    [{ ...ANN, groups: "developers" }, ["dev", "read"]],
    [{ ...ANN, groups: ["developers", "devops", "sre"] }, ["dev", "ops", "read"]],
    [{ ...ANN, groups: ["ops"], admin: true }, ["admin", "ops"]],
    [{ ...ANN, groups: [], admin: "true" }, ["admin"]],
  ];
  for (const [claims, roles] of rows) {
    await t.step(JSON.stringify(claims), () => {
      const read = signIn(spec(), claims);
      deepEqual(read.kind === "good" ? read.roles : read, roles);
    });
  }
});

Deno.test("signIn() says why somebody is nobody here", async (t) => {
  const groups = ["developers"];
  const rows: readonly (readonly [string, ProviderClaims, Parameters<typeof spec>[0], string])[] = [
    ["no group fits", { ...ANN, groups: ["visitors", "predev", "srex"] }, {}, "role"],
    ["no groups", { preferred_username: "ann" }, {}, "role"],
    ["groups of another form", { ...ANN, groups: { developers: true } }, {}, "role"],
    ["not true", { ...ANN, groups: [], admin: false }, {}, "role"],
    ["no name", { groups }, {}, "name"],
    ["a name that is none", { preferred_username: "a b", groups }, {}, "name"],
    ["a name too long", { preferred_username: "a".repeat(64), groups }, {}, "name"],
    ["a name with a path", { preferred_username: "../ann", groups }, {}, "name"],
    ["a list of names", { preferred_username: ["ann"], groups }, {}, "name"],
    ["an address nobody verified", { email: "ann@corp.test", groups }, {}, "email"],
    [
      "an address that a text says is verified",
      { email: "ann@corp.test", email_verified: "true", groups },
      {},
      "email",
    ],
    [
      "an address asked for, and not verified",
      { ...ANN, email: "ann@corp.test", email_verified: false },
      { username_claim: "email" },
      "email",
    ],
    ["another claim asked for", ANN, { username_claim: "login" }, "name"],
    ["a claim of the prototype's", ANN, { username_claim: "constructor" }, "name"],
    ["a kept claim too long", { ...ANN, team: "x".repeat(257) }, { claims: ["team"] }, "claims"],
    [
      "a kept claim of too many values",
      { ...ANN, team: Array.from({ length: 17 }, (_, i) => `t${i}`) },
      { claims: ["team"] },
      "claims",
    ],
    [
      "more groups than are read",
      { ...ANN, groups: Array.from({ length: 2049 }, () => "developers") },
      {},
      "claims",
    ],
  ];
  for (const [what, claims, more, why] of rows) {
    await t.step(what, () => {
      const read = signIn(spec(more), claims);
      equal(read.kind === "bad" ? read.why : read.kind, why);
    });
  }
});

Deno.test("signIn() takes the name from the claim that is asked for, and keeps what roles may go by", () => {
  const email = { email: "ann@corp.test", email_verified: true };
  const by = (more: Parameters<typeof spec>[0], claims: ProviderClaims) => {
    const read = signIn(spec(more), claims);
    return read.kind === "good" ? read.person : read;
  };
  deepEqual(by({}, { ...ANN, ...email }), { user: "ann", claims: {} });
  deepEqual(by({}, { groups: ["developers"], ...email }), { user: "ann@corp.test", claims: {} });
  deepEqual(by({ username_claim: "email" }, { ...ANN, ...email }), {
    user: "ann@corp.test",
    claims: {},
  });
  deepEqual(
    by({ claims: ["groups", "team", "nothing"] }, { ...ANN, team: "blue", secret: "x" }),
    { user: "ann", claims: { groups: ["developers"], team: ["blue"] } },
  );
});
