import { deepEqual, equal, rejects } from "node:assert/strict";
import { EventEmitter } from "node:events";
import type net from "node:net";
import { HeadCutOff, parseHead, readHead } from "./http_head.ts";

const NEVER = new AbortController().signal;
const HEAD = "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n";

/** What a socket tells of what comes in. */
function socketOf(): net.Socket {
  return Object.assign(new EventEmitter(), { pause: () => {} }) as unknown as net.Socket;
}

function listenersOf(socket: net.Socket): number {
  return socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
}

Deno.test("readHead() reads a head from pieces of any size, and listens once to each event", async (t) => {
  const cases: [name: string, pieces: readonly string[], hasMore: boolean][] = [
    ["whole", [HEAD], false],
    ["byte by byte", [...HEAD], false],
    ["with a page behind it", [`${HEAD}<html>`], true],
    ["cut within its end", [HEAD.slice(0, -1), "\n<"], true],
  ];
  for (const [name, pieces, hasMore] of cases) {
    await t.step(name, async () => {
      const socket = socketOf();
      const reading = readHead(socket, 100, NEVER);
      for (const piece of pieces) socket.emit("data", new TextEncoder().encode(piece));
      equal(listenersOf(socket), 4);
      deepEqual(await reading, { head: HEAD, hasMore });
      equal(listenersOf(socket), 0);
    });
  }
});

Deno.test("readHead() says how a head is cut off, and what there was of it", async () => {
  const socket = socketOf();
  for (const event of ["end", "close", "error"]) {
    const reading = readHead(socket, 100, NEVER);
    socket.emit("data", new TextEncoder().encode("HTTP/1.1"));
    socket.emit(event, new Error("reset"));
    await rejects(reading, { name: "HeadCutOff", why: "closed", head: "HTTP/1.1" });
  }
  const long = readHead(socket, 4, NEVER);
  socket.emit("data", new TextEncoder().encode("12345"));
  await rejects(long, (thrown) => thrown instanceof HeadCutOff && thrown.why === "too-long");
  const stop = new AbortController();
  const reading = readHead(socket, 100, stop.signal);
  stop.abort(new Error("enough"));
  await rejects(reading, /enough/);
  await rejects(readHead(socket, 100, stop.signal), /enough/);
  equal(listenersOf(socket), 0);
});

Deno.test("parseHead() takes an answer apart", async (t) => {
  const cases: [head: string, want: ReturnType<typeof parseHead>][] = [
    [HEAD, { status: 302, fields: "Location: /\r\n\r\n" }],
    ["HTTP/1.0 200\r\n\r\n", { status: 200, fields: "\r\n" }],
    ["HTTP/1.1 200 OK\nA: b", { status: 200, fields: "A: b" }],
    ["HTTP/2 200\r\n\r\n", null],
    ["SSH-2.0-OpenSSH\r\n", null],
    ["", null],
  ];
  for (const [head, want] of cases) {
    await t.step(JSON.stringify(head), () => deepEqual(parseHead(head), want));
  }
});
