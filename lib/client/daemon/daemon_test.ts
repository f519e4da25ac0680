/** The whole client without root, network or TLS: a cluster, a machine and a helper in memory. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { memoryApp } from "../../../tests/doubles/memory_cluster.ts";
import {
  codes,
  DB,
  exchange,
  type Started,
  STRANGER,
  until,
  WEB,
  type Wishes,
  withDaemon,
} from "../../../tests/doubles/memory_client.ts";
import { AuthError, NetworkError } from "../../error.ts";
import { formatIp, parseIp, parsePrefix } from "../../ip/mod.ts";
import { ProfileStore } from "../cluster/profile.ts";
import { readRangeWords } from "../range_words.ts";

Deno.test("Daemon answers names, lets connections through and says so", () =>
  withDaemon({}, async ({ daemon, connect, ask, cluster, helper }) => {
    const address = await ask("db.memory.test");
    match(address, /^100\./);
    equal(cluster.around?.isOwn(parseIp(address)), true);
    const made = await connect("db.memory.test", 5432);
    ok(made.kind === "connected");
    equal(await exchange(made.conn, "hello"), "HELLO");
    equal(daemon.status().connections.active, 1);
    await made.conn.closeWrite();
    equal(await made.conn.read(new Uint8Array(16)), null);
    made.conn.close();
    await until(() => daemon.status().connections.active === 0);
    const { state, profiles, apps_total, connections, link } = daemon.status();
    deepEqual([state, profiles[0]?.state, apps_total], ["ready", "active", 2]);
    deepEqual([connections.sent_bytes, connections.received_bytes], [5, 5]);
    deepEqual([link?.name, helper.inForce?.dns?.zones], ["vnet0", ["memory.test"]]);
    deepEqual(cluster.rights, [{ app: "db", port: 5432, totp: null }]);
    equal(daemon.apps().apps[0]?.addresses[0]?.ipv4, await ask("db.memory.test"));
    equal(daemon.resolve("db.memory.test", "A").rule, "app-address");
  }));

Deno.test("Daemon follows its cluster: names come and go, and the others keep their addresses", () =>
  withDaemon({}, async ({ ask, cluster }) => {
    const [db, web] = [await ask("db.memory.test"), await ask("web.memory.test")];
    cluster.publish({ apps: [WEB, memoryApp("api")] });
    await until(async () => /^100\./.test(await ask("api.memory.test")));
    equal(await ask("web.memory.test"), web);
    equal(await ask("db.memory.test"), "NXDOMAIN");
    cluster.publish({ apps: [DB, WEB] });
    await until(async () => await ask("db.memory.test") === db);
    equal(await ask("web.memory.test"), web);
  }));

/** What the leaf below wants, by the login it is seen by. */
const MEMORY_10 = { profile: "memory.test", range: "10.44.0.0/16" };

/** Root allows it. */
const allowTen: Wishes["before"] = ({ helper }) => {
  helper.detected = { ...helper.detected, ranges: ["10.0.0.0/8"] };
};

Deno.test("Daemon answers no name whose address is not leased and routed", () =>
  withDaemon({ before: allowTen }, async ({ daemon, ask, cluster, helper, machine }) => {
    await daemon.decideRange({ ...MEMORY_10, isTaken: true });
    const leaf = {
      name: "leaf.test",
      proxyHosts: ["proxy.leaf.test"],
      range: "10.44.0.0/16",
      zones: [],
    };
    const api = memoryApp("api", { cluster: "leaf.test", publicAddrs: ["api.proxy.leaf.test"] });
    cluster.publish({ leaves: [{ ...leaf, range: "100.64.0.0/10" }] });
    await until(() => daemon.zones().zones.some(({ cluster }) => cluster === leaf.name));
    await daemon.decideZone({ suffix: "proxy.leaf.test", cluster: null, verdict: "allow" });
    helper.fail("apply", "route-failed");
    cluster.publish({ leaves: [leaf], apps: [DB, WEB, api] });
    await until(() => codes(daemon).includes("apply-failed"));
    equal(daemon.status().state, "degraded");
    equal(daemon.resolve("api.proxy.leaf.test", "A").verdict, "refuse");
    match(await ask("db.memory.test"), /^100\./);
    cluster.publish({ apps: [DB, WEB, api] });
    await until(() => daemon.resolve("api.proxy.leaf.test", "A").verdict === "answer");
    const [address = ""] = daemon.resolve("api.proxy.leaf.test", "A").addresses;
    match(address, /^10\.44\./);
    ok(machine.path.leases.map(formatIp).includes(address));
    ok(helper.inForce?.routes.includes("10.44.0.0/16"));
    deepEqual([daemon.status().state, codes(daemon)], ["ready", []]);
  }));

Deno.test("Daemon answers a refusal by RST, an absent app by ICMP, and says why in DNS and status", async (t) => {
  const cases: [code: string, kind: string, dns: RegExp][] = [
    ["access-denied", "refused", /^REFUSED$/],
    ["access-locked", "refused", /^REFUSED$/],
    ["no-agent", "rejected", /^100\./],
  ];
  for (const [code, kind, dns] of cases) {
    await t.step(code, () =>
      withDaemon({}, async ({ daemon, ask, connect, cluster }) => {
        cluster.refusals.set("db", code);
        equal((await connect("db.memory.test", 5432)).kind, kind);
        const [failure] = daemon.status().connections.recent_failures;
        deepEqual([failure?.code, failure?.name, failure?.port], [code, "db.memory.test", 5432]);
        await until(async () => dns.test(await ask("db.memory.test")));
        match(await ask("web.memory.test"), /^100\./);
      }));
  }
});

Deno.test("Daemon asks once for a second factor, and holds the connections meanwhile", () =>
  withDaemon({}, async ({ daemon, connect, cluster, clock }) => {
    cluster.codes.set("db", "123456");
    const both = Promise.all([connect("db.memory.test", 5432), connect("db.memory.test", 5432)]);
    await until(() => daemon.questions.mfa.list().length === 1);
    const [waiting] = daemon.status().mfa_waiting ?? [];
    deepEqual([waiting?.app, waiting?.port, waiting?.user], ["db", 5432, "alice"]);
    await rejects(daemon.questions.mfa.approve("000000", null), { code: "mfa-failed" });
    await daemon.questions.mfa.approve("123456", null);
    deepEqual((await both).map(({ kind }) => kind), ["connected", "connected"]);
    equal(daemon.status().mfa_waiting, undefined);
    // As long as the right lasts, nobody is asked again; not ahead of its end either.
    clock.nowMs += cluster.rightLifeMs - 1;
    equal((await connect("db.memory.test", 5432)).kind, "connected");
    deepEqual(cluster.rights.map(({ totp }) => totp), [null, "000000", "123456"]);
  }));

Deno.test("Daemon asks for each port of an app that takes any, and takes a no for an answer", () =>
  withDaemon({}, async ({ daemon, connect, cluster }) => {
    cluster.codes.set("web", "123456");
    const connecting = Promise.all([80, 81].map((port) => connect("web.memory.test", port)));
    await until(() => daemon.questions.mfa.list().length === 2);
    const ports = daemon.questions.mfa.list().map(({ id, port }) => [port, id] as const);
    const idOf = new Map(ports);
    daemon.questions.mfa.decline(idOf.get(80) ?? null);
    await daemon.questions.mfa.approve("123456", idOf.get(81) ?? null);
    deepEqual((await connecting).map(({ kind }) => kind), ["refused", "connected"]);
    equal(daemon.status().connections.recent_failures[0]?.code, "mfa-declined");
  }));

Deno.test("Daemon lets in whose it is, to the ports that are published", () =>
  withDaemon({}, async ({ daemon, connect, cluster }) => {
    equal((await connect("db.memory.test", 5432, STRANGER)).kind, "refused");
    equal((await connect("db.memory.test", 5433)).kind, "refused");
    equal((await connect("web.memory.test", 1)).kind, "connected");
    deepEqual(daemon.status().connections.recent_failures.map(({ code }) => code).sort(), [
      "owner-refused",
      "port-not-allowed",
    ]);
    deepEqual(cluster.rights.map(({ app }) => app), ["web"]);
  }));

Deno.test("Daemon serves what was known while its cluster is silent, and notices its return", () =>
  withDaemon({}, async ({ daemon, ask, connect, cluster }) => {
    cluster.failure = new NetworkError("proxy-unreachable", "nobody there");
    cluster.wake();
    await until(() => daemon.status().profiles[0]?.state === "unreachable");
    match(await ask("db.memory.test"), /^100\./);
    equal((await connect("db.memory.test", 5432)).kind, "rejected");
    cluster.failure = null;
    await daemon.refresh();
    equal(daemon.status().profiles[0]?.state, "active");
    equal((await connect("db.memory.test", 5432)).kind, "connected");
  }));

Deno.test("Daemon refuses names and connections when the login is over, and is well after the next", () =>
  withDaemon({}, async ({ daemon, ask, connect, cluster, clock, options }) => {
    equal((await connect("web.memory.test", 80)).kind, "connected");
    clock.nowMs += cluster.lifeMs;
    await daemon.refresh();
    equal(daemon.status().state, "degraded");
    equal(await ask("db.memory.test"), "REFUSED");
    await new ProfileStore(options.paths.configDir).save(cluster.profile());
    await daemon.refresh();
    deepEqual([daemon.status().state, (await connect("db.memory.test", 5432)).kind], [
      "ready",
      "connected",
    ]);
  }));

Deno.test("Daemon holds connections of a login that is over until the next one, and asks once", () =>
  withDaemon({}, async ({ daemon, ask, connectTo, cluster, clock, machine, options }) => {
    const address = await ask("db.memory.test");
    const connect = () => connectTo(address, 5432);
    clock.nowMs += cluster.lifeMs;
    const both = Promise.all([connect(), connect()]);
    await until(() => daemon.status().profiles[0]?.waiting === 2);
    deepEqual(machine.desktop.shown.map(({ title }) => title), [
      "vnet: the login to memory.test has ended",
    ]);
    match(machine.desktop.shown[0]?.text ?? "", /run: vnet login memory\.test --user alice$/);
    await new ProfileStore(options.paths.configDir).save(cluster.profile());
    await daemon.refresh();
    deepEqual((await both).map(({ kind }) => kind), ["connected", "connected"]);
    await until(() => machine.desktop.shown.length === 0);
    equal(daemon.status().profiles[0]?.waiting, undefined);
  }));

Deno.test("Daemon logs in again with what a person answers, and takes a no for an answer", () =>
  withDaemon({}, async ({ daemon, ask, connectTo, cluster, clock }) => {
    const address = await ask("db.memory.test");
    clock.nowMs += cluster.lifeMs;
    const held = connectTo(address, 5432);
    await until(() => daemon.questions.logins.list().length === 1);
    const answer = { proxy: "memory.test", password: cluster.password, totp: null };
    await rejects(daemon.logInAgain({ ...answer, password: "a wrong one" }), {
      code: "login-failed",
    });
    await rejects(daemon.logInAgain({ ...answer, proxy: "other.test" }), {
      code: "profile-unknown",
    });
    equal((await daemon.logInAgain(answer)).kind, "done");
    equal((await held).kind, "connected");
    equal(daemon.status().state, "ready");
    clock.nowMs += cluster.lifeMs;
    const refused = connectTo(address, 5432);
    await until(() => daemon.status().profiles[0]?.waiting === 1);
    daemon.questions.logins.decline("memory.test");
    equal((await refused).kind, "refused");
    equal((await connectTo(address, 5432)).kind, "refused");
    equal(daemon.status().connections.recent_failures[0]?.code, "login-expired");
  }));

Deno.test("Daemon does not hold connections of who is locked out", () =>
  withDaemon({}, async ({ daemon, ask, connectTo, cluster }) => {
    const address = await ask("db.memory.test");
    cluster.failure = new AuthError("access-locked", "a lock is in force");
    cluster.wake();
    await until(() => daemon.status().profiles[0]?.state === "expired");
    equal((await connectTo(address, 5432)).kind, "refused");
    deepEqual(daemon.questions.logins.list(), []);
  }));

Deno.test("Daemon says ahead of time that a login ends", () =>
  withDaemon({}, async ({ daemon, cluster, clock }) => {
    clock.nowMs += cluster.lifeMs - 10 * 60_000;
    await daemon.refresh();
    const [finding, ...others] = daemon.status().findings;
    deepEqual([finding?.code, others], ["login-ends", []]);
    match(finding?.message ?? "", /^The login to memory\.test ends in 10 minutes$/);
    match(finding?.hint ?? "", /`vnet login memory\.test --user alice`/);
    clock.nowMs += 10 * 60_000;
    await daemon.refresh();
    deepEqual(codes(daemon), []); // the login itself says so
  }));

Deno.test("Daemon shows on the desktop what waits for a second factor", () =>
  withDaemon({}, async ({ daemon, connect, cluster, machine }) => {
    cluster.codes.set("db", "123456");
    const refused = connect("db.memory.test", 5432);
    await until(() => machine.desktop.shown.length === 1);
    const [notice] = machine.desktop.shown;
    equal(notice?.title, "vnet: second factor for db");
    match(notice?.text ?? "", /"db" of memory\.test, port 5432.*vnet mfa approve --id 1 CODE$/);
    notice?.action?.onChosen();
    equal((await refused).kind, "refused");
    await until(() => machine.desktop.shown.length === 0);
    equal(daemon.status().connections.recent_failures[0]?.code, "mfa-declined");
    notice?.action?.onChosen(); // it is over, and nothing happens
  }));

Deno.test("Daemon keeps rights and connections of logins that are the same after a refresh", () =>
  withDaemon({}, async ({ daemon, connect, cluster }) => {
    const made = await connect("web.memory.test", 80);
    ok(made.kind === "connected");
    await daemon.refresh();
    equal((await connect("web.memory.test", 80)).kind, "connected");
    equal(cluster.rights.length, 1);
    await made.conn.write(Uint8Array.of(65));
    equal(await made.conn.read(new Uint8Array(4)), 1);
    made.conn.close();
  }));

Deno.test("Daemon waits for a login where it is told to, and says so meanwhile", () =>
  withDaemon({
    profiles: () => [],
    options: { waitForLogin: true },
  }, async ({ daemon, ask, options, cluster }) => {
    await until(() => codes(daemon).includes("login-needed"));
    equal(daemon.status().state, "starting");
    await new ProfileStore(options.paths.configDir).save(cluster.profile());
    await daemon.refresh();
    await daemon.ready(AbortSignal.timeout(5_000));
    deepEqual([daemon.status().state, codes(daemon)], ["ready", []]);
    match(await ask("db.memory.test"), /^100\./);
  }));

Deno.test("Daemon serves the good logins beside one that cannot be used, and says which", () =>
  withDaemon({
    profiles: (cluster) => [
      cluster.profile(),
      cluster.profile({ kind: "other", proxy: { host: "other.test", port: 443 } }),
    ],
  }, async ({ daemon, ask }) => {
    match(await ask("db.memory.test"), /^100\./);
    const other = daemon.status().profiles.find(({ proxy }) => proxy === "other.test");
    match(other?.error ?? "", /of the kind "other".*\[cluster-kind-unknown\]/);
    equal(daemon.status().state, "ready");
  }));

Deno.test("Daemon goes on where its folder cannot be written any more, and says so", () =>
  withDaemon({}, async ({ daemon, ask, cluster, options }) => {
    const { stateDir } = options.paths;
    for (const name of ["leases.json", "clusters.json"]) {
      await Deno.remove(`${stateDir}/${name}`);
      await Deno.mkdir(`${stateDir}/${name}/in the way`, { recursive: true });
    }
    cluster.publish({ apps: [WEB, memoryApp("api")] });
    await until(async () => /^100\./.test(await ask("api.memory.test")));
    equal(await ask("db.memory.test"), "NXDOMAIN");
    ok(codes(daemon).includes("state-unsaved"));
  }));

Deno.test("Daemon ends at once when it cannot begin, and says why", async (t) => {
  const cases: [name: string, wishes: Wishes, code: string][] = [
    ["no login", { profiles: () => [] }, "login-needed"],
    ["every login is over", {
      profiles: (cluster) => [cluster.profile({ expiresMs: 0 })],
    }, "login-expired"],
    ["nothing is known of the cluster", {
      before: ({ cluster }) => {
        cluster.failure = new AuthError("session-ended", "logged out elsewhere");
      },
    }, "cluster-unreachable"],
    ["the helper refuses", { before: ({ helper }) => helper.fail("open", "tun-busy") }, "tun-busy"],
    ["routes are refused", {
      before: ({ helper }) => helper.fail("apply", "range-conflict"),
    }, "range-conflict"],
  ];
  for (const [name, wishes, code] of cases) {
    await t.step(name, () =>
      withDaemon(wishes, async ({ running }) => {
        await rejects(running, { code });
      }));
  }
});

Deno.test("Daemon ends with its helper, and lets go of everything", () =>
  withDaemon({}, async ({ running, helper }) => {
    await helper.vanish();
    await rejects(running, { code: "helper-lost" });
  }));

Deno.test("Daemon leads new names into a cluster's new range, and gives the old one up with its last connection", () =>
  withDaemon({}, async ({ daemon, ask, connect, connectTo, cluster, helper }) => {
    const routes = () => (helper.inForce?.routes ?? []).filter((route) => !route.includes(":"));
    const moveTo = async (range: string, want: RegExp) => {
      cluster.publish({ root: { ...cluster.published.root, range } });
      await until(async () => want.test(await ask("db.memory.test")));
    };
    await moveTo("100.80.0.0/16", /^100\.80\./);
    // The link's own addresses stay, with as little around them as can be.
    deepEqual(routes(), ["100.64.0.0/27", "100.80.0.0/16"]);
    const address = await ask("db.memory.test");
    const made = await connect("db.memory.test", 5432);
    ok(made.kind === "connected");
    await moveTo("100.96.0.0/16", /^100\.96\./);
    deepEqual(routes(), ["100.64.0.0/27", "100.96.0.0/16", "100.80.0.0/16"]);
    equal((await connectTo(address, 5432)).kind, "refused"); // the old address is nobody's any more
    await made.conn.write(Uint8Array.of(65));
    equal(await made.conn.read(new Uint8Array(4)), 1);
    const next = await connect("db.memory.test", 5432);
    ok(next.kind === "connected");
    made.conn.close();
    await until(() => routes().length === 2);
    deepEqual(routes(), ["100.64.0.0/27", "100.96.0.0/16"]);
    cluster.publish({ root: { ...cluster.published.root, range: "100.64.0.0/10" } });
    await until(() => routes().join() === "100.64.0.0/10,100.96.0.0/16");
    next.conn.close();
    await until(() => routes().join() === "100.64.0.0/10");
    deepEqual(codes(daemon), []);
  }));

Deno.test("Daemon keeps away from ranges that others use, and says where its own lie", () =>
  withDaemon({
    before: ({ machine }) =>
      machine.routing.addRoute("100.64.0.0/11", machine.routing.addLink("tailscale0").name),
  }, async ({ daemon, ask }) => {
    deepEqual(codes(daemon), ["range-moved"]);
    match(await ask("db.memory.test"), /^100\.(9[6-9]|1[01]\d|12[0-7])\./);
  }));

Deno.test("Daemon takes a cluster's private range once its user agrees, and root allows it", async (t) => {
  const ten = (started: Pick<Started, "cluster">) =>
    started.cluster.publish({
      root: { ...started.cluster.published.root, range: "10.44.0.0/16" },
    });
  const states = (daemon: Started["daemon"]) =>
    daemon.status().private_ranges?.map(({ range, state }) => `${range} ${state}`);
  await t.step("root allows it", () =>
    withDaemon({
      before: (started) => (ten(started), allowTen(started)),
    }, async ({ daemon, ask, helper }) => {
      deepEqual([codes(daemon), states(daemon)], [["range-unasked"], ["10.44.0.0/16 unasked"]]);
      match(await ask("db.memory.test"), /^100\./);
      await daemon.decideRange({ ...MEMORY_10, isTaken: true });
      deepEqual([codes(daemon), states(daemon)], [[], ["10.44.0.0/16 taken"]]);
      match(await ask("db.memory.test"), /^10\.44\./);
      ok(helper.inForce?.routes.includes("10.44.0.0/16"));
      await daemon.decideRange({ ...MEMORY_10, isTaken: false });
      deepEqual([codes(daemon), states(daemon)], [[], ["10.44.0.0/16 declined"]]);
      match(await ask("db.memory.test"), /^100\./);
    }));
  await t.step(
    "root does not",
    () =>
      withDaemon({ before: ten }, async ({ daemon, ask, options }) => {
        await daemon.decideRange({ ...MEMORY_10, isTaken: true });
        deepEqual([codes(daemon), states(daemon)], [
          ["range-forbidden"],
          ["10.44.0.0/16 forbidden"],
        ]);
        match(await ask("db.memory.test"), /^100\./);
        deepEqual(await readRangeWords(options.paths.stateDir), [{ ...MEMORY_10, isTaken: true }]);
      }),
  );
  await t.step("it was agreed to an earlier day", () =>
    withDaemon({
      before: (started) => {
        ten(started);
        allowTen(started);
        const words = [{ ...MEMORY_10, taken: true }];
        Deno.writeTextFileSync(
          `${started.options.paths.stateDir}/ranges.json`,
          JSON.stringify({ schema: "vnet.range_words/1", words }),
        );
      },
    }, async ({ daemon, ask }) => {
      deepEqual(states(daemon), ["10.44.0.0/16 taken"]);
      match(await ask("db.memory.test"), /^10\.44\./);
    }));
});

Deno.test("Daemon keeps away from addresses that programs of the machine are connected by", () =>
  withDaemon({
    before: ({ machine }) => {
      const address = parseIp("100.77.0.9");
      machine.routing.inUse = [{ kind: "connection", address }];
    },
  }, async ({ daemon, ask }) => {
    deepEqual(codes(daemon), ["range-moved"]);
    match(daemon.status().findings[0]?.message ?? "", /100\.77\.0\.9\/32/);
    match(await ask("db.memory.test"), /^100\./);
  }));

Deno.test("Daemon takes the range that the user chose", () =>
  withDaemon({ options: { range: parsePrefix("10.99.0.0/24") } }, async ({ ask, helper }) => {
    match(await ask("db.memory.test"), /^10\.99\.0\./);
    ok(helper.inForce?.routes.includes("10.99.0.0/24"));
  }));
