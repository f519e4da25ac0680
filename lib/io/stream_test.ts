import { deepEqual, equal, ok } from "node:assert/strict";
import net from "node:net";
import { generateKeyPair } from "./keys.ts";
import { relay } from "./relay.ts";
import { TlsStream } from "./stream.ts";
import { dialTcp } from "./tcp.ts";
import { createTlsContext, startTlsClient, startTlsServer, type TlsIdentity } from "./tls.ts";
import {
  importPublicKey,
  issueAuthority,
  issueProxyCertificate,
  loadAuthority,
  parseCertificate,
} from "./mod.ts";

const NEVER = new AbortController().signal;

async function makeIdentity(cluster = "test"): Promise<{ identity: TlsIdentity; caPem: string }> {
  const nowMs = Date.now();
  const kept = await issueAuthority({ cluster, kind: "host" }, nowMs);
  const keys = await generateKeyPair();
  const publicKey = await importPublicKey(keys.publicKeyPem);
  if (publicKey === null) throw new Error("no key");
  const names = ["server.test"];
  const certificate = await issueProxyCertificate(
    await loadAuthority(kept),
    { names, publicKey },
    nowMs,
  );
  return {
    identity: { certificatePem: certificate.pem, privateKeyPem: keys.privateKeyPem },
    caPem: kept.certificatePem,
  };
}

/** Two ends of one TLS session over loopback. */
async function tlsPair(): Promise<{ client: TlsStream; server: TlsStream; trusted: boolean }> {
  const { identity, caPem } = await makeIdentity();
  const listener = net.createServer();
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  listener.listen(0, "127.0.0.1", resolve);
  await listening;
  const accepted = new Promise<net.Socket>((done) => listener.once("connection", done));
  const { port } = listener.address() as net.AddressInfo;
  const socket = await dialTcp({ host: "127.0.0.1", port }, NEVER);
  const protocols = ["test/1"];
  const [client, server] = await Promise.all([
    startTlsClient(socket, {
      context: createTlsContext({ identity: null, authorityPems: [caPem] }),
      serverName: "server.test",
      protocols,
    }, NEVER),
    startTlsServer(
      await accepted,
      { context: createTlsContext({ identity, authorityPems: [] }), protocols },
      NEVER,
    ),
  ]);
  listener.close();
  equal(client.socket.alpnProtocol, "test/1");
  return {
    client: new TlsStream(client.socket),
    server: new TlsStream(server.socket),
    trusted: client.trusted,
  };
}

async function tcpPair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
}

async function readAll(conn: Deno.Conn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(1024);
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

Deno.test("TlsStream holds a fast peer back while nobody reads", async () => {
  const { client, server, trusted } = await tlsPair();
  ok(trusted);
  const [near, far] = await tcpPair();
  const chunk = new Uint8Array(65_536).fill(7);
  const total = 1024 * chunk.length;
  const writing = (async () => {
    for (let sent = 0; sent < total; sent += chunk.length) await server.write(chunk);
    server.end();
  })();
  let received = 0;
  let most = 0;
  for (let bytes = await client.read(); bytes !== null; bytes = await client.read()) {
    received += bytes.length;
    // Round trips elsewhere: turns of the event loop in which the peer could send without end.
    if (received < 2_000_000) {
      for (let turn = 0; turn < 100; turn++) {
        await near.write(Uint8Array.of(1));
        await far.read(new Uint8Array(1));
      }
    }
    most = Math.max(most, client.queuedBytes);
  }
  await writing;
  equal(received, total);
  ok(most > 0 && most < 1_048_576, `${most} bytes were held`);
  near.close();
  far.close();
  client.close();
  await Promise.all([client.closed, server.closed]);
});

Deno.test("TlsStream.write() rejects when the peer is gone, and read() ends", async () => {
  const { client, server } = await tlsPair();
  server.close();
  await server.closed;
  let rejected = 0;
  for (let tries = 0; tries < 1000 && rejected === 0; tries++) {
    await client.write(new Uint8Array(65_536)).catch(() => rejected++);
  }
  equal(rejected, 1);
  client.close();
  equal(await client.read().catch(() => null), null);
  await client.closed;
});

Deno.test("startTlsClient() says whether the server is trusted, and keeps the chain for the judge", async () => {
  const { identity } = await makeIdentity();
  const other = await makeIdentity("other");
  const listener = net.createServer();
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  listener.listen(0, "127.0.0.1", resolve);
  await listening;
  const accepted = new Promise<net.Socket>((done) => listener.once("connection", done));
  const socket = await dialTcp({
    host: "127.0.0.1",
    port: (listener.address() as net.AddressInfo).port,
  }, NEVER);
  const [client, server] = await Promise.all([
    startTlsClient(socket, {
      context: createTlsContext({ identity: null, authorityPems: [other.caPem] }),
      serverName: "server.test",
      protocols: ["test/1"],
    }, NEVER),
    startTlsServer(
      await accepted,
      { context: createTlsContext({ identity, authorityPems: [] }), protocols: ["test/1"] },
      NEVER,
    ),
  ]);
  equal(client.trusted, false);
  ok(client.distrust !== null);
  deepEqual(client.peerChain, [parseCertificate(identity.certificatePem)?.der]);
  const streams = [new TlsStream(client.socket), new TlsStream(server.socket)];
  for (const stream of streams) stream.close();
  await Promise.all(streams.map((stream) => stream.closed));
  listener.close();
});

Deno.test("relay() keeps half-closes both ways", async () => {
  const [clientEnd, near] = await tcpPair();
  const [far, serverEnd] = await tcpPair();
  const relaying = relay(near, far, { signal: NEVER });
  await clientEnd.write(new TextEncoder().encode("question"));
  await clientEnd.closeWrite();
  equal(await readAll(serverEnd), "question");
  await serverEnd.write(new TextEncoder().encode("an answer"));
  await serverEnd.closeWrite();
  equal(await readAll(clientEnd), "an answer");
  deepEqual(await relaying, { forwardBytes: 8, backwardBytes: 9 });
  clientEnd.close();
  serverEnd.close();
});

Deno.test("relay() closes both when it is told to, and when nothing moves", async (t) => {
  await t.step("told to", async () => {
    const [clientEnd, near] = await tcpPair();
    const [far, serverEnd] = await tcpPair();
    const stop = new AbortController();
    const relaying = relay(near, far, { signal: stop.signal });
    stop.abort();
    await relaying;
    equal(await readAll(clientEnd), "");
    equal(await readAll(serverEnd), "");
    clientEnd.close();
    serverEnd.close();
  });
  await t.step("idle", async () => {
    const [clientEnd, near] = await tcpPair();
    const [far, serverEnd] = await tcpPair();
    await relay(near, far, { signal: NEVER, idleMs: 5 });
    equal(await readAll(clientEnd), "");
    equal(await readAll(serverEnd), "");
    clientEnd.close();
    serverEnd.close();
  });
});
