/** A cluster with several proxies: two relays on loopback before one server, which tests stop, slow down and take away. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import type { ClusterLink } from "../../lib/client/cluster/driver.ts";
import { formatHostPort, formatIp } from "../../lib/ip/mod.ts";
import { Front } from "../doubles/front.ts";
import { app, echoServer, never, planned, saysHello, TestCluster } from "./cluster.ts";

/** What the issue gives another proxy: with a margin of two. */
const SOON_MS = 2 * 3_000;

/** A cluster that lists two fronts, and a login by the first. */
async function world(
  names: readonly string[],
  options: ConstructorParameters<typeof Front>[1] = {},
) {
  const stack = new AsyncDisposableStack();
  const echo = stack.use(echoServer());
  const nowhere = { host: "127.0.0.1", port: 9 };
  const [a, b] = [stack.use(new Front(nowhere, options)), stack.use(new Front(nowhere, options))];
  const cluster = stack.use(
    await TestCluster.start(names.map((name) => app(name, echo.port)), {
      publicAddrs: [a, b].map(({ address }) => formatHostPort(address)),
    }),
  );
  for (const name of names) await cluster.served(name);
  a.to = b.to = cluster.address;
  const { profile } = await cluster.login("alice", "", a.address);
  const link = cluster.driver.open(profile);
  stack.defer(() => link.close());
  await link.view(never());
  return { a, b, link, cluster, profile, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Connects as the client does: a right, a flow, hello. @returns How long it took until the flow was there. */
async function hello(link: ClusterLink, name: string): Promise<number> {
  const begin = performance.now();
  const target = planned(name);
  const right = await link.right({ target, port: 5432, proof: null }, never());
  const flow = await link.open({ right, target, port: 5432 }, never());
  const elapsedMs = performance.now() - begin;
  await saysHello(flow);
  return elapsedMs;
}

Deno.test("a proxy that is stopped has another of its cluster tried after three seconds", async (t) => {
  await using made = await world(["db", "web"]);
  const { a, b, link } = made;
  await hello(link, "db");
  equal(b.connections, 0);
  a.freeze();
  await t.step("a new connection gets through", async () => {
    const elapsedMs = await hello(link, "db");
    ok(elapsedMs >= 2_900 && elapsedMs < SOON_MS, `${elapsedMs} ms`);
    ok(b.connections > 0);
  });
  await t.step("the next ones do not wait for it again", async () => {
    for (const name of ["db", "web", "db"]) {
      const elapsedMs = await hello(link, name);
      ok(elapsedMs < 2_900, `${elapsedMs} ms`);
    }
  });
  await t.step("news come by the other as well", async () => {
    equal((await link.view(never())).apps.length, 2);
  });
});

Deno.test("an idle carrier through a proxy that was stopped is given up, and the right is not asked for again", async () => {
  await using made = await world(["db"]);
  const { a, link } = made;
  const target = planned("db");
  const right = await link.right({ target, port: 5432, proof: null }, never());
  await saysHello(await link.open({ right, target, port: 5432 }, never()));
  a.freeze();
  const begin = performance.now();
  await saysHello(await link.open({ right, target, port: 5432 }, never()));
  ok(performance.now() - begin < SOON_MS);
});

Deno.test("a proxy that refuses has another of its cluster tried at once, and is found again", async () => {
  await using made = await world(["db"]);
  const { a, b, link } = made;
  await hello(link, "db");
  a.vanish();
  ok(await hello(link, "db") < 2_900);
  ok(b.connections > 0);
});

Deno.test("proxies that are all stopped are said to be silent, and not that there is no route", async () => {
  await using made = await world(["db"]);
  const { a, b, link } = made;
  await hello(link, "db");
  a.freeze();
  b.freeze();
  const named = (front: Front) => formatHostPort(front.address).replaceAll(".", "\\.");
  await rejects(hello(link, "db"), (thrown: Error & { code?: string }) => {
    equal(thrown.code, "proxy-silent");
    match(thrown.message, /the proxy is silent: no answer from/);
    for (const front of [a, b]) match(thrown.message, new RegExp(`"${named(front)}"`));
    return true;
  });
  a.thaw();
  b.thaw();
  await hello(link, "db");
});

Deno.test("a line of 200 ms that loses one piece in twenty carries connections, and no proxy is given up", async () => {
  await using made = await world(["db"], { delayMs: 200, loss: 0.05, resentMs: 600 });
  const { a, b, link } = made;
  for (let round = 0; round < 2; round++) await hello(link, "db");
  ok(a.connections > 0);
  deepEqual(b.connections, 0);
});

Deno.test("a question goes over a new connection when the one that was kept leads nowhere", async () => {
  await using echo = echoServer();
  await using a = new Front({ host: "127.0.0.1", port: 9 });
  await using cluster = await TestCluster.start([app("db", echo.port)]);
  await cluster.served("db");
  a.to = cluster.address;
  const { profile } = await cluster.login("alice", "", a.address);
  const link = cluster.driver.open(profile);
  try {
    await link.view(never()); // the cluster lists other addresses, where nobody is
    const target = planned("db");
    const right = await link.right({ target, port: 5432, proof: null }, never());
    a.strand();
    const begin = performance.now();
    await link.right({ target, port: 5432, proof: null }, never());
    ok(performance.now() - begin < SOON_MS);
    await saysHello(await link.open({ right, target, port: 5432 }, never()));
  } finally {
    await link.close();
  }
});

Deno.test("nothing is sent to a proxy whose address is vnet's own", async () => {
  await using made = await world(["db"]);
  const { cluster, profile, a, b } = made;
  const before = a.connections + b.connections;
  const link = cluster.driver.open(profile, {
    isOwn: (address) => formatIp(address) === "127.0.0.1",
    look: () => ({ hasAddress: () => true, hasWay: () => true }),
    unheard: () => () => false,
  });
  try {
    await rejects(link.view(never()), { code: "proxy-in-range" });
    const target = planned("db");
    const right = await made.link.right({ target, port: 5432, proof: null }, never());
    await rejects(link.open({ right, target, port: 5432 }, never()), { code: "proxy-in-range" });
    equal(await link.findStranger(never()), null);
  } finally {
    await link.close();
  }
  ok(a.connections + b.connections <= before + 1, "the right came by another link");
});

Deno.test("a proxy that is away when the client begins has another asked that was known before", async () => {
  await using made = await world(["db"]);
  const { a, link, cluster, profile } = made;
  const known = await link.view(never());
  a.vanish();
  const later = cluster.driver.open(profile);
  try {
    await rejects(later.view(never()), { code: "proxy-unreachable" });
    later.recall(known);
    equal((await later.view(never())).apps.length, 1);
  } finally {
    await later.close();
  }
});

Deno.test("whoever waits for news of a proxy that was stopped asks the other, and not when its time is up", async () => {
  await using made = await world(["db"]);
  const { a, link } = made;
  const stop = new AbortController();
  const views = link.watch(stop.signal)[Symbol.asyncIterator]();
  const begin = performance.now();
  const news = views.next(); // the cluster holds it for half a minute
  a.freeze();
  await hello(link, "db");
  equal((await news).value?.apps.length, 1);
  ok(performance.now() - begin < 20_000);
  stop.abort();
  await views.return?.(undefined);
});
