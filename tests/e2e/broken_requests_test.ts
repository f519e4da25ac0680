import { equal } from "node:assert/strict";
import type { TLSSocket } from "node:tls";
import { FindResponseSchema } from "../../lib/wire/mod.ts";
import { dialServer, HttpClient } from "../../lib/io/mod.ts";
import { DEFAULT_LIMITS } from "../../lib/server/proxy/mod.ts";
import { never, TestCluster } from "./cluster.ts";

const HEAD = "host: x\r\ncontent-type: application/json\r\n";

/** Requests that come to nothing; each is sent, and the connection ended in two ways. */
const REQUESTS: [name: string, bytes: string][] = [
  ["half a line", "GET /webapi/fi"],
  [
    "a body that breaks off",
    `POST /v1/login/begin HTTP/1.1\r\n${HEAD}content-length: 100\r\n\r\n{"us`,
  ],
  [
    "a body that nobody reads",
    `POST /nothing HTTP/1.1\r\n${HEAD}content-length: 100000\r\n\r\n${"x".repeat(50_000)}`,
  ],
  [
    "a body for somebody without a certificate",
    `POST /v1/certs/app HTTP/1.1\r\n${HEAD}content-length: 100000\r\n\r\n${"x".repeat(50_000)}`,
  ],
  [
    "a chunk that breaks off",
    `POST /v1/join HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n\r\nff\r\nx`,
  ],
  [
    "a chunk that is none",
    `POST /v1/join HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\n`,
  ],
  [
    "two lengths",
    `POST /v1/join HTTP/1.1\r\n${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nxx`,
  ],
  ["a method nobody knows", `BREW /v1/join HTTP/1.1\r\n${HEAD}\r\n`],
  ["TRACE", `TRACE / HTTP/1.1\r\n${HEAD}\r\n`],
  ["CONNECT", `CONNECT x:1 HTTP/1.1\r\n${HEAD}\r\n`],
  ["a target that is no path", `GET http://[ HTTP/1.1\r\n${HEAD}\r\n`],
  [
    "an upgrade to nothing",
    `GET /v1/agent HTTP/1.1\r\n${HEAD}upgrade: x\r\nconnection: upgrade\r\n\r\n`,
  ],
  [
    "a WebSocket elsewhere",
    `GET /x HTTP/1.1\r\n${HEAD}upgrade: websocket\r\nconnection: upgrade\r\n` +
    "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  ],
  ["Expect", `POST /v1/join HTTP/1.1\r\n${HEAD}expect: 100-continue\r\ncontent-length: 5\r\n\r\n`],
  ["many at once", `GET /webapi/find HTTP/1.1\r\n${HEAD}\r\n`.repeat(200)],
  ["a head without end", `GET / HTTP/1.1\r\n${"x: y\r\n".repeat(10_000)}`],
  ["bytes that are no HTTP", "\0\x01\x02\xff".repeat(1000)],
];

const ENDINGS: Readonly<Record<string, (socket: TLSSocket) => void>> = {
  "ended": (socket) => void socket.end(),
  "destroyed": (socket) => void socket.destroy(),
};

async function play(cluster: TestCluster, bytes: string, end: (socket: TLSSocket) => void) {
  const socket = await dialServer(cluster.settings(), ["http/1.1"]);
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("error", () => {});
  socket.on("close", () => resolve());
  socket.resume();
  socket.write(bytes, "latin1", () => end(socket));
  await promise;
}

Deno.test("a request that comes to nothing ends one connection, and nothing else", async (t) => {
  const limits = { ...DEFAULT_LIMITS, firstBytesMs: 500 };
  await using cluster = await TestCluster.start([], { limits });
  for (const [name, bytes] of REQUESTS) {
    await t.step(name, async () => {
      // So many requests are within the limits of one host only by and by
      cluster.clock.nowMs += 60_000;
      await Promise.all(Object.values(ENDINGS).map((end) => play(cluster, bytes, end)));
      cluster.clock.nowMs += 60_000;
      using http = new HttpClient(cluster.settings());
      const found = await http.request({
        method: "GET",
        path: "/webapi/find",
        schema: FindResponseSchema,
      }, never());
      equal(found.kind, "value");
    });
  }
});
