import { equal, ok } from "node:assert/strict";
import { DEFAULT_LIMITS } from "../../lib/server/proxy/mod.ts";
import { Attack, stranger } from "./attack.ts";
import { BALANCER, connectFrom, dialFrom, readToEnd } from "./balanced.ts";
import { app, carriesHello, echoServer, never, TestCluster } from "./cluster.ts";
import { dialServer } from "../../lib/io/mod.ts";

/** Small tables, so that hundreds of sources are more than fit. */
const LIMITS = { ...DEFAULT_LIMITS, total: 300, unproven: 120, unprovenPerHost: 8 };

/** A cluster where alice has logged in before, from 127.0.0.1, behind a balancer for everybody else. */
async function besieged(limits = LIMITS) {
  const echo = echoServer();
  const cluster = await TestCluster.start([app("echo", echo.port)], {
    limits,
    trustedProxies: [`${BALANCER}/32`],
    passwordCost: { logN: 12, r: 8, p: 1 },
  });
  await cluster.login();
  const connect = async () => {
    const target = await cluster.target("echo", { port: echo.port });
    const pool = cluster.pool();
    await carriesHello(pool, target).finally(() => pool.close());
  };
  return {
    cluster,
    connect,
    to: cluster.address,
    [Symbol.asyncDispose]: async () => {
      await cluster[Symbol.asyncDispose]();
      await echo[Symbol.asyncDispose]();
    },
  };
}

/** Waits until an attack has come so far. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("hundreds of sources that open connections and say nothing keep nobody out", async (t) => {
  await t.step("behind a balancer, each from another network", async () => {
    await using world = await besieged();
    await using attack = new Attack();
    attack.repeat({ atATime: 150, atMost: 1500 }, (i) => attack.hold(world.to, stranger(i % 400)));
    await until(() => attack.count >= 200); // so many were evicted, so the table is full
    await world.connect();
  });
  await t.step("from addresses of 127.0.0.0/8, two thousand in all", async () => {
    await using world = await besieged();
    await using attack = new Attack();
    attack.repeat(
      { atATime: 150, atMost: 1500 },
      (i) => attack.holdFrom(world.to, `127.${1 + i % 200}.${i % 7}.9`),
    );
    await until(() => attack.count >= 200);
    await world.connect();
  });
});

Deno.test("hundreds of sources that guess passwords keep nobody out", async (t) => {
  await using world = await besieged();
  const { cluster, to } = world;
  await cluster.addUser("bob", ["dev"]);
  await using attack = new Attack();
  attack.repeat({ atATime: 12, atMost: 1000 }, (i) => {
    const user = i % 3 === 0 ? "alice" : i % 3 === 1 ? "bob" : `user${i}`;
    return attack.guess(cluster.settings({ dial: dialFrom(stranger(i % 300), to) }), user);
  });
  await until(() => attack.count >= 100);
  await t.step("a user logs in where she has logged in before, and connects", async () => {
    await world.connect();
  });
  await t.step("nobody is let in, and most are refused before a password is tried", () => {
    equal(attack.told.get("let in"), undefined);
    const cheap = (attack.told.get("login-locked") ?? 0) + (attack.told.get("rate-limited") ?? 0) +
      (attack.told.get("busy") ?? 0) + (attack.told.get("failed") ?? 0) +
      (attack.told.get("proxy-unreachable") ?? 0);
    ok(cheap > 0, JSON.stringify([...attack.told]));
  });
});

Deno.test("who is slow, or asks without end, is let go", async (t) => {
  const limits = { ...DEFAULT_LIMITS, firstBytesMs: 300, unprovenMs: 1500 };
  await using world = await besieged(limits);
  const { cluster, to } = world;
  const from = (address: string) => cluster.settings({ dial: dialFrom(address, to) });

  await t.step("a handshake that never ends", async () => {
    const socket = await connectFrom("127.0.0.9", to);
    socket.write(Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3));
    equal(await readToEnd(socket), "");
  });

  await t.step("a request's head, byte by byte", async () => {
    const socket = await dialServer(from("198.51.100.1"), ["http/1.1"], never());
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    const drip = setInterval(() => socket.write("x"), 50);
    socket.write("GET /webapi/ping HTTP/1.1\r\nx-");
    socket.resume();
    await closed.finally(() => clearInterval(drip));
  });

  await t.step("requests that never end, by whoever proves nothing", async () => {
    const socket = await dialServer(from("198.51.100.2"), ["http/1.1"], never());
    let last = "";
    let asked = 0;
    const ask = () => {
      asked++;
      socket.write("GET /webapi/ping HTTP/1.1\r\nhost: x\r\n\r\n");
    };
    socket.on("data", (bytes: Uint8Array) => {
      last = new TextDecoder().decode(bytes);
      if (!socket.destroyed) ask();
    });
    socket.on("error", () => {});
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    ask();
    await closed;
    ok(/HTTP\/1.1 429/.test(last) && /rate-limited/.test(last), last);
    ok(asked < 1000, `${asked}`);
  });

  await t.step("a connection that is kept open by a request now and then", async () => {
    const socket = await dialServer(from("198.51.100.3"), ["http/1.1"], never());
    socket.on("error", () => {});
    socket.resume();
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    const ask = setInterval(
      () => socket.write("GET /webapi/ping HTTP/1.1\r\nhost: x\r\n\r\n"),
      100,
    );
    await closed.finally(() => clearInterval(ask));
  });

  await t.step("but not whoever showed a certificate", async () => {
    const login = await cluster.login();
    const socket = await dialServer(login.settings, ["http/1.1"], never());
    socket.on("error", () => {});
    socket.resume();
    let isClosed = false;
    socket.once("close", () => isClosed = true);
    const ask = setInterval(
      () => socket.write("GET /webapi/ping HTTP/1.1\r\nhost: x\r\n\r\n"),
      100,
    );
    const stranger = await dialServer(from("198.51.100.4"), ["http/1.1"], never());
    stranger.on("error", () => {});
    stranger.resume();
    const keep = setInterval(
      () => stranger.write("GET /webapi/ping HTTP/1.1\r\nhost: x\r\n\r\n"),
      100,
    );
    // Came later, and is gone first
    await new Promise<void>((resolve) => stranger.once("close", () => resolve()));
    clearInterval(keep);
    clearInterval(ask);
    equal(isClosed, false);
    socket.destroy();
  });
});
