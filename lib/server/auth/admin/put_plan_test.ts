import { deepEqual } from "node:assert/strict";
import { checkResource, type Resource } from "../../../config/mod.ts";
import { bodyOf, keyOf, planPuts } from "./put_plan.ts";

function made(kind: string, name: string, spec: unknown, revision?: number): Resource {
  const metadata = { name, ...(revision === undefined ? {} : { revision }) };
  return checkResource({ kind, version: "v1", metadata, spec }, "test");
}

const role = (name: string, spec: unknown = {}, revision?: number) =>
  made("role", name, spec, revision);

/** There are the role "dev", changed twice, and the user "alice". */
const THERE = [
  role("dev", { allow: { app_labels: { env: "dev", team: "a" } } }),
  made("user", "alice", { roles: ["dev"] }),
].map((resource, i) => ({
  kind: resource.kind,
  name: resource.metadata.name,
  revision: 3 - i,
  body: bodyOf(resource),
}));

const HELD = {
  resources: new Map(THERE.map((one) => [keyOf(one.kind, one.name), one])),
  agentIds: ["a1"],
  sessionIds: ["0".repeat(32)],
  proxyHosts: ["proxy.c.example"],
  leaves: [],
  guests: ["gwen"],
};

const provider = (role: string) =>
  made("oidc", "corp", {
    issuer_url: "https://id.example",
    client_id: "vnet",
    claims_to_roles: [{ claim: "groups", value: "dev", roles: [role] }],
  });

Deno.test("planPuts() says of each resource what becomes of it, or what is wrong", async (t) => {
  const cases: [name: string, resource: Resource, replace: boolean, want: string][] = [
    ["a new one", role("ops"), false, "created"],
    [
      "the same in another order of keys",
      role("dev", { allow: { app_labels: { team: "a", env: "dev" } } }),
      false,
      "unchanged",
    ],
    ["the same, of an old revision", role("dev", specOf("dev"), 1), false, "unchanged"],
    ["another, of the revision there is", role("dev", {}, 3), false, "replaced"],
    ["another, of an old revision", role("dev", {}, 2), true, "resource-changed"],
    ["another, of one that is gone", role("gone", {}, 2), true, "resource-changed"],
    ["another", role("dev"), false, "resource-exists"],
    ["another, forced", role("dev"), true, "replaced"],
    ["the one vnet_config", made("vnet_config", "vnet-config", {}), false, "created"],
    ["a user of a role", made("user", "bob", { roles: ["dev"] }), false, "created"],
    ["a user of no role", made("user", "bob", { roles: ["x"] }), false, "resource-invalid"],
    ["a lock of a user", lock({ user: "alice" }), false, "created"],
    ["a public address", made("public_addr", "a.test", { app: "db" }), false, "created"],
    [
      "the proxy's own name",
      made("public_addr", "proxy.c.example", { app: "db" }),
      true,
      "resource-invalid",
    ],
    ["a lock of a guest", lock({ user: "gwen" }), false, "created"],
    ["a provider whose users get a role", provider("dev"), false, "created"],
    ["a provider whose users get no role that is there", provider("x"), false, "resource-invalid"],
    ["a lock of nobody", lock({ user: "bob" }), false, "resource-invalid"],
    ["a lock of an agent", lock({ agent: "a1" }), false, "created"],
    ["a lock of a session", lock({ session: "1".repeat(32) }), false, "resource-invalid"],
  ];
  for (const [name, resource, replace, want] of cases) {
    await t.step(name, () => {
      const { drafts, mistakes } = planPuts([resource], HELD, {
        replace,
        anybody: false,
        alsoNamed: [],
      });
      deepEqual(mistakes[0]?.code ?? drafts[0]?.outcome, want);
    });
  }
});

Deno.test("planPuts() lets a lock be for anybody when told so", () => {
  const options = { replace: false, anybody: true, alsoNamed: [] };
  deepEqual(planPuts([lock({ user: "bob" })], HELD, options).mistakes, []);
});

function lock(target: unknown): Resource {
  return made("lock", "l", { target });
}

function specOf(name: string): unknown {
  return JSON.parse(THERE.find((one) => one.name === name)!.body).spec;
}
