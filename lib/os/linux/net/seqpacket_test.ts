import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { closeFd, loadShim } from "../shim.ts";
import {
  MESSAGE_LIMIT_BYTES,
  SeqpacketListener,
  SeqpacketSocket,
  socketPair,
} from "./seqpacket.ts";
import { UdpSocket } from "./datagram.ts";
import { parseEndpoint } from "../../../ip/mod.ts";

const shim = loadShim();
const bytes = (text: string) => new TextEncoder().encode(text);

async function withPath(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/socket`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("messages keep their borders, both ways, to the end", async () => {
  const [first, second] = SeqpacketSocket.pair(shim);
  await first.send(bytes("one"));
  await first.send(bytes("two"));
  await second.send(bytes("three"));
  deepEqual((await second.receive())?.bytes, bytes("one"));
  deepEqual((await second.receive())?.bytes, bytes("two"));
  deepEqual(await first.receive(), { bytes: bytes("three"), fds: [] });
  await first.close();
  equal(await second.receive(), null);
  await rejects(second.send(bytes("x")), { code: "socket-send-failed", errno: "EPIPE" });
  await second.close();
  await second.close();
});

Deno.test("a message of the longest length passes, a longer one is our own slip", async () => {
  const [first, second] = SeqpacketSocket.pair(shim);
  const longest = new Uint8Array(MESSAGE_LIMIT_BYTES).fill(7);
  await first.send(longest);
  deepEqual((await second.receive())?.bytes, longest);
  await rejects(first.send(new Uint8Array(MESSAGE_LIMIT_BYTES + 1)), RangeError);
  await rejects(first.send(new Uint8Array(0)), RangeError);
  await first.close();
  await second.close();
});

Deno.test("an inherited descriptor goes on elsewhere, and its end is seen", async () => {
  const [own, theirs] = socketPair(shim);
  const first = SeqpacketSocket.inherited(shim, own);
  const second = SeqpacketSocket.fromFd(shim, theirs);
  await first.send(bytes("one"));
  deepEqual((await second.receive())?.bytes, bytes("one"));
  await first.close();
  equal(await second.receive(), null);
  await second.close();
});

Deno.test("descriptors travel and work on the other side", async () => {
  const [first, second] = SeqpacketSocket.pair(shim);
  const udp = UdpSocket.bind(shim, parseEndpoint("127.0.0.1:0"));
  const [extra, otherExtra] = socketPair(shim);
  await first.send(bytes("take these"), [udp.fd, extra]);
  const message = await second.receive();
  ok(message);
  equal(message.fds.length, 2);
  const copy = UdpSocket.fromFd(shim, message.fds[0]!);
  deepEqual(copy.localEndpoint, udp.localEndpoint);
  await copy.close();
  for (const fd of [message.fds[1]!, extra, otherExtra]) closeFd(shim, fd);
  await Promise.all([udp.close(), first.close(), second.close()]);
});

Deno.test("send() waits while the peer's queue is full", async () => {
  const [first, second] = SeqpacketSocket.pair(shim);
  const count = 50;
  const sending = (async () => {
    for (let n = 0; n < count; n++) await first.send(new Uint8Array(32_000).fill(n));
    await first.close();
  })();
  for (let n = 0; n < count; n++) equal((await second.receive())?.bytes[31_999], n);
  await sending;
  equal(await second.receive(), null);
  await second.close();
});

Deno.test("SeqpacketListener: accept, peer, mode, and the file goes away", () =>
  withPath(async (path) => {
    const listener = SeqpacketListener.listen(shim, path, { mode: 0o640 });
    equal((await Deno.stat(path)).mode! & 0o777, 0o640);
    const accepting = listener.accept();
    const client = SeqpacketSocket.connect(shim, path);
    const server = await accepting;
    ok(server);
    deepEqual(server.peer(), { pid: Deno.pid, uid: Deno.uid(), gid: Deno.gid() });
    const waiting = listener.accept();
    await listener.close();
    equal(await waiting, null);
    await rejects(Deno.lstat(path), Deno.errors.NotFound);
    throws(() => SeqpacketSocket.connect(shim, path), {
      code: "socket-connect-failed",
      errno: "ENOENT",
    });
    await client.close();
    await server.close();
  }));

Deno.test("SeqpacketListener.listen() leaves a live socket alone, but for one empty visit", () =>
  withPath(async (path) => {
    await using listener = SeqpacketListener.listen(shim, path);
    throws(() => SeqpacketListener.listen(shim, path), { code: "socket-busy" });
    await using visitor = await listener.accept();
    equal(await visitor?.receive(), null);
  }));

Deno.test("SeqpacketListener.listen() takes over a dead socket, and nothing else", () =>
  withPath(async (path) => {
    const script = `
      const { loadShim } = await import("${import.meta.resolve("../shim.ts")}");
      const { SeqpacketListener } = await import("${import.meta.resolve("./seqpacket.ts")}");
      SeqpacketListener.listen(loadShim(), "${path}");
      Deno.exit(0);
    `;
    const args = ["eval", "--no-check", script];
    equal((await new Deno.Command(Deno.execPath(), { args }).output()).success, true);
    equal((await Deno.lstat(path)).isSocket, true);
    await SeqpacketListener.listen(shim, path).close();
    await Deno.writeTextFile(path, "precious");
    throws(() => SeqpacketListener.listen(shim, path), { code: "socket-busy" });
    equal(await Deno.readTextFile(path), "precious");
  }));

Deno.test("close() and an aborted signal end receive()", async () => {
  const [first, second] = SeqpacketSocket.pair(shim);
  const controller = new AbortController();
  const aborted = rejects(first.receive(controller.signal), { name: "AbortError" });
  controller.abort();
  await aborted;
  const receiving = first.receive();
  await first.close();
  equal(await receiving, null);
  await rejects(first.send(bytes("x")), { code: "socket-send-failed" });
  await second.close();
});

Deno.test("a path longer than the kernel takes is refused", () => {
  throws(() => SeqpacketSocket.connect(shim, `/tmp/${"x".repeat(200)}`), {
    errno: "ENAMETOOLONG",
  });
});
