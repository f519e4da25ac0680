import { deepEqual, equal } from "node:assert/strict";
import { parseEndpoint } from "../../../ip/mod.ts";
import { DatagramBatch } from "../../datagram_batch.ts";
import { UdpSocket } from "./datagram.ts";
import { KnownAnswers } from "./known_answers.ts";
import { loadShim } from "../shim.ts";

const shim = loadShim();
const bytes = (text: string) => new TextEncoder().encode(text);

/** Sends questions and returns what comes back, as many as were sent. */
async function exchange(client: UdpSocket, server: UdpSocket, ...asked: string[]) {
  const batch = new DatagramBatch(asked.length, 64);
  for (const [index, text] of asked.entries()) batch.put(index, bytes(text), server.localEndpoint);
  equal(client.trySend(batch), asked.length);
  const back: string[] = [];
  while (back.length < asked.length) {
    const count = await client.receive(batch);
    for (let index = 0; index < count; index++) {
      deepEqual(batch.endpoint(index), server.localEndpoint);
      back.push(new TextDecoder().decode(batch.payload(index)));
    }
  }
  return back;
}

for (const any of ["127.0.0.1:0", "[::1]:0"]) {
  Deno.test(`UdpSocket.receive() hands over only what is not known on ${any}`, async () => {
    using known = new KnownAnswers(shim);
    await using server = UdpSocket.bind(shim, parseEndpoint(any));
    await using client = UdpSocket.bind(shim, parseEndpoint(any));
    known.put(bytes("..first"), bytes("..one"));
    server.answerFrom(known);
    const received = new DatagramBatch(8, 64);
    const waiting = server.receive(received);
    deepEqual(await exchange(client, server, "aafirst", "bbfirst"), ["aaone", "bbone"]);
    known.put(bytes("..first"), bytes("..two"));
    deepEqual(await exchange(client, server, "ccfirst"), ["cctwo"]);
    equal(known.given, 3);
    known.clear();
    const question = new DatagramBatch(1, 64);
    question.put(0, bytes("ddfirst"), server.localEndpoint);
    equal(client.trySend(question), 1);
    equal(await waiting, 1);
    equal(new TextDecoder().decode(received.payload(0)), "ddfirst");
    deepEqual(received.endpoint(0), client.localEndpoint);
  });
}

Deno.test("UdpSocket.close() ends a wait that answers by itself", async () => {
  using known = new KnownAnswers(shim);
  const server = UdpSocket.bind(shim, parseEndpoint("127.0.0.1:0"));
  server.answerFrom(known);
  const receiving = server.receive(new DatagramBatch(1, 64));
  await server.close();
  equal(await receiving, 0);
});

Deno.test("KnownAnswers keeps what fits, and says how many it gave when it is gone", async () => {
  const known = new KnownAnswers(shim);
  {
    await using server = UdpSocket.bind(shim, parseEndpoint("127.0.0.1:0"));
    await using client = UdpSocket.bind(shim, parseEndpoint("127.0.0.1:0"));
    server.answerFrom(known);
    known.put(bytes("..long"), new Uint8Array(400));
    known.put(bytes("..short"), bytes("..reply"));
    const received = new DatagramBatch(8, 64);
    const question = new DatagramBatch(1, 64);
    question.put(0, bytes("idlong"), server.localEndpoint);
    client.trySend(question);
    equal(await server.receive(received), 1);
    const waiting = server.receive(received);
    deepEqual(await exchange(client, server, "idshort"), ["idreply"]);
    await server.close();
    equal(await waiting, 0);
  }
  known[Symbol.dispose]();
  known[Symbol.dispose]();
  known.clear();
  known.put(bytes("..short"), bytes("..reply"));
  equal(known.given, 1);
});
