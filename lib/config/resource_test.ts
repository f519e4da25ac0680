import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { ConfigError } from "../error.ts";
import { checkResource, DEFAULT_VNET_CONFIG, parseResources } from "./resource.ts";
import { compileRole } from "./role/role.ts";

const DOCUMENTS = `
kind: vnet_config
version: v1
metadata: { name: vnet-config }
spec:
  ipv4_cidr_range: "100.64.0.0/10"
  custom_dns_zones: [{ suffix: Company.test }]
---
kind: role
version: v1
metadata: { name: dev }
spec:
  allow: { app_labels: { env: [dev, staging] } }
  deny: {}
  options: { max_session_ttl: 12h, require_session_mfa: false, client_idle_timeout: 0s, disconnect_expired_cert: true }
---
kind: user
version: v1
metadata: { name: alice@example.com }
spec: { roles: [dev] }
---
kind: lock
version: v1
metadata: { name: lost-laptop }
spec: { target: { user: alice@example.com }, message: Lost, expires: "2030-01-01T00:00:00Z" }
`;

Deno.test("parseResources() reads every document", () => {
  const resources = parseResources(DOCUMENTS, "f");
  deepEqual(resources.map(({ kind, metadata }) => `${kind}/${metadata.name}`), [
    "vnet_config/vnet-config",
    "role/dev",
    "user/alice@example.com",
    "lock/lost-laptop",
  ]);
  const [config, role] = resources;
  ok(config?.kind === "vnet_config" && role?.kind === "role");
  deepEqual(config.spec.custom_dns_zones, [{ suffix: "company.test" }]);
  deepEqual(compileRole("dev", role.spec), {
    name: "dev",
    allowApps: [{
      key: "env",
      values: [{ kind: "glob", parts: ["dev"] }, { kind: "glob", parts: ["staging"] }],
    }],
    denyApps: [],
    maxSessionMs: 43_200_000,
    requireSessionMfa: false,
    clientIdleMs: null,
    disconnectExpired: true,
  });
});

Deno.test("checkResource() gives back what it gave", () => {
  for (const resource of [DEFAULT_VNET_CONFIG, ...parseResources(DOCUMENTS, "f")]) {
    deepEqual(checkResource(JSON.parse(JSON.stringify(resource)), "f"), resource);
  }
});

Deno.test("parseResources() refuses what a role says about SSH servers", async (t) => {
  const wanted = "nothing: SSH servers are not served yet, they come in a later version";
  const cases: [spec: string, path: string, found: string][] = [
    [`{ allow: { node_labels: { "*": "*" } } }`, "spec.allow.node_labels", "an object"],
    [`{ allow: { logins: [root] } }`, "spec.allow.logins", "a list"],
    [`{ deny: { node_labels: {} } }`, "spec.deny.node_labels", "an object"],
    [`{ deny: { logins: [] } }`, "spec.deny.logins", "an empty list"],
  ];
  for (const [spec, path, found] of cases) {
    await t.step(spec, () => {
      const text = `{ kind: role, version: v1, metadata: { name: dev }, spec: ${spec} }`;
      throws(() => parseResources(text, "f"), (error) => {
        ok(error instanceof ConfigError);
        deepEqual(error.mistakes, [{ path, found: `${found} (line 1)`, expected: wanted }]);
        return true;
      });
    });
  }
});

Deno.test("parseResources() names the document, the path and what was expected", () => {
  const text = `
kind: user
version: v1
metadata: { name: bob }
spec: { roles: [] }
---
kind: app
---
kind: user
version: v1
metadata: { name: "a b" }
spec: { role: dev }
`;
  throws(() => parseResources(text, "f"), (error) => {
    ok(error instanceof ConfigError);
    deepEqual(error.mistakes.map(({ path, expected }) => [path, expected]), [
      ["(document 1).spec.roles", "at least 1 entries"],
      [
        "(document 2).kind",
        'one of "vnet_config", "role", "user", "lock", "public_addr", "trusted_cluster", "remote_cluster", "oidc"',
      ],
      [
        "(document 3).metadata.name",
        "1 to 63 letters, digits and ._@+-, beginning with a letter or digit",
      ],
      ["(document 3).spec.roles", "a list"],
      ["(document 3).spec.role", "one of claims, roles"],
    ]);
    return true;
  });
});

Deno.test("a vnet_config's range is private IPv4 with at least five host bits", async (t) => {
  const cases: [range: unknown, good: boolean][] = [
    ["100.64.0.0/10", true],
    ["10.1.2.0/27", true],
    ["10.1.2.0/28", false],
    ["10.1.2.3/24", false], // host bits
    ["fd00::/64", false],
    ["100.64.0.0", false],
    ["0.0.0.0/0", false],
    ["8.8.8.0/24", false], // public
    ["100.0.0.0/8", false], // public for the most part
    [10, false],
  ];
  for (const [range, good] of cases) {
    await t.step(String(range), () => {
      const check = () =>
        checkResource({
          ...DEFAULT_VNET_CONFIG,
          spec: { ipv4_cidr_range: range, custom_dns_zones: [] },
        }, "f");
      if (good) check();
      else throws(check, { code: "config-invalid" });
    });
  }
});

Deno.test("a custom zone is nobody else's", async (t) => {
  const cases: [suffix: string, good: boolean][] = [
    ["company.test", true],
    ["a.b.company.test", true],
    ["com", false],
    ["co.uk", false],
    ["github.io", false],
    ["test", false],
    ["127.0.0.1", false],
    ["*.company.test", false],
  ];
  for (const [suffix, good] of cases) {
    await t.step(suffix, () => {
      const spec = { ipv4_cidr_range: "100.64.0.0/10", custom_dns_zones: [{ suffix }] };
      const check = () => checkResource({ ...DEFAULT_VNET_CONFIG, spec }, "f");
      if (good) check();
      else throws(check, { code: "config-invalid" });
    });
  }
});

Deno.test("a role says only what is understood", async (t) => {
  const cases: [name: string, spec: unknown, path: string | null][] = [
    ["star for everything", { allow: { app_labels: { "*": "*" } } }, null],
    ["a star within", { allow: { app_labels: { env: "dev-*" } } }, null],
    [
      "a key star with another value",
      { deny: { app_labels: { "*": "prod" } } },
      'spec.deny.app_labels["*"]',
    ],
    ["a regular expression", { deny: { app_labels: { env: "^prod.*$" } } }, null],
    ["the user's own", { allow: { app_labels: { "*-x": ["{{user}}", "{{claims.t}}"] } } }, null],
    [
      "no regular expression",
      { deny: { app_labels: { env: "^(a$" } } },
      "spec.deny.app_labels.env",
    ],
    [
      "one of several that is none",
      { deny: { app_labels: { env: ["a", "^(a$"] } } },
      "spec.deny.app_labels.env[1]",
    ],
    [
      "a template",
      { allow: { app_labels: { env: "{{internal.env}}" } } },
      "spec.allow.app_labels.env",
    ],
    ["an empty list", { deny: { app_labels: { env: [] } } }, "spec.deny.app_labels.env"],
    ["no duration", { options: { max_session_ttl: "12" } }, "spec.options.max_session_ttl"],
    ["too short a session", { options: { max_session_ttl: "5s" } }, "spec.options.max_session_ttl"],
    ["an unknown option", { options: { require_mfa: true } }, "spec.options.require_mfa"],
    ["another kind of rule", { allow: { db_labels: {} } }, "spec.allow.db_labels"],
  ];
  for (const [name, spec, path] of cases) {
    await t.step(name, () => {
      const role = { kind: "role", version: "v1", metadata: { name: "r" }, spec };
      if (path === null) return void checkResource(role, "f");
      throws(() => checkResource(role, "f"), (error) => {
        ok(error instanceof ConfigError);
        equal(error.mistakes.map((one) => one.path).join(), path);
        return true;
      });
    });
  }
});

Deno.test("a lock has exactly one target", () => {
  const lock = (target: unknown) => ({
    kind: "lock",
    version: "v1",
    metadata: { name: "l" },
    spec: { target },
  });
  checkResource(lock({ role: "dev" }), "f");
  throws(() => checkResource(lock({ role: "dev", user: "a" }), "f"), { code: "config-invalid" });
  throws(() => checkResource(lock({}), "f"), { code: "config-invalid" });
});
