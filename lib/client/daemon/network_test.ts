/** A whole client in memory whose network changes: routes and addresses that come and go, sleep, a sign-in. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { codes, until, withDaemon } from "../../../tests/doubles/memory_client.ts";
import { NetworkError } from "../../error.ts";

Deno.test("Daemon asks its clusters anew when the network is another, and not when its own link changes", () =>
  withDaemon({}, async ({ daemon, cluster, machine }) => {
    equal(cluster.networkChanges, 0);
    const link = daemon.status().link?.name ?? "";
    machine.routing.addRoute("100.99.0.0/16", link);
    machine.routing.removeRoute("100.99.0.0/16", link);
    machine.routing.removeRoute("0.0.0.0/0", "eth0");
    await until(() => cluster.networkChanges === 1);
    machine.routing.removeAddress("192.168.1.5", "eth0");
    machine.routing.addAddress("10.7.0.9/24", "eth0");
    await until(() => cluster.networkChanges === 2);
  }));

Deno.test("Daemon asks a silent cluster at once when the network is another, however long it would have waited", () =>
  withDaemon({}, async ({ daemon, cluster, machine, connect }) => {
    cluster.failure = new NetworkError("proxy-unreachable", "no route to its network");
    cluster.wake();
    await until(() => daemon.status().profiles[0]?.state === "unreachable");
    cluster.failure = null;
    machine.routing.addRoute("10.0.0.0/8", "eth0");
    await until(() => daemon.status().profiles[0]?.state === "active");
    equal((await connect("db.memory.test", 5432)).kind, "connected");
  }));

Deno.test("Daemon that slept for eight hours refuses what its login is too old for", () =>
  withDaemon(
    { options: { clockMs: 5 } },
    async ({ daemon, ask, connect, cluster, machine, clock }) => {
      equal((await connect("db.memory.test", 5432)).kind, "connected");
      const sleptMs = 8 * 3_600_000;
      machine.clocks.sleep(sleptMs);
      clock.nowMs += sleptMs;
      await until(() => cluster.networkChanges === 1);
      await until(async () => await ask("db.memory.test") === "REFUSED");
      const [profile] = daemon.status().profiles;
      deepEqual([profile?.state, profile?.reason], ["expired", "login-expired"]);
      ok((await connect("web.memory.test", 80).catch(() => null))?.kind !== "connected");
    },
  ));

Deno.test("Daemon that slept for a while goes on with its login, and asks for what is new", () =>
  withDaemon(
    { options: { clockMs: 5 } },
    async ({ daemon, ask, connect, cluster, machine, clock }) => {
      cluster.lifeMs = 24 * 3_600_000;
      machine.clocks.sleep(600_000);
      clock.nowMs += 600_000;
      await until(() => cluster.networkChanges === 1);
      equal(daemon.status().profiles[0]?.state, "active");
      match(await ask("db.memory.test"), /^100\./);
      equal((await connect("db.memory.test", 5432)).kind, "connected");
    },
  ));

Deno.test("Daemon says that a network wants a sign-in, keeps the login, and goes on by itself", () =>
  withDaemon({}, async ({ daemon, cluster, machine, connect }) => {
    cluster.failure = new NetworkError("proxy-timeout", "no answer");
    cluster.stranger = { host: "login.hotel.example" };
    cluster.wake();
    machine.routing.addRoute("10.0.0.0/8", "eth0");
    await until(() => codes(daemon).includes("captive-portal"));
    const finding = daemon.status().findings.find(({ code }) => code === "captive-portal");
    match(finding?.message ?? "", /sends to "login\.hotel\.example" in place of "memory\.test"/);
    equal(daemon.status().profiles[0]?.state, "unreachable");
    cluster.failure = null;
    cluster.stranger = null;
    await until(() => daemon.status().profiles[0]?.state === "active");
    await until(() => !codes(daemon).includes("captive-portal"));
    equal((await connect("db.memory.test", 5432)).kind, "connected");
  }));
