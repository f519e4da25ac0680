/**
 * Clusters that lie to each other, on the raw wire: what a leaf may not claim, what a root may not do, and what users
 * of a leaf get at the root.
 */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { WebSocket } from "ws";
import {
  appId,
  type Authority,
  dialServer,
  generateKeyPair,
  HttpClient,
  importPublicKey,
  issueAuthority,
  issueLeafCertificate,
  loadAuthority,
  type TlsIdentity,
} from "../../lib/io/mod.ts";
import { LeafJoinResponseSchema } from "../../lib/wire/mod.ts";
import { audited, echoServer, never, TestCluster } from "./cluster.ts";
import { LEAF, LeafClient, LeafWorld, refOf, ROOT } from "./leaf_world.ts";
import { StubbornAgent } from "./stubborn_agent.ts";

/** A cluster that says what the test has it say. */
class Impostor {
  readonly name: string;
  readonly hostCa: Authority;

  private constructor(name: string, hostCa: Authority) {
    this.name = name;
    this.hostCa = hostCa;
  }

  /** @param signs Whom its authority names, if not itself. */
  static async create(
    name: string,
    signs: string = name,
    kind: "host" | "user" = "host",
  ): Promise<Impostor> {
    const made = await issueAuthority({ cluster: signs, kind }, Date.now());
    return new Impostor(name, await loadAuthority(made));
  }

  /** Asks a root to let it in. */
  async join(
    root: TestCluster,
    token: string,
    more: Record<string, unknown> = {},
  ): Promise<TlsIdentity> {
    const keys = await generateKeyPair();
    const publicKey = (await importPublicKey(keys.publicKeyPem))!;
    const proof = await issueLeafCertificate(
      this.hostCa,
      { cluster: this.name, leaf: this.name, id: this.name, publicKey },
      Date.now(),
    );
    using http = new HttpClient(root.settings());
    const answer = await http.request({
      method: "POST",
      path: "/v1/leaf/join",
      schema: LeafJoinResponseSchema,
      body: {
        token,
        cluster_name: this.name,
        root_cluster_name: root.name,
        host_cas: [this.hostCa.certificate.pem],
        certificate: proof.pem,
        public_key: keys.publicKeyPem,
        ...more,
      },
    }, never());
    if (answer.kind !== "value") throw new TypeError("A POST is never answered with 304");
    return { certificatePem: answer.value.certificate, privateKeyPem: keys.privateKeyPem };
  }
}

/** Opens a control channel as a leaf and says hello. */
async function connect(
  root: TestCluster,
  identity: TlsIdentity,
  apps: readonly Record<string, unknown>[],
): Promise<AsyncDisposable & { readonly welcome: Record<string, unknown> }> {
  const secured = await dialServer(root.settings({ identity }), ["http/1.1"]);
  const socket = new WebSocket("ws://127.0.0.1/v1/agent", {
    createConnection: (() => secured) as never,
    perMessageDeflate: false,
  });
  const welcomed = Promise.withResolvers<Record<string, unknown>>();
  socket.on("error", (error) => welcomed.reject(error));
  socket.on("close", () => welcomed.reject(new Error("closed")));
  socket.on("open", () =>
    socket.send(JSON.stringify({
      type: "hello",
      version: "0.1.0",
      apps,
      leaf: {
        proxy_public_addrs: ["proxy.evil.example:443"],
        vnet_config: { ipv4_cidr_range: "100.64.0.0/10", custom_dns_zones: [] },
        role_map: [{ remote: "*", local: ["all"] }],
        roles: [{ name: "all", spec: { allow: { app_labels: { "*": "*" } } } }],
      },
    })));
  socket.on("message", (data) => {
    const message = JSON.parse(Buffer.from(data as Uint8Array).toString());
    if (message.type === "welcome") welcomed.resolve(message);
  });
  return {
    welcome: await welcomed.promise,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.terminate();
      await closed;
    },
  };
}

Deno.test("a cluster does not become a leaf by a lie, and it is on record", async (t) => {
  await using world = await LeafWorld.joined();
  const { root } = world;
  const evil = await Impostor.create("evil.example");
  const rootCa = root.server.auth.hostCaPem();
  const cases: [name: string, who: Impostor, more: Record<string, unknown>, code: string][] = [
    ["for another root", evil, { root_cluster_name: "other.example" }, "trust-refused"],
    ["called as the root", await Impostor.create(ROOT), {}, "trust-refused"],
    ["called as another leaf", await Impostor.create(LEAF), {}, "trust-refused"],
    [
      "an authority that names the root",
      await Impostor.create("evil.example", ROOT),
      {},
      "trust-refused",
    ],
    [
      "an authority that names a leaf",
      await Impostor.create("evil.example", LEAF),
      {},
      "trust-refused",
    ],
    [
      "a user authority",
      await Impostor.create("evil.example", "evil.example", "user"),
      {},
      "trust-refused",
    ],
    ["the root's own authority", evil, { host_cas: [rootCa] }, "trust-refused"],
    [
      "one of two names the root",
      evil,
      {
        host_cas: [
          evil.hostCa.certificate.pem,
          (await Impostor.create(ROOT)).hostCa.certificate.pem,
        ],
      },
      "trust-refused",
    ],
    [
      "an authority of somebody else, whose key it has not",
      evil,
      { host_cas: [(await Impostor.create("evil.example")).hostCa.certificate.pem] },
      "trust-refused",
    ],
    ["no certificate at all", evil, { host_cas: ["x"] }, "trust-refused"],
    ["a name of control characters", evil, { cluster_name: "a\nb" }, "trust-refused"],
    ["an invented token", evil, { token: "0".repeat(32) }, "token-invalid"],
  ];
  const token = await world.token();
  for (const [name, who, more, code] of cases) {
    await t.step(name, async () => {
      await rejects(who.join(root, token, more), { code });
      const failed = await audited(
        root,
        ({ event, reason }) => event === "leaf.join.failed" && reason === code,
      );
      ok(failed.source !== undefined);
    });
  }
  await t.step("none of these used the token up: it is good once, and for a while", async () => {
    await evil.join(root, token);
    const again = await Impostor.create("again.example");
    await rejects(again.join(root, token), { code: "token-invalid" });
    const late = await world.token();
    root.clock.nowMs += 601_000;
    await rejects(again.join(root, late), { code: "token-invalid" });
    root.clock.nowMs -= 601_000;
  });
  await t.step("a token for agents makes no leaf, and one for leaves no agent", async () => {
    const other = await Impostor.create("other.example");
    const { token } = await root.server.auth.admin.addToken({
      kind: "app",
      any: true,
      labels: {},
      ttl_seconds: 600,
      uses: 1,
    });
    await rejects(other.join(root, token), { code: "token-out-of-scope" });
    const keys = await generateKeyPair();
    using http = new HttpClient(root.settings());
    await rejects(
      http.request({
        method: "POST",
        path: "/v1/join",
        schema: LeafJoinResponseSchema,
        body: {
          token: await world.token(),
          kind: "app",
          name: "agent",
          apps: ["home"],
          public_key: keys.publicKeyPem,
        },
      }, never()),
      { code: "token-out-of-scope" },
    );
  });
});

Deno.test("a leaf has no app but its own, whatever it claims", async (t) => {
  await using world = await LeafWorld.joined();
  const { root } = world;
  const evil = await Impostor.create("evil.example");
  const identity = await evil.join(root, await world.token());
  const labels = { env: "dev" };
  await using channel = await connect(root, identity, [
    {
      name: "home",
      cluster: ROOT,
      app_id: appId(ROOT, "home"),
      labels,
      public_addrs: ["a.evil.example"],
    },
    {
      name: "echo",
      cluster: LEAF,
      app_id: appId(LEAF, "echo"),
      labels,
      public_addrs: ["b.evil.example"],
    },
    {
      name: "names",
      labels,
      public_addrs: [`home.proxy.${ROOT}`, `proxy.${ROOT}`, "c.evil.example"],
    },
    { name: "x.y", labels, public_addrs: ["d.evil.example"] },
  ]);
  const login = await root.login();
  await using client = world.client(login);

  await t.step("all are listed as its own", async () => {
    const { apps } = await client.link.view(never());
    const own = apps.filter(({ cluster }) => cluster === "evil.example");
    deepEqual(own.map(({ name, id }) => [name, id]), [
      ["echo", appId("evil.example", "echo")],
      ["home", appId("evil.example", "home")],
      ["names", appId("evil.example", "names")],
    ]);
    deepEqual(own.at(-1)?.publicAddrs, ["c.evil.example"]);
    equal((channel.welcome.refused as unknown[]).length, 3);
  });

  await t.step("connections to others' apps do not go there", () => {
    const { agents, leaves } = root.server.auth;
    deepEqual(agents.agentsFor(appId(ROOT, "home")).map(({ name }) => name), ["local"]);
    deepEqual(leaves.agents.agentsFor(appId(LEAF, "echo")).map(({ name }) => name), [LEAF]);
  });

  await t.step("it cannot record flows of apps that are not its own", async () => {
    const session = await client.right("home", null, ROOT);
    ok(session.ticket.length > 0);
    const [record] =
      (await root.server.auth.admin.readAudit({ limit: 1000, wait_seconds: 0 }, never()))
        .events.filter(({ event }) => event === "app.cert.issued");
    const verdict = await root.server.auth.reportFlow(
      { ...evilIdentity(), apps: ["home"] },
      [{
        event: "app.session.start",
        session_id: String(record?.session_id),
        connection_id: "1",
        user: "alice",
        app: "home",
        port: 5432,
      }],
      { partial: true },
    );
    deepEqual(verdict.map(({ code }) => code), ["right-unknown"]);
  });
});

function evilIdentity() {
  return {
    agentId: "leaf-evil.example",
    name: "evil.example",
    leaf: "evil.example",
    apps: [] as string[],
    scope: { kinds: ["leaf"], apps: null, labels: {}, publicAddrs: null },
    certificateExpiresMs: Date.now() + 1e6,
  };
}

Deno.test("users and servers of a leaf are nobody at the root", async (t) => {
  await using world = await LeafWorld.joined();
  const { root, leaf } = world;
  const login = await leaf.login();
  const settings = root.settings({ identity: login.settings.identity });

  await t.step("a leaf user's login at the root's API", async () => {
    using http = new HttpClient(settings);
    const ask = http.request(
      { method: "GET", path: "/v1/config", schema: LeafJoinResponseSchema },
      never(),
    );
    await rejects(ask, { code: "certificate-foreign" });
  });

  await t.step("a leaf user's app certificate at the root's agent", async () => {
    const pool = root.pool();
    try {
      await using there = new LeafClient(leaf.driver.open(login.profile));
      await using here = world.client(await root.login());
      const theirs = await there.right("echo", null, LEAF);
      const mine = await here.right("home", null, ROOT);
      const target = {
        appId: appId(ROOT, "home"),
        app: "home",
        port: 5432,
        proxy: root.address,
        credentials: { ...theirs, ticket: mine.ticket },
        hostCaPems: [root.server.auth.hostCaPem()],
      };
      await rejects(pool.acquire(target, never()), { code: "certificate-foreign" });
    } finally {
      await pool.close();
    }
  });

  await t.step("a right to the root's app at the leaf's agent", async () => {
    await using client = world.client(await root.login());
    const home = await client.right("home", null, ROOT);
    const echo = await client.right("echo");
    const pool = root.pool();
    try {
      const [known] = root.server.auth.leafClusters();
      const target = {
        appId: appId(LEAF, "echo"),
        app: "echo",
        port: 5432,
        proxy: root.address,
        credentials: { ...home, ticket: echo.ticket },
        hostCaPems: known?.trust?.host_cas ?? [],
      };
      await rejects(pool.acquire(target, never()), { code: "app-unknown" });
    } finally {
      await pool.close();
    }
  });
});

Deno.test("a root's proxy that leads elsewhere is found out by the client", async (t) => {
  await using echo = echoServer();
  await using world = await LeafWorld.joined();
  const { root } = world;
  await using client = world.client(await root.login());
  const right = await client.right("echo");
  await t.step("an agent of the root in the place of the leaf's", async () => {
    // As a proxy would that answers for the leaf itself: by the root's own authority
    await using thief = await StubbornAgent.join(root, { name: "echo", port: echo.port });
    await thief.connect();
    const { leaves } = root.server.auth;
    const honest = leaves.agents.agentsFor.bind(leaves.agents);
    leaves.agents.agentsFor = () => root.server.auth.agents.agentsFor(appId(ROOT, "echo"));
    try {
      const open = client.link.open({ right, target: refOf("echo"), port: 5432 }, never());
      await rejects(open, { code: "agent-untrusted" });
      equal(echo.connections, 0);
    } finally {
      leaves.agents.agentsFor = honest;
    }
  });
});

Deno.test("a leaf finds out a root that is not what the file says", async (t) => {
  await using world = await LeafWorld.open();
  const { leaf } = world;
  const cases: [name: string, put: () => Promise<unknown>][] = [
    ["another name", () => world.trust({}, "other.example")],
    ["its own name", () => world.trust({}, LEAF)],
    ["another authority than the pin", () => world.trust({ ca_pin: `sha256:${"0".repeat(64)}` })],
    ["nobody there", () => world.trust({ web_proxy_addr: "127.0.0.1:1" })],
    ["no token", () => world.trust({ token: undefined })],
    ["a token that is none", () => world.trust({ token: "0".repeat(32) })],
    [
      "a role that is not there",
      () => world.trust({ role_map: [{ remote: "*", local: ["none"] }] }),
    ],
  ];
  for (const [name, put] of cases) {
    await t.step(name, async () => {
      await rejects(put(), {
        code: /^(trust-refused|token-invalid|ca-pin-mismatch|resource-invalid)$/,
      });
      const { resources } = await leaf.server.auth.admin.getResources({ kind: "trusted_cluster" });
      deepEqual(resources, []);
      deepEqual((await leaf.server.auth.policy()).trusted_clusters, []);
    });
  }
  await t.step("its own leaf", async () => {
    await world.trust();
    await world.online();
    await world.root.server.auth.admin.putResource({
      kind: "trusted_cluster",
      version: "v1",
      metadata: { name: LEAF },
      spec: {
        enabled: true,
        token: "0".repeat(32),
        web_proxy_addr: `127.0.0.1:${leaf.address.port}`,
        ca_pin: leaf.server.caPin,
        role_map: [{ remote: "*", local: ["dev"] }],
      },
    }, { replace: true }).then(
      () => ok(false, "it was taken"),
      (thrown) => equal(thrown.code, "trust-refused"),
    );
  });
});
