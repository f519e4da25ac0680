/** A root and a leaf, over loopback: who gets where, and what ends it. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import type { FlowSummary } from "../../lib/io/mod.ts";
import { type TOTP, URI } from "otpauth";
import {
  audited,
  connPair,
  drain,
  type Login,
  never,
  PASSWORD,
  readText,
  saysHello,
  type TestCluster,
  writeAll,
} from "./cluster.ts";
import { profileName, ProfileStore } from "../../lib/client/cluster/profile.ts";
import { ClustersV1Schema } from "../../lib/status/mod.ts";
import { LEAF, type LeafClient, LeafWorld, refOf, ROOT } from "./leaf_world.ts";

const REPO = new URL("../../", import.meta.url).pathname;
const HELLO = new TextEncoder().encode("hello");

/** Holds a flow open. */
async function hold(client: LeafClient, name = "echo"): Promise<
  { readonly outer: Deno.TcpConn; readonly ended: Promise<FlowSummary> }
> {
  const flow = await client.open(name);
  const { outer, inner } = await connPair();
  const ended = flow.splice(inner, never()) as Promise<FlowSummary>;
  await writeAll(outer, HELLO);
  equal(await readText(outer, HELLO.length), "hello");
  return { outer, ended };
}

Deno.test("a root's user reaches a leaf's app through the root's proxy", async (t) => {
  await using world = await LeafWorld.joined();
  const { root, leaf } = world;
  const login = await root.login();
  await using client = world.client(login);

  await t.step("the leaf and what the mapped role allows there is published", async () => {
    const view = await client.link.view(never());
    deepEqual(view.leaves.map(({ name, proxyHosts }) => [name, proxyHosts]), [
      [LEAF, [`proxy.${LEAF}`]], // 127.0.0.1 is the root's
    ]);
    deepEqual(view.apps.map(({ name, cluster, publicAddrs }) => [cluster, name, publicAddrs[0]]), [
      [ROOT, "home", `home.proxy.${ROOT}`],
      [LEAF, "echo", `echo.proxy.${LEAF}`],
    ]);
  });

  await t.step("bytes go both ways, and again on the same carrier", async () => {
    await saysHello(await client.open("echo"));
    await saysHello(await client.open("echo"));
  });

  await t.step("the root's own apps are as they were", async () => {
    await saysHello(await client.open("home", null, ROOT));
  });

  await t.step("both record it: the leaf as alice of the root", async () => {
    const there = await audited(leaf, ({ event }) => event === "app.session.end");
    deepEqual([there.user, there.app, there.reason], [`${ROOT}/alice`, "echo", "done"]);
    const here = await audited(
      root,
      ({ event, app }) => event === "app.session.end" && app === "echo",
    );
    deepEqual([here.user, here.agent, here.session_id], ["alice", LEAF, there.session_id]);
    await audited(root, ({ event, app }) => event === "app.session.start" && app === "echo");
  });

  await t.step("what the mapped role does not allow is not there", async () => {
    await rejects(client.right("vault"), { code: "app-unknown" });
    await rejects(client.right("nothing"), { code: "app-unknown" });
    await rejects(client.right("echo", null, "other.example"), { code: "cluster-unknown" });
  });

  await t.step("another app of the leaf appears, and one goes", async () => {
    const agent = await leaf.joinAgent("edge", [
      `{ name: late, uri: "tcp://127.0.0.1:${world.echo.port}", labels: { env: dev } }`,
    ]);
    const { auth } = root.server;
    for (;;) {
      const revision = auth.revision();
      if ((await client.link.view(never())).apps.some(({ name }) => name === "late")) break;
      await auth.changed(revision, never());
    }
    await saysHello(await client.open("late"));
    await agent[Symbol.asyncDispose]();
  });
});

Deno.test("whoever has no mapped role gets nothing of a leaf", async () => {
  await using world = await LeafWorld.joined();
  const { root, leaf } = world;
  // Called as a role of the leaf that allows everything
  await root.putRole("access", { env: "none" });
  await root.addUser("bob", ["access"]);
  const login = await root.login("bob");
  await using client = world.client(login);
  deepEqual((await client.link.view(never())).apps, []);
  await rejects(client.right("echo"), { code: "app-unknown" });
  equal(leaf.server.auth.admin.listApps().apps.length, 2);
});

Deno.test("what ends a leaf's flows ends them at once, and keeps new ones out", async (t) => {
  const endings: [name: string, end: (world: LeafWorld, login: Login) => Promise<unknown>][] = [
    [
      "the root locks the user",
      ({ root }) => root.server.auth.admin.lock({ target: { user: "alice" } }),
    ],
    [
      "the leaf locks the user",
      ({ leaf }) => leaf.server.auth.admin.lock({ target: { user: `${ROOT}/alice` }, force: true }),
    ],
    [
      "the leaf locks the role",
      ({ leaf }) => leaf.server.auth.admin.lock({ target: { role: "guest" } }),
    ],
    ["the leaf's role allows it no more", ({ leaf }) => leaf.putRole("guest", { env: "none" })],
    ["the user loses the role at the root", ({ root }) =>
      root.server.auth.admin.putResource({
        kind: "user",
        version: "v1",
        metadata: { name: "alice" },
        spec: { roles: ["access"] },
      }, { replace: true })],
    ["the user logs out", async ({ root }, login) => {
      const link = root.driver.open(login.profile);
      await link.logout(never()).finally(() => link.close());
    }],
    [
      "the leaf maps the role no more",
      (world) => world.trust({ role_map: [{ remote: "other", local: ["guest"] }] }),
    ],
    ["the leaf disables the root", (world) => world.trust({ enabled: false })],
    [
      "the leaf removes the root",
      ({ leaf }) => leaf.server.auth.admin.removeResource("trusted_cluster", ROOT),
    ],
    [
      "the root removes the leaf",
      ({ root }) => root.server.auth.admin.removeResource("remote_cluster", LEAF),
    ],
  ];
  for (const [name, end] of endings) {
    await t.step(name, async () => {
      await using world = await LeafWorld.joined();
      const login = await world.root.login();
      await using client = world.client(login);
      const { outer, ended } = await hold(client);
      await end(world, login);
      match((await ended).reason, /^(peer-reset|carrier-lost)$/);
      equal((await drain(outer)).bytes, 0);
      outer.close();
      await rejects(client.open("echo"));
    });
  }
});

Deno.test("a leaf that was disabled comes back, and one that was removed joins again", async (t) => {
  await using world = await LeafWorld.joined();
  const { root, leaf } = world;
  await using client = world.client(await root.login());
  await t.step("disabled and enabled", async () => {
    await world.trust({ enabled: false });
    await world.online(false);
    const [known] = root.server.auth.leafClusters();
    deepEqual([known?.cluster_name, known?.online], [LEAF, false]);
    await world.trust();
    await world.online();
    equal(root.server.auth.leafClusters()[0]?.online, true);
    await saysHello(await client.open("echo"));
  });
  await t.step("the root hears of ends that it was not connected for", async () => {
    const { outer, ended } = await hold(client);
    await world.trust({ enabled: false });
    await ended;
    outer.close();
    const isHeld = ({ event, app, reason }: Record<string, unknown>) =>
      event === "app.session.end" && app === "echo" && reason !== "done";
    const there = await audited(leaf, isHeld);
    await world.trust();
    await world.online();
    const here = await audited(root, isHeld);
    equal(here.session_id, there.session_id);
    equal(here.connection_id, there.connection_id);
  });
  await t.step("a new token or another pin is refused while it is trusted", async () => {
    const again = { token: "0".repeat(32) };
    await rejects(world.trust(again), { code: "trust-refused" });
    await rejects(world.trust({ ca_pin: `sha256:${"0".repeat(64)}` }), { code: "trust-refused" });
    await world.online();
    await saysHello(await client.open("echo"));
  });
  await t.step("over a restart of either", async () => {
    await leaf.restart();
    await world.online();
    await saysHello(await client.open("echo"));
    await root.restart();
    await world.online();
    await saysHello(await client.open("echo"));
  });
  await t.step("removed on both sides", async () => {
    await leaf.server.auth.admin.removeResource("trusted_cluster", ROOT);
    await rejects(world.trust(), { code: "trust-refused" }); // The root knows one of that name
    await root.server.auth.admin.removeResource("remote_cluster", LEAF);
    await world.trust();
    await world.online();
    await saysHello(await client.open("echo"));
  });
  await t.step("no token is kept or shown", async () => {
    const { resources } = await leaf.server.auth.admin.getResources({ kind: "trusted_cluster" });
    ok(!JSON.stringify(resources).includes("token"));
  });
});

Deno.test("vnet clusters ls says which leaves are online, and since when", async (t) => {
  await using world = await LeafWorld.joined({ behindMs: 600_000 });
  const { root } = world;
  const home = await Deno.makeTempDir({ prefix: "vnet-leaf-" });
  const { profile } = await root.login();
  await new ProfileStore(`${home}/config`).save(profile);
  const login = profileName(profile.proxy);
  const ls = async (...args: string[]) => {
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", `${REPO}main.ts`, "clusters", "ls", ...args],
      env: { VNET_HOME: home, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
    }).output();
    equal(code, 0);
    return new TextDecoder().decode(stdout);
  };
  const rowOf = (text: string, cluster: string) =>
    text.split("\n").map((line) => line.trim().split(/ {2,}/)).find(([name]) => name === cluster);
  const leafRow = async () => {
    const row = rowOf(await ls(), LEAF) ?? [];
    return [row.slice(0, 4), row.length];
  };
  const { clock } = root;
  const sinceOf = async () => {
    const { clusters } = ClustersV1Schema.parse(JSON.parse(await ls("--format", "json")));
    return clusters.find(({ name }) => name === LEAF)?.since;
  };
  try {
    await t.step("it is online", async () => {
      const text = await ls();
      deepEqual(rowOf(text, ROOT), [ROOT, "root", login, "online", "-", "1"]);
      deepEqual(await leafRow(), [[LEAF, "leaf", login, "online"], 6]);
      equal(await sinceOf(), new Date(clock.nowMs).toISOString());
    });
    await t.step("it is not, from when it was disabled", async () => {
      clock.nowMs += 60_000;
      await world.trust({ enabled: false });
      await world.online(false);
      deepEqual(await leafRow(), [[LEAF, "leaf", login, "offline"], 6]);
      equal(await sinceOf(), new Date(clock.nowMs).toISOString());
    });
    await t.step("the root was restarted meanwhile, and still knows since when", async () => {
      const since = await sinceOf();
      clock.nowMs += 60_000;
      await root.restart();
      equal(await sinceOf(), since);
    });
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("a second factor for each session is asked for at the root, and looked at by the leaf's agent", async (t) => {
  const asking = { require_session_mfa: true };
  const rows: [name: string, ask: (world: LeafWorld) => Promise<void>][] = [
    ["the leaf's role wants it", ({ leaf }) => putRole(leaf, "guest", asking)],
    ["the root's role wants it", ({ root }) => putRole(root, "dev", asking)],
  ];
  for (const [name, ask] of rows) {
    await t.step(name, async () => {
      await using world = await LeafWorld.joined({ secondFactor: "optional" });
      const { root } = world;
      const { totp_uri } = await root.server.auth.admin.addUser({
        name: "carol",
        roles: ["dev"],
        password: PASSWORD,
        second_factor: true,
      });
      const totp = URI.parse(totp_uri ?? "") as TOTP;
      const code = () => totp.generate({ timestamp: root.clock.nowMs });
      const login = await root.login("carol", code());
      await using client = world.client(login);
      const early = await client.right("echo");
      await ask(world);
      await becomes(world, () => client.right("echo").then(() => false, () => true));
      await rejects(client.right("echo"), { code: "mfa-required" });
      root.clock.nowMs += 30_000;
      await saysHello(await client.open("echo", { totpCode: code() }));
      if (name.startsWith("the root")) return;
      // What was drawn before is refused by the leaf's agent itself
      const flow = client.link.open({ right: early, target: refOf("echo"), port: 5432 }, never());
      await rejects(flow, { code: "mfa-required" });
    });
  }
});

/** Waits until the root has heard of a change of its own or of the leaf's. */
async function becomes({ root }: LeafWorld, isSo: () => Promise<boolean>): Promise<void> {
  const { auth } = root.server;
  for (;;) {
    const revision = auth.revision();
    if (await isSo()) return;
    await auth.changed(revision, never());
  }
}

async function putRole(
  { server }: TestCluster,
  name: string,
  options: Record<string, boolean>,
): Promise<void> {
  await server.auth.admin.putResource({
    kind: "role",
    version: "v1",
    metadata: { name },
    spec: { allow: { app_labels: { env: "dev" } }, deny: {}, options },
  }, { replace: true });
}
