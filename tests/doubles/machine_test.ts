import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { once } from "node:events";
import {
  formatIp,
  formatPrefix,
  parseEndpoint,
  parseIp,
  parseIpv4,
  parsePrefix,
} from "../../lib/ip/mod.ts";
import { DatagramBatch, type DatapathOptions } from "../../lib/os/mod.ts";
import { MemoryMachine } from "./machine.ts";

const text = new TextEncoder();
const APP = parseIpv4("100.64.0.9");
const CALL = { address: APP, port: 5432 };

Deno.test("a message carries descriptors, and lets go of them with its socket", async () => {
  const { sockets } = new MemoryMachine();
  const [near, far] = sockets.messagePair();
  const client = sockets.adoptMessages(near);
  const server = sockets.adoptMessages(far);
  const gift = sockets.listenTcp(parseEndpoint("127.0.0.1:0"));
  await client.send(text.encode("one"), [gift]);
  await client.send(text.encode("two"), [gift]);
  const message = await server.receive();
  deepEqual(message?.bytes, text.encode("one"));
  const [copy = 0] = message?.fds ?? [];
  deepEqual(sockets.localEndpoint(copy), sockets.localEndpoint(gift));
  sockets.close(gift);
  sockets.close(copy);
  throws(() => sockets.close(copy), { errno: "EBADF" });
  await server.close();
  await rejects(client.send(text.encode("three")), { errno: "EPIPE" });
  equal(await client.receive(), null);
  await client.close();
  deepEqual(sockets.descriptors.open, []);
});

Deno.test("receive() of messages ends with its signal, and when its own socket closes", async () => {
  const { sockets } = new MemoryMachine();
  const [near, far] = sockets.messagePair();
  const socket = sockets.adoptMessages(near);
  await rejects(socket.receive(AbortSignal.abort(new TypeError("enough"))), /enough/);
  const stop = new AbortController();
  const stopped = rejects(socket.receive(stop.signal), { name: "AbortError" });
  stop.abort();
  await stopped;
  const waiting = socket.receive();
  await socket.close();
  equal(await waiting, null);
  sockets.close(far);
});

Deno.test("a bound endpoint is taken until its last descriptor is closed", () => {
  const { sockets } = new MemoryMachine();
  const endpoint = parseEndpoint("127.0.53.1:53");
  const first = sockets.listenUdp(endpoint);
  throws(() => sockets.bindUdp(endpoint), { errno: "EADDRINUSE" });
  sockets.close(sockets.listenTcp(endpoint)); // another protocol
  sockets.close(first);
  sockets.close(sockets.listenUdp(endpoint));
});

Deno.test("a datagram is asked, answered by hand, then from the table of answers", async () => {
  const { sockets } = new MemoryMachine();
  const socket = sockets.bindUdp(parseEndpoint("127.0.0.1:0"));
  using answers = sockets.answers();
  socket.answerFrom(answers);
  const [open = ""] = sockets.descriptors.open;
  const server = parseEndpoint(open.split(" ").at(-1) ?? "");
  const reply = sockets.ask(server, Uint8Array.of(0, 1, 7));
  const batch = new DatagramBatch(4, 512);
  equal(await socket.receive(batch), 1);
  deepEqual([...batch.payload(0)], [0, 1, 7]);
  const out = new DatagramBatch(1, 512);
  out.put(0, Uint8Array.of(0, 1, 8), batch.endpoint(0));
  equal(socket.trySend(out), 1);
  deepEqual([...await reply], [0, 1, 8]);
  answers.put(Uint8Array.of(0, 1, 7), Uint8Array.of(0, 1, 9));
  deepEqual([...await sockets.ask(server, Uint8Array.of(5, 5, 7))], [5, 5, 9]);
  equal(answers.given, 1);
  const waiting = socket.receive(batch);
  await socket.close();
  equal(await waiting, 0);
  await rejects(sockets.ask(server, Uint8Array.of(1)), { errno: "ECONNREFUSED" });
});

Deno.test("streams are accepted, each half closed on its own", async () => {
  const { sockets } = new MemoryMachine();
  const listening = sockets.listenTcp(parseEndpoint("127.0.0.1:0"));
  const endpoint = sockets.localEndpoint(listening);
  throws(() => sockets.connectTcp(endpoint), { errno: "ECONNREFUSED" });
  const server = await sockets.acceptStreams(listening, (stream) => {
    stream.on("data", (bytes) => stream.write(bytes));
    stream.on("end", () => stream.end("bye"));
  });
  const client = sockets.connectTcp(endpoint);
  client.write("hello ");
  client.end();
  const chunks: Uint8Array[] = [];
  client.on("data", (chunk) => chunks.push(chunk));
  await once(client, "end");
  equal(chunks.map((chunk) => new TextDecoder().decode(chunk)).join(""), "hello bye");
  await server.close();
  deepEqual(sockets.descriptors.open, []);
});

/** A machine with a path that leases one address, and its listener. */
function withPath(rest: Partial<DatapathOptions> = {}) {
  const machine = new MemoryMachine();
  const { sockets } = machine;
  const thing = (what: string) => sockets.descriptors.add({ what });
  const listener = sockets.listenFlows(parseIp("100.64.0.1"));
  const path = machine.packets.start({
    tunFd: thing("tun"),
    vnetHeader: true,
    raw4Fd: thing("raw"),
    raw6Fd: null,
    ifindex: 3,
    self4: parseIpv4("100.64.0.1"),
    peer4: parseIpv4("100.64.0.2"),
    ranges4: [parsePrefix("100.64.0.0/10")],
    self6: null,
    peer6: null,
    prefix6: null,
    listenPort: listener.port,
    ...rest,
  });
  path.setLeases([APP], []);
  return { machine, path, listener };
}

Deno.test("a released SYN becomes a connection whose flow is known", async () => {
  const { machine, path, listener } = withPath();
  const connecting = machine.path.connect(CALL, { uid: 1000, inode: 7 });
  for await (const [event] of path.events()) {
    deepEqual([event?.uid, event?.inode, event?.destination], [1000, 7, CALL]);
    equal(path.release(event?.id ?? 0n), true);
    equal(path.release(event?.id ?? 0n), false); // once
    break;
  }
  const local = await listener.accept();
  equal(formatIp(local.remote.address), "100.64.0.2");
  deepEqual(path.flowOf(4, local.remote.port)?.destination, CALL);
  equal(path.flowOf(6, local.remote.port), null);
  const outcome = await connecting;
  if (outcome.kind !== "connected") throw new TypeError(outcome.kind);
  const into = new Uint8Array(2);
  await outcome.conn.write(text.encode("abc"));
  await outcome.conn.closeWrite();
  equal(await local.read(into), 2);
  equal(await local.read(into), 1);
  equal(await local.read(into), null);
  await local.write(text.encode("z")); // the other half is open
  equal(await outcome.conn.read(into), 1);
  local.close();
  equal(await outcome.conn.read(into), null);
  await rejects(outcome.conn.write(text.encode("late")), Deno.errors.BrokenPipe);
  await path.close();
  listener.close();
  listener.close();
  await rejects(listener.accept(), Deno.errors.BadResource);
  deepEqual(machine.sockets.descriptors.open, []);
});

Deno.test("a SYN is refused or rejected as it is told, and refused where nothing is leased", async () => {
  const { machine, path } = withPath();
  const refused = machine.path.connect(CALL, { uid: null });
  const rejected = machine.path.connect(CALL, { uid: 0 });
  for await (const [first, second] of path.events()) {
    equal(path.refuse(first?.id ?? 0n), true);
    equal(path.reject(second?.id ?? 0n, "host-unreachable"), true);
    break;
  }
  deepEqual(await refused, { kind: "refused" });
  deepEqual(await rejected, { kind: "rejected", reason: "host-unreachable" });
  path.setLeases([], [APP]);
  deepEqual(await machine.path.connect(CALL, { uid: 0 }), { kind: "refused" });
  throws(() => path.setLeases([parseIpv4("10.0.0.1")], []), RangeError);
  const held = machine.path;
  held.setLeases([APP], []);
  const left = held.connect(CALL, { uid: 0 });
  await path.close();
  deepEqual(await left, { kind: "refused" });
  equal(path.stats().synsRefused, 2);
});

Deno.test("events() ends with the path, with its signal, and with the device", async () => {
  const { machine, path } = withPath();
  const drain = async (signal?: AbortSignal) => {
    for await (const _batch of path.events(signal)) {
      // Nothing is expected.
    }
  };
  await rejects(drain(AbortSignal.abort(new TypeError("enough"))), /enough/);
  const draining = drain();
  machine.path.lose();
  await rejects(draining, { code: "tun-lost" });
  await path.close();
  await drain();
});

Deno.test("routes and addresses are what the test wrote", () => {
  const { routing } = new MemoryMachine();
  const { name, ifindex } = routing.addLink("vnet%d");
  deepEqual([name, routing.addLink("vnet%d").name], ["vnet0", "vnet1"]);
  throws(() => routing.addLink("eth0"), { errno: "EBUSY" });
  routing.addRoute("100.64.0.0/10", "vnet0");
  deepEqual(routing.routesOf("vnet0").map(formatPrefix), ["100.64.0.0/10"]);
  equal(routing.linkName(ifindex), "vnet0");
  routing.removeLink("vnet0");
  throws(() => routing.linkIndex("vnet0"), { errno: "ENODEV" });
  equal(routing.routes().some((route) => route.ifindex === ifindex), false);
});

Deno.test("the resolver says what it was told to", async () => {
  const { resolver } = new MemoryMachine();
  resolver.needsPort53 = true;
  const { choice, steps } = await resolver.preview({
    mode: "auto",
    link: "vnet0",
    server: (needsPort53) => parseEndpoint(needsPort53 ? "127.0.53.1:53" : "127.0.0.1:5300"),
    zones: ["corp.test"],
    guarded: true,
    journalDir: "/j",
  });
  deepEqual([choice.backend, steps], ["resolved", ["resolver vnet0 port 53 corp.test"]]);
  equal(resolver.previews.length, 1);
});
