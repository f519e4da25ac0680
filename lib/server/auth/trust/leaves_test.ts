import { deepEqual, equal, ok } from "node:assert/strict";
import {
  appId,
  type Authority,
  generateKeyPair,
  importPublicKey,
  issueAuthority,
  issueLeafCertificate,
  loadAuthority,
  parseCertificate,
} from "../../../io/mod.ts";
import {
  type AgentApp,
  AppsResponseSchema,
  ClusterConfigSchema,
  type LeafFacts,
} from "../../../wire/mod.ts";
import { CLUSTER, Fixture, START_MS } from "../../../../tests/doubles/auth_service.ts";
import type { AgentIdentity } from "../types.ts";

const FACTS: LeafFacts = {
  proxy_public_addrs: ["proxy.leaf.example:443"],
  vnet_config: { ipv4_cidr_range: "100.64.0.0/10", custom_dns_zones: [] },
  role_map: [{ remote: "*", local: ["all"] }],
  roles: [{ name: "all", spec: { allow: { app_labels: { "*": "*" } }, deny: {}, options: {} } }],
};

async function token(f: Fixture): Promise<string> {
  return (await f.auth.admin.addToken({
    kind: "trusted_cluster",
    labels: {},
    any: false,
    ttl_seconds: 600,
    uses: 1,
  })).token;
}

async function authority(cluster: string): Promise<Authority> {
  return await loadAuthority(await issueAuthority({ cluster, kind: "host" }, START_MS));
}

async function join(f: Fixture, name: string, more: Record<string, unknown> = {}) {
  const hostCa = await authority(name);
  const { publicKeyPem } = await generateKeyPair();
  const publicKey = (await importPublicKey(publicKeyPem))!;
  const proof = await issueLeafCertificate(
    hostCa,
    { cluster: name, leaf: name, id: name, publicKey },
    f.nowMs,
  );
  return await f.ask("POST", "/v1/leaf/join", {
    body: {
      token: await token(f),
      cluster_name: name,
      root_cluster_name: CLUSTER,
      host_cas: [hostCa.certificate.pem],
      certificate: proof.pem,
      public_key: publicKeyPem,
      ...more,
    },
  });
}

/** Joins. @returns The certificate in DER. */
async function joined(f: Fixture, name = "leaf.example"): Promise<Uint8Array> {
  const { status, body } = await join(f, name);
  equal(status, 200);
  return parseCertificate(body.certificate)!.der;
}

function known(f: Fixture, der: Uint8Array): AgentIdentity {
  const verdict = f.auth.leaves.verify(der);
  ok(verdict.kind === "good");
  return verdict.agent;
}

function greet(
  f: Fixture,
  agent: AgentIdentity,
  apps: readonly AgentApp[],
  more: Partial<LeafFacts> = {},
  instance = Symbol("leaf"),
) {
  return f.auth.leaves.greet({ agent, apps, instance, leaf: { ...FACTS, ...more } });
}

function appsOf(count: number, labels: Record<string, string> = {}): AgentApp[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `app-${i}`,
    public_addrs: [`app-${i}.leaf.example`],
    labels,
  }));
}

Deno.test("a leaf's certificate is of the time that it joined, and of no later one", async (t) => {
  await using f = await Fixture.open();
  const { publicKeyPem: public_key } = await generateKeyPair();
  const old = await joined(f);
  const instance = Symbol("leaf");
  await greet(f, known(f, old), appsOf(1), {}, instance);
  equal(f.auth.leafClusters().length, 1);
  f.auth.leaves.agents.disconnected(instance);
  await f.auth.admin.removeResource("remote_cluster", "leaf.example");
  equal(f.auth.leaves.verify(old).kind, "refused");
  const other = await joined(f);
  deepEqual(f.auth.leafClusters(), []); // What the one before it said is not its
  await t.step("it is refused where its name has joined anew", async () => {
    const verdict = f.auth.leaves.verify(old);
    deepEqual([verdict.kind, "code" in verdict ? verdict.code : ""], ["refused", "agent-unknown"]);
    const renewed = await f.ask("POST", "/v1/leaf/renew", {
      certificate: old,
      body: { public_key },
    });
    equal(renewed.code, "agent-unknown");
  });
  await t.step("the new one is good, and renewed to one of the same join", async () => {
    const { body, status } = await f.ask("POST", "/v1/leaf/renew", {
      certificate: other,
      body: { public_key },
    });
    equal(status, 200);
    const renewed = parseCertificate(body.certificate)!;
    deepEqual(renewed.principal, parseCertificate(other)!.principal);
    equal(known(f, renewed.der).name, "leaf.example");
  });
});

Deno.test("a leaf that is locked is refused", async () => {
  await using f = await Fixture.open();
  const certificate = await joined(f);
  await f.auth.admin.lock({ target: { agent: "leaf-leaf.example" } });
  const verdict = f.auth.leaves.verify(certificate);
  deepEqual([verdict.kind, "code" in verdict ? verdict.code : ""], ["refused", "access-locked"]);
});

Deno.test("a leaf is not called as what the root's proxy stands for", async (t) => {
  await using f = await Fixture.open();
  for (const name of ["proxy.c.example", "db.proxy.c.example", "c.example", "example"]) {
    await t.step(name, async () => equal((await join(f, name)).code, "trust-refused"));
  }
  await t.step("its authorities are no longer than clients take", async () => {
    const host_cas = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const { pem } = (await authority("long.example")).certificate;
        return `${pem}${"\n".repeat(4000)}`;
      }),
    );
    equal((await join(f, "long.example", { host_cas })).code, "trust-refused");
  });
});

Deno.test("a leaf takes no name of the root: neither its proxy's nor an app's", async () => {
  await using f = await Fixture.open();
  await f.serve({ name: "db" });
  await f.addRole("dev", { allow: { app_labels: { "*": "*" } } });
  const agent = known(f, await joined(f));
  const refused = await greet(f, agent, appsOf(1), {
    proxy_public_addrs: [
      "proxy.c.example:443",
      "db.proxy.c.example:443",
      "db.proxy.c.example",
      "not a name",
      "proxy.leaf.example:443",
      "192.0.2.7:443",
    ],
    vnet_config: {
      ipv4_cidr_range: "100.64.0.0/10",
      custom_dns_zones: [
        { suffix: "proxy.c.example" },
        { suffix: "db.proxy.c.example" },
        { suffix: "company.test" },
      ],
    },
  });
  equal(refused.length, 6);
  const [config] = f.auth.leafClusters();
  deepEqual(config?.proxy_public_addrs, ["proxy.leaf.example:443", "192.0.2.7:443"]);
  deepEqual(config?.vnet_config.custom_dns_zones, [{ suffix: "company.test" }]);
});

Deno.test("leaves cannot make what clients are told too large", async (t) => {
  await using f = await Fixture.open();
  await f.serve({ name: "own" });
  const login = await f.loggedIn("alice", ["access"]);
  const ask = async () => {
    const { body } = await f.ask("GET", "/v1/apps", { certificate: login });
    const config = await f.ask("GET", "/v1/config", { certificate: login });
    ok(JSON.stringify(body).length < 12 * 1_048_576);
    ok(JSON.stringify(config.body).length < 12 * 1_048_576);
    return {
      apps: AppsResponseSchema.parse(body).apps,
      leaves: ClusterConfigSchema.parse(config.body).leaf_clusters,
    };
  };
  const long = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`k${i}`, "x".repeat(250)]));
  const small = known(f, await joined(f, "a-small.example"));
  await greet(f, small, appsOf(3));
  await t.step("one that says too much is cut, and it is said", async () => {
    const refused = await greet(
      f,
      known(f, await joined(f, "b-large.example")),
      appsOf(5000, long),
    );
    ok(refused.some(({ app, reason }) => app === "*" && reason.includes("more than")));
    const { leaves } = await ask();
    deepEqual(leaves.map(({ apps_left_out = 0 }) => apps_left_out > 0), [false, true]);
  });
  await t.step("one whose roles take long to hold against its apps is cut, too", async () => {
    const slow = { ...FACTS.roles[0]!.spec, deny: { app_labels: { k0: "^x{900}$" } } };
    const refused = await greet(
      f,
      known(f, await joined(f, "slow.example")),
      appsOf(5000, { k0: "x".repeat(250) }),
      { roles: [{ name: "all", spec: slow }] },
    );
    ok(refused.some(({ app, reason }) => app === "*" && reason.includes("more than")));
    const { leaves } = await ask();
    const found = leaves.find(({ cluster_name }) => cluster_name === "slow.example");
    ok((found?.apps_left_out ?? 0) > 3000);
    await f.auth.admin.removeResource("remote_cluster", "slow.example");
  });
  await t.step("many are cut together, and small ones not at all", async () => {
    for (const name of ["c", "d", "e"]) {
      await greet(f, known(f, await joined(f, `${name}.example.net`)), appsOf(5000, long));
    }
    const { apps, leaves } = await ask();
    const count = (name: string) => apps.filter(({ cluster }) => cluster === name).length;
    deepEqual([count(CLUSTER), count("a-small.example")], [1, 3]);
    ok(count("c.example.net") > 100);
    deepEqual(leaves.map(({ apps_left_out = 0 }) => apps_left_out > 0), [
      false,
      true,
      true,
      true,
      true,
    ]);
  });
});

Deno.test("a leaf that says the same again changes nothing; the channel is the new one", async () => {
  await using f = await Fixture.open();
  const agent = known(f, await joined(f));
  await greet(f, agent, appsOf(2), {}, Symbol("first"));
  const revision = f.auth.revision();
  const second = Symbol("second");
  await greet(f, agent, appsOf(2), {}, second);
  equal(f.auth.revision(), revision);
  const [handle] = f.auth.leaves.agents.agentsFor(appId("leaf.example", "app-0"));
  equal(handle?.instance, second);
  await greet(f, agent, appsOf(3), {}, second);
  ok(f.auth.revision() > revision);
});

Deno.test("a leaf that is gone has no open flows, and may still tell how they ended", async () => {
  await using f = await Fixture.open();
  await f.addRole("dev", { allow: { app_labels: { "*": "*" } } });
  const der = await joined(f);
  const instance = Symbol("leaf");
  await greet(f, known(f, der), appsOf(1), {}, instance);
  const login = await f.loggedIn("alice", ["dev"]);
  const { publicKeyPem: public_key } = await generateKeyPair();
  const body = { app: "app-0", cluster: "leaf.example", port: 0, public_key };
  equal((await f.ask("POST", "/v1/certs/app", { certificate: login, body })).status, 200);
  const issued = (await f.events()).find(({ event }) => event === "app.cert.issued");
  const event = {
    session_id: String(issued?.session_id),
    connection_id: "1",
    user: "alice",
    app: "app-0",
    port: 80,
  };
  const leaf = known(f, der);
  const report = (name: "app.session.start" | "app.session.end") =>
    f.auth.leaves.reportFlow(leaf, [{ ...event, event: name }], { partial: true });
  deepEqual(await report("app.session.start"), []);
  const open = async () =>
    (await f.auth.metrics()).find(({ name }) => name.includes("flows"))?.samples[0]?.value;
  equal(await open(), 1);
  f.auth.leaves.agents.disconnected(instance);
  equal(await open(), 0);
  deepEqual(await report("app.session.end"), []);
});
