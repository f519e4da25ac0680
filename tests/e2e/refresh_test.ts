/**
 * What happens at a cluster reaches a client's names and connections by push, and what does not concern a connection
 * leaves it alone: a real server and real agents; of the client all but its device.
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { ownDriver } from "../../lib/client/cluster/own/mod.ts";
import { ProfileStore } from "../../lib/client/cluster/profile.ts";
import { DEFAULT_VNET_CONFIG } from "../../lib/config/mod.ts";
import type { DomainName } from "../../lib/dns/mod.ts";
import type { LocalConn } from "../../lib/os/mod.ts";
import { serveAgent } from "../../lib/server/mod.ts";
import { type Started, until, withDaemon } from "../doubles/memory_client.ts";
import { app, echoServer, type Login, NO_STORE, TestCluster } from "./cluster.ts";

/** What is promised, with room for a slow machine. */
const PROMISED_MS = 2 * 2_000;
const GIVEN_UP_MS = 60_000;
const CLOCK = {
  get nowMs() {
    return Date.now();
  },
};

/** The zone of a cluster's apps: logins go by an address, so it must be allowed. */
const zoneOf = (cluster: TestCluster) => `proxy.${cluster.name}`;
const nameOf = (cluster: TestCluster) => `${cluster.address.host}:${cluster.address.port}`;

/** A client that is logged in to clusters. */
function withClient(
  clusters: readonly TestCluster[],
  logins: readonly Login[],
  test: (started: Started) => Promise<void>,
): Promise<void> {
  const grants = clusters.flatMap((cluster) =>
    [zoneOf(cluster), "corp.example"].map((suffix) => ({
      suffix: suffix as DomainName,
      proxy: nameOf(cluster),
    }))
  );
  return withDaemon({
    profiles: () => logins.map(({ profile }) => profile),
    options: {
      drivers: [ownDriver({ nowMs: Date.now, store: NO_STORE })],
      nowMs: Date.now,
      readAdmin: () => Promise.resolve({ grants, refusal: null }),
    },
  }, test);
}

/** Waits until it is so. */
async function comesTo(what: string, so: () => boolean | Promise<boolean>): Promise<void> {
  const timer = AbortSignal.timeout(GIVEN_UP_MS);
  await until(async () => {
    if (timer.aborted) throw new Error(`It never came to this: ${what}`);
    return await so();
  });
}

/** Does something, and waits no longer for its effect than was promised. */
async function promptly(
  what: string,
  act: () => unknown,
  so: () => boolean | Promise<boolean>,
): Promise<void> {
  const started = performance.now();
  await act();
  await comesTo(what, so);
  const elapsedMs = performance.now() - started;
  ok(elapsedMs < PROMISED_MS, `${what} took ${Math.round(elapsedMs)} ms`);
}

/** An open connection to an echo. */
class Held {
  readonly #conn: LocalConn;
  isOver = false;

  constructor(conn: LocalConn) {
    this.#conn = conn;
  }

  /** Something goes there and comes back. */
  async answers(): Promise<void> {
    await this.#conn.write(new TextEncoder().encode("hello"));
    const buffer = new Uint8Array(16);
    const count = await this.#conn.read(buffer);
    equal(new TextDecoder().decode(buffer.subarray(0, count ?? 0)), "hello");
  }

  /** Notes its end; nothing is read from it any more. */
  watch(): this {
    const over = () => this.isOver = true;
    this.#conn.read(new Uint8Array(1)).then((count) => count === null && over(), over);
    return this;
  }

  close(): void {
    this.#conn.close();
  }
}

async function hold({ connect }: Started, name: string, port = 80): Promise<Held> {
  const made = await connect(name, port);
  if (made.kind !== "connected") throw new Error(`${name} cannot be reached: ${made.kind}`);
  const held = new Held(made.conn);
  await held.answers();
  return held;
}

const isAddress = (answer: string) => /^100\./.test(answer);

Deno.test("what changes at a cluster reaches names and connections at once", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([
    app("steady", echo.port),
    app("ops", echo.port, { labels: { env: "ops" } }),
  ], { clock: CLOCK });
  const { admin } = cluster.server.auth;
  await cluster.putRole("ops", { env: "ops" });
  const giveRoles = (...roles: string[]) =>
    admin.putResource({
      kind: "user",
      version: "v1",
      metadata: { name: "alice" },
      spec: { roles },
    }, { replace: true });
  const zone = zoneOf(cluster);
  await withClient([cluster], [await cluster.login()], async (started) => {
    const { ask, daemon } = started;
    const answer = (name: string) => ask(`${name}.${zone}`);
    const steady = await hold(started, `steady.${zone}`);
    const home = await answer("steady");

    await t.step(
      "a role is given: the app has a name",
      () =>
        promptly(
          "a name",
          () => giveRoles("dev", "ops"),
          async () => isAddress(await answer("ops")),
        ),
    );

    await t.step("a role is taken: the name goes, and so do its connections", async () => {
      const held = (await hold(started, `ops.${zone}`)).watch();
      await promptly("the end", () => giveRoles("dev"), () => held.isOver);
      await comesTo("no name", async () => !isAddress(await answer("ops")));
      held.close();
    });

    await t.step("a role means other apps: as if another were given and taken", async () => {
      await promptly("a name", async () => {
        await cluster.putRole("more", { env: "ops" });
        await giveRoles("dev", "more");
      }, async () => isAddress(await answer("ops")));
      const held = (await hold(started, `ops.${zone}`)).watch();
      await promptly("the end", () => cluster.putRole("more", { env: "no" }), () => held.isOver);
      await comesTo("no name", async () => !isAddress(await answer("ops")));
      held.close();
    });

    await t.step("an app is published, changed and gone", async () => {
      const agent = await cluster.joinAgent("edge", [
        app("late", echo.port),
        app("other", echo.port),
      ]);
      await promptly("a name", () => {}, async () => isAddress(await answer("late")));
      const held = (await hold(started, `late.${zone}`, 7)).watch();
      await agent[Symbol.asyncDispose]();
      await Deno.remove(agent.config.tokenFile ?? "");
      const apps = agent.config.apps.map((one) => ({
        ...one,
        target: { ...one.target, port: null },
        tcpPorts: [{ first: echo.port, last: echo.port }],
      }));
      const changed = await serveAgent({ ...agent.config, apps }, { nowMs: Date.now });
      await changed.connected;
      const portsOf = (name: string) =>
        daemon.apps().apps.find((one) => one.name === name)?.ports ?? [];
      await promptly(
        "other ports",
        () => {},
        async () => portsOf("late").length === 1 && isAddress(await answer("late")),
      );
      equal((await started.connect(`late.${zone}`, 7)).kind, "refused");
      const again = (await hold(started, `late.${zone}`, echo.port)).watch();
      await promptly("the end", () => changed[Symbol.asyncDispose](), () => again.isOver);
      const others = apps.filter(({ name }) => name !== "late");
      await using gone = await serveAgent({ ...agent.config, apps: others }, { nowMs: Date.now });
      await gone.connected;
      await promptly("no name", () => {}, async () => !isAddress(await answer("late")));
      ok(held.isOver);
      for (const one of [held, again]) one.close();
    });

    await t.step("the cluster asks for a zone and another range", async () => {
      const ask = (spec: Partial<typeof DEFAULT_VNET_CONFIG.spec>) =>
        admin.putResource({
          ...DEFAULT_VNET_CONFIG,
          spec: { ...DEFAULT_VNET_CONFIG.spec, ...spec },
        }, { replace: true });
      await promptly(
        "the zone",
        () => ask({ custom_dns_zones: [{ suffix: "corp.example" }] }),
        () => daemon.zones().zones.some(({ suffix }) => suffix === "corp.example"),
      );
      equal(await answer("steady"), home);
      await promptly(
        "the range",
        () => ask({ ipv4_cidr_range: "100.80.0.0/16" }),
        async () => /^100\.80\./.test(await answer("steady")),
      );
      await (await hold(started, `steady.${zone}`)).close();
    });

    // None of all that was about this one.
    await steady.answers();
    steady.watch();

    await t.step("a lock: names are refused, connections end", async () => {
      await promptly(
        "the end",
        () => admin.lock({ target: { user: "alice" } }),
        () => steady.isOver,
      );
      await promptly("no name", () => {}, async () => await answer("steady") === "REFUSED");
      const [profile] = daemon.status().profiles;
      deepEqual([profile?.state, profile?.reason], ["expired", "access-locked"]);
      steady.close();
    });

    await t.step("a lock that is lifted: names and connections are back", async () => {
      // The first questions after the lock are past
      await new Promise((resolve) => setTimeout(resolve, 9_000));
      equal(await answer("steady"), "REFUSED");
      const { resources: [lock] } = await admin.getResources({ kind: "lock" });
      await promptly(
        "the name",
        () => admin.removeResource("lock", lock?.metadata.name ?? ""),
        async () => isAddress(await answer("steady")),
      );
      await (await hold(started, `steady.${zone}`)).close();
    });
  });
});

Deno.test("a login and a logout are in force at once, beside connections that run", async (t) => {
  await using echo = echoServer();
  await using first = await TestCluster.start([app("a", echo.port)], { clock: CLOCK });
  await using second = await TestCluster.start([app("b", echo.port)], {
    name: "second.example",
    clock: CLOCK,
  });
  await withClient([first, second], [await first.login()], async (started) => {
    const { daemon, ask, options } = started;
    const store = new ProfileStore(options.paths.configDir);
    const [a, b] = [`a.${zoneOf(first)}`, `b.${zoneOf(second)}`] as const;
    const held = await hold(started, a);
    const stop = new AbortController();
    let made = 0;
    const load = async () => {
      while (!stop.signal.aborted) {
        (await hold(started, a)).close();
        made++;
      }
    };
    const loads = Promise.all([load(), load(), load(), load()]);
    const { profile } = await second.login();

    for (const round of [1, 2]) {
      await t.step(`the second cluster comes and goes, ${round}`, async () => {
        await promptly("its name", async () => {
          await store.save(profile);
          await daemon.refresh();
        }, async () => isAddress(await ask(b)));
        const other = (await hold(started, b)).watch();
        await promptly("no name", async () => {
          await store.remove(profile.proxy);
          await daemon.refresh();
        }, async () => !isAddress(await ask(b)));
        equal(other.isOver, false); // it is the cluster's to end what runs
        other.close();
      });
    }
    await t.step("a cluster that is silent keeps no other login waiting", async () => {
      await store.save(profile);
      await daemon.refresh();
      const { host, port } = second.address;
      await second.server[Symbol.asyncDispose]();
      using _silent = Deno.listen({ hostname: host, port });
      const again = await first.login();
      await promptly("the name", async () => {
        await store.save(again.profile);
        await daemon.refresh();
      }, async () => isAddress(await ask(a)));
      match(await ask(b), /^100\./); // what was known last
    });
    stop.abort();
    await loads;
    ok(made > 4, `only ${made} connections were made meanwhile`);
    await held.answers();
    held.close();
    const { recent_failures } = daemon.status().connections;
    deepEqual(recent_failures.filter(({ name }) => name === a), []);
  });
});

Deno.test("a logout ends what runs by the login", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("a", echo.port)], { clock: CLOCK });
  const login = await cluster.login();
  await withClient([cluster], [login], async (started) => {
    const held = (await hold(started, `a.${zoneOf(cluster)}`)).watch();
    const driver = ownDriver({ nowMs: Date.now, store: NO_STORE });
    const link = driver.open(login.profile);
    await link.logout(AbortSignal.timeout(GIVEN_UP_MS)).finally(() => link.close());
    await promptly("the end", () => {}, () => held.isOver);
    await promptly(
      "no name",
      () => {},
      async () => await started.ask(`a.${zoneOf(cluster)}`) === "REFUSED",
    );
    equal(started.daemon.status().profiles[0]?.reason, "session-ended");
    held.close();
  });
});
