/**
 * The packet thread against the kernel's own TCP. Run by tests/netns/os_test.ts in a network namespace.
 *
 * @module
 */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { formatIp, type IpAddress } from "../../../lib/ip/mod.ts";
import { machine } from "../../machine.ts";
import {
  APP4,
  APP6,
  APPS,
  NOBODY4,
  NOBODY6,
  RANGE4,
  receiveAll,
  SELF4,
  SELF6,
  sendBulk,
  World,
} from "./world.ts";

const { links, routing, sockets } = machine.root;

const BULK_BYTES = 64 * 1024 * 1024;
const BOTH = APPS.map((app) => [app, `IPv${app.family}`] as const);

/** Runs one test per family. */
function eachFamily(name: string, test: (app: IpAddress) => Promise<void>): void {
  for (const [app, family] of BOTH) Deno.test(`${name} (${family})`, () => test(app));
}

for (const offloads of [true, false]) {
  const kind = offloads ? "with offloads" : "plain";

  eachFamily(`a released SYN becomes a connection, ${kind}`, async (app) => {
    await using world = new World({ offloads });
    equal(world.tun.vnetHeader, offloads);
    const [client, { conn, flow }] = await Promise.all([
      world.connect(app, 443),
      world.accept(app.family),
    ]);
    deepEqual(flow.destination, { address: app, port: 443 });
    deepEqual(flow.source.address, app.family === 4 ? SELF4 : SELF6);
    equal(flow.source.port, client.localAddr.port);
    equal(flow.uid, Deno.uid());
    equal(world.syns.length, 1);
    equal(world.syns[0]?.id, flow.id);
    await client.write(new TextEncoder().encode("ping"));
    const buffer = new Uint8Array(16);
    equal(await conn.read(buffer), 4);
    client.close();
    equal(await conn.read(buffer), null);
    conn.close();
  });

  eachFamily(`64 MiB pass both ways unharmed, ${kind}`, async (app) => {
    await using world = new World({ offloads });
    const [client, { conn }] = await Promise.all([
      world.connect(app, 5000),
      world.accept(app.family),
    ]);
    const size = offloads ? BULK_BYTES : BULK_BYTES / 4;
    const [sentUp, gotUp, sentDown, gotDown] = await Promise.all([
      sendBulk(client, size),
      receiveAll(conn),
      sendBulk(conn, size),
      receiveAll(client),
    ]);
    deepEqual(gotUp, { bytes: size, sum: sentUp });
    deepEqual(gotDown, { bytes: size, sum: sentDown });
    client.close();
    conn.close();
    const { writeErrors, injectErrors, droppedMalformed } = world.datapath.stats();
    deepEqual({ writeErrors, injectErrors, droppedMalformed }, {
      writeErrors: 0,
      injectErrors: 0,
      droppedMalformed: 0,
    });
  });
}

eachFamily("each half is closed on its own", async (app) => {
  await using world = new World();
  const [client, { conn }] = await Promise.all([world.connect(app, 22), world.accept(app.family)]);
  await client.closeWrite();
  equal(await conn.read(new Uint8Array(1)), null);
  await conn.write(new TextEncoder().encode("after your end"));
  await conn.closeWrite();
  equal((await receiveAll(client)).bytes, 14);
  client.close();
  conn.close();
});

eachFamily("a refused SYN is a refused connection", async (app) => {
  await using world = new World({ onSyn: (event, datapath) => datapath.refuse(event.id) });
  await rejects(world.connect(app, 80), Deno.errors.ConnectionRefused);
  equal(world.datapath.stats().synsRefused, 1);
  equal(world.datapath.stats().flowsLive, 0);
});

eachFamily("a rejected SYN fails with what was said", async (app) => {
  const reasons = ["host-unreachable", "network-unreachable", "port-unreachable"] as const;
  await using world = new World({
    onSyn: (event, datapath) =>
      datapath.reject(event.id, reasons[event.destination.port] ?? "admin-prohibited"),
  });
  await rejects(world.connect(app, 1), /Network is unreachable|os error 101/);
  await rejects(world.connect(app, 2), Deno.errors.ConnectionRefused);
  await rejects(world.connect(app, 9), /No route to host|Permission denied/);
  equal(world.datapath.stats().synsRejected, 3);
});

Deno.test("a SYN to an unleased address is refused without a question", async () => {
  await using world = new World();
  for (const address of [NOBODY4, NOBODY6]) {
    await rejects(world.connect(address, 443), Deno.errors.ConnectionRefused);
  }
  equal(world.syns.length, 0);
  equal(world.datapath.stats().refusedUnleased, 2);
});

Deno.test("an address taken back refuses new connections and keeps old ones", async () => {
  await using world = new World();
  const [client, { conn }] = await Promise.all([world.connect(APP4, 443), world.accept(4)]);
  world.datapath.setLeases([], [APP4]);
  await rejects(world.connect(APP4, 443), Deno.errors.ConnectionRefused);
  await client.write(new Uint8Array(3));
  equal(await conn.read(new Uint8Array(8)), 3);
  client.close();
  conn.close();
});

eachFamily("a SYN nobody answers is refused when its time is over", async (app) => {
  await using world = new World({ heldTimeoutMs: 50, onSyn: () => {} });
  await rejects(world.connect(app, 443), Deno.errors.ConnectionRefused);
  equal(world.datapath.stats().synsTimedOut, 1);
  const [event] = world.syns;
  ok(event);
  equal(world.datapath.release(event.id), false);
});

Deno.test("SYNs beyond the limit are refused, not kept waiting", async () => {
  const held = Promise.withResolvers<bigint>();
  await using world = new World({ maxHeld: 1, onSyn: (event) => held.resolve(event.id) });
  const first = world.connect(APP4, 1000);
  const id = await held.promise;
  await rejects(world.connect(APP6, 1000), Deno.errors.ConnectionRefused);
  equal(world.datapath.stats().refusedOverload, 1);
  equal(world.datapath.release(id), true);
  equal(world.datapath.release(id), false);
  const [client, { conn }] = await Promise.all([first, world.accept(4)]);
  client.close();
  conn.close();
});

Deno.test("closing refuses what is held and removes the device", async () => {
  const held = Promise.withResolvers<void>();
  const world = new World({ onSyn: () => held.resolve() });
  const client = rejects(world.connect(APP4, 443), Deno.errors.ConnectionRefused);
  await held.promise;
  await world.close();
  await client;
  await rejects(async () => await routing.linkIndex("vnet0"), { code: "link-unknown" });
  equal(world.datapath.release(1n), false);
});

Deno.test("a listener that does not exist refuses a released SYN", async () => {
  await using world = new World({ listenPort: 9 });
  await rejects(world.connect(APP4, 443), Deno.errors.ConnectionRefused);
  equal(world.datapath.stats().synsReleased, 1);
});

Deno.test("a removed device ends the events with tun-lost", async () => {
  const world = new World();
  links.delete(world.tun.ifindex);
  await rejects(world.ended, { code: "tun-lost" });
  await rejects(world.close(), { code: "tun-lost" });
});

Deno.test("UDP to the range is refused by ICMP", async () => {
  await using world = new World();
  for (const [app] of BOTH) {
    // bash, because Deno has no connected UDP socket to read the refusal from
    const question = "exec 3<>/dev/udp/$0/53 && echo question >&3 && read -t 10 -u 3";
    const { stderr } = await new Deno.Command("bash", {
      args: ["-c", question, formatIp(app)],
      env: { LC_ALL: "C" },
    }).output();
    match(new TextDecoder().decode(stderr), /Connection refused/);
  }
  equal(world.datapath.stats().icmpUnreachable, 2);
});

Deno.test("aborting the connections of a range fails their clients at once", async () => {
  await using world = new World();
  const [client, { conn }] = await Promise.all([world.connect(APP4, 443), world.accept(4)]);
  // the listener's side may be aborted first: then its RST reaches the client, and one is left to abort
  const reading = rejects(client.read(new Uint8Array(1)), /abort|reset/);
  ok(sockets.destroyTo(RANGE4) >= 1);
  await reading;
  client.close();
  conn.close();
});

eachFamily("the owner of a connection is found by its exact addresses", async (app) => {
  await using world = new World();
  const [client, { conn, flow }] = await Promise.all([
    world.connect(app, 443),
    world.accept(app.family),
  ]);
  const owner = sockets.ownerOf({ ...flow, ifindex: world.tun.ifindex });
  deepEqual(owner, { uid: Deno.uid(), inode: flow.inode });
  equal(
    sockets.ownerOf({
      source: flow.source,
      destination: { ...flow.destination, port: 444 },
    }),
    null,
  );
  client.close();
  conn.close();
});

Deno.test("many connections at once keep their own bytes", async () => {
  await using world = new World();
  const count = 200;
  const serve = async () => {
    const echoes: Promise<void>[] = [];
    for (let n = 0; n < count; n++) {
      const { conn, flow } = await world.accept(n % 2 === 0 ? 4 : 6);
      echoes.push((async () => {
        const buffer = new Uint8Array(8);
        equal(await conn.read(buffer), 2);
        equal(buffer[0]! * 256 + buffer[1]!, flow.destination.port);
        await conn.write(buffer.subarray(0, 2));
        conn.close();
      })());
    }
    await Promise.all(echoes);
  };
  const client = async (n: number) => {
    const port = 2000 + n;
    const conn = await world.connect(n % 2 === 0 ? APP4 : APP6, port);
    await conn.write(Uint8Array.of(port >> 8, port & 255));
    equal((await receiveAll(conn)).bytes, 2);
    conn.close();
  };
  await Promise.all([serve(), ...Array.from({ length: count }, (_, n) => client(n))]);
  equal(world.datapath.stats().flowsCreated, count);
});

Deno.test("Deno's fetch of an app that is refused or away fails with the answer, and waits for nothing", async () => {
  await using world = new World({
    onSyn: (event, datapath) =>
      event.destination.port === 80
        ? datapath.refuse(event.id)
        : datapath.reject(event.id, "host-unreachable"),
  });
  for (const host of [formatIp(APP4), `[${formatIp(APP6)}]`]) {
    for (const port of [80, 81]) {
      const begin = performance.now();
      await rejects(fetch(`http://${host}:${port}/`));
      ok(performance.now() - begin < 5_000, `${host}:${port}`); // half of what a timeout takes
    }
  }
  equal(world.syns.length, 4);
});
