import { equal } from "node:assert/strict";
import { FindResponseSchema } from "../../lib/wire/mod.ts";
import { appServerName } from "../../lib/identity/mod.ts";
import { createTlsContext, dialTcp, HttpClient, startTlsClient } from "../../lib/io/mod.ts";
import { DEFAULT_LIMITS } from "../../lib/server/proxy/mod.ts";
import { APP_PROTOCOL } from "../../lib/tunnel/mod.ts";
import { app, carriesHello, echoServer, never, PROXY_HOST, TestCluster } from "./cluster.ts";

/** What a client says first: captured from ours. */
async function clientHello(serverName: string, protocol: string): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const stop = new AbortController();
  const dialling = dialTcp({ host: "127.0.0.1", port: listener.addr.port }, never()).then((
    socket,
  ) =>
    startTlsClient(socket, {
      context: createTlsContext({ identity: null, authorityPems: [] }),
      serverName,
      protocols: [protocol],
    }, stop.signal)
  );
  using conn = await listener.accept();
  const bytes = new Uint8Array(16_384);
  const count = await conn.read(bytes);
  stop.abort(new Error("enough"));
  await dialling.catch(() => {});
  return bytes.slice(0, count ?? 0);
}

/** Handshakes that come to nothing, each in a way of its own. */
function broken(hello: Uint8Array): [name: string, bytes: Uint8Array, isReset: boolean][] {
  const unversed = hello.slice();
  // Wherever TLS 1.3 (0x0304) or 1.2 (0x0303) is offered, offer what nobody speaks
  for (let at = 9; at + 1 < unversed.length; at++) {
    const isVersion = unversed[at] === 3 && (unversed[at + 1] === 3 || unversed[at + 1] === 4);
    if (isVersion && at > 40) unversed[at] = 0x7f;
  }
  return [
    ["nothing after the hello", hello, false],
    ["a reset after the hello", hello, true],
    ["versions that nobody speaks", unversed, false],
    ["a record of no type after the hello", join(hello, Uint8Array.of(99, 3, 3, 0, 1, 0)), false],
    ["an alert after the hello", join(hello, Uint8Array.of(21, 3, 3, 0, 2, 2, 40)), false],
    ["a second hello", join(hello, hello), false],
    ["a record that is too long", join(hello, Uint8Array.of(22, 3, 3, 255, 255)), false],
  ];
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

async function play(cluster: TestCluster, bytes: Uint8Array, isReset: boolean): Promise<void> {
  const { host, port } = cluster.address;
  const socket = await dialTcp({ host, port }, never());
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("error", () => {});
  socket.on("close", () => resolve());
  socket.resume();
  socket.write(bytes);
  if (isReset) socket.resetAndDestroy();
  else socket.end();
  await promise;
}

async function asks(cluster: TestCluster): Promise<void> {
  using http = new HttpClient(cluster.settings());
  const found = await http.request({
    method: "GET",
    path: "/webapi/find",
    schema: FindResponseSchema,
  }, never());
  equal(found.kind, "value");
}

Deno.test("a handshake that fails ends one connection to the web API, and nothing else", async (t) => {
  const limits = { ...DEFAULT_LIMITS, firstBytesMs: 500 };
  await using cluster = await TestCluster.start([], { limits });
  const hello = await clientHello(PROXY_HOST, "http/1.1");
  const other = await clientHello(PROXY_HOST, "h2");
  const cases = [...broken(hello), ["a protocol that is not spoken", other, false] as const];
  for (const [name, bytes, isReset] of cases) {
    await t.step(name, async () => {
      await play(cluster, bytes, isReset);
      await asks(cluster);
    });
  }
});

Deno.test("a handshake that fails ends one data channel of an agent, and nothing else", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  const target = await cluster.target("echo");
  const hello = await clientHello(
    appServerName(target.credentials.ticket, target.appId),
    APP_PROTOCOL,
  );
  for (const [name, bytes, isReset] of broken(hello)) {
    await t.step(name, async () => {
      await play(cluster, bytes, isReset);
      const pool = cluster.pool();
      await carriesHello(pool, target);
      await pool.close();
    });
  }
});
