import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { createServer } from "node:net";
import { formatEndpoint, parseEndpoint } from "../../../ip/mod.ts";
import { DatagramBatch } from "../../datagram_batch.ts";
import { localEndpoint, tcpListen, UdpSocket } from "./datagram.ts";
import { closeFd, loadShim } from "../shim.ts";

const shim = loadShim();
const bytes = (text: string) => new TextEncoder().encode(text);

for (const any of ["127.0.0.1:0", "[::1]:0"]) {
  Deno.test(`UdpSocket sends and receives batches on ${any}`, async () => {
    await using server = UdpSocket.bind(shim, parseEndpoint(any));
    await using client = UdpSocket.bind(shim, parseEndpoint(any));
    const questions = new DatagramBatch(3, 64);
    for (const index of [0, 1, 2]) {
      questions.put(index, bytes(`question ${index}`), server.localEndpoint);
    }
    equal(client.trySend(questions), 3);
    const received = new DatagramBatch(8, 64);
    let count = 0;
    const answers = new DatagramBatch(8, 64);
    while (count < 3) {
      const now = await server.receive(received);
      for (let index = 0; index < now; index++) {
        deepEqual(received.endpoint(index), client.localEndpoint);
        answers.slot(count).set(received.payload(index));
        answers.lengths[count] = received.lengths[index] ?? 0;
        received.copyEndpoint(index, answers, count);
        count++;
      }
    }
    equal(await server.send(answers, count), 3);
    const back: string[] = [];
    while (back.length < 3) {
      const now = await client.receive(received);
      for (let index = 0; index < now; index++) {
        back.push(new TextDecoder().decode(received.payload(index)));
      }
    }
    deepEqual(back, ["question 0", "question 1", "question 2"]);
    equal(client.tryReceive(received), 0);
  });
}

Deno.test("a datagram longer than its slot is empty", async () => {
  await using socket = UdpSocket.bind(shim, parseEndpoint("127.0.0.1:0"));
  const sent = new DatagramBatch(2, 100);
  sent.put(0, new Uint8Array(100), socket.localEndpoint);
  sent.put(1, new Uint8Array(50), socket.localEndpoint);
  equal(socket.trySend(sent), 2);
  const received = new DatagramBatch(2, 50);
  const lengths: number[] = [];
  while (lengths.length < 2) {
    const count = await socket.receive(received);
    for (let index = 0; index < count; index++) lengths.push(received.payload(index).length);
  }
  deepEqual(lengths, [0, 50]);
  throws(() => received.put(0, new Uint8Array(51), socket.localEndpoint), RangeError);
});

Deno.test("one datagram that cannot be sent does not stop the others", async () => {
  await using socket = UdpSocket.bind(shim, parseEndpoint("127.0.0.1:0"));
  const batch = new DatagramBatch(3, 8);
  batch.put(0, bytes("a"), socket.localEndpoint);
  // broadcast is not permitted on this socket
  batch.put(1, bytes("b"), parseEndpoint("255.255.255.255:9"));
  batch.put(2, bytes("c"), socket.localEndpoint);
  equal(socket.trySend(batch), 2);
});

Deno.test("UdpSocket.bind() says who is in the way", async () => {
  await using socket = UdpSocket.bind(shim, parseEndpoint("127.0.0.1:0"));
  throws(() => UdpSocket.bind(shim, socket.localEndpoint), {
    code: "udp-busy",
    errno: "EADDRINUSE",
  });
  throws(() => UdpSocket.bind(shim, parseEndpoint("192.0.2.1:53")), {
    code: "udp-bind-failed",
    errno: "EADDRNOTAVAIL",
  });
});

Deno.test("close() and an aborted signal end receive()", async () => {
  const socket = UdpSocket.bind(shim, parseEndpoint("127.0.0.1:0"));
  const batch = new DatagramBatch(1, 16);
  const controller = new AbortController();
  const aborted = rejects(socket.receive(batch, controller.signal), { name: "AbortError" });
  controller.abort();
  await aborted;
  const receiving = socket.receive(batch);
  await socket.close();
  equal(await receiving, 0);
  equal(socket.tryReceive(batch), 0);
  equal(socket.trySend(batch), 0);
});

Deno.test("tcpListen() makes a descriptor node:net can serve", async () => {
  const fd = tcpListen(shim, parseEndpoint("127.0.0.1:0"));
  const endpoint = localEndpoint(shim, fd);
  throws(() => tcpListen(shim, endpoint), { code: "tcp-busy", errno: "EADDRINUSE" });
  const server = createServer((socket) => socket.end("hello"));
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: endpoint.port });
  equal(await new Response(conn.readable).text(), "hello");
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("localEndpoint() is about sockets of IP only", () => {
  equal(formatEndpoint(parseEndpoint("[::1]:53")), "[::1]:53");
  throws(() => localEndpoint(shim, 0), { code: "socket-failed" });
  throws(() => closeFd(shim, 100_000), { code: "descriptor-closed", errno: "EBADF" });
});
