/** Real sockets; the listener is one that nobody here has as the runtime's own. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { formatIp, parseEndpoint } from "../../../ip/mod.ts";
import { loadShim } from "../shim.ts";
import { adoptFlows } from "./adopted_listener.ts";
import { localEndpoint, tcpListen } from "./datagram.ts";

const shim = loadShim();
const BULK_BYTES = 3 * 1024 * 1024;

Deno.test("adoptFlows() accepts, carries both ways, and keeps half closes", async () => {
  const fd = tcpListen(shim, parseEndpoint("127.0.0.1:0"));
  const { port } = localEndpoint(shim, fd);
  const listener = await adoptFlows(shim, fd);
  equal(listener.port, port);
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  const conn = await listener.accept();
  const near = client.localAddr as Deno.NetAddr;
  deepEqual([formatIp(conn.remote.address), conn.remote.port], ["127.0.0.1", near.port]);

  const sent = crypto.getRandomValues(new Uint8Array(65_536));
  const sending = (async () => {
    for (let left = BULK_BYTES; left > 0; left -= sent.length) {
      for (let at = 0; at < sent.length;) at += await client.write(sent.subarray(at));
    }
    await client.closeWrite();
  })();
  const buffer = new Uint8Array(10_000);
  let received = 0;
  let isSame = true;
  for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
    for (let i = 0; i < count; i++) isSame &&= buffer[i] === sent[(received + i) % sent.length];
    received += count;
  }
  await sending;
  deepEqual([received, isSame], [BULK_BYTES, true]);

  equal(await conn.write(new TextEncoder().encode("bye")), 3);
  await conn.closeWrite();
  const answer = new Uint8Array(16);
  equal(await client.read(answer), 3);
  equal(await client.read(answer), null);
  client.close();
  conn.close();
  const waiting = listener.accept();
  listener.close();
  listener.close();
  await rejects(waiting, Deno.errors.BadResource);
});

Deno.test("adoptFlows() says that a connection broke, and is not held up by one that nobody takes", async () => {
  const fd = tcpListen(shim, parseEndpoint("127.0.0.1:0"));
  const { port } = localEndpoint(shim, fd);
  const listener = await adoptFlows(shim, fd);
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  const conn = await listener.accept();
  client.close();
  equal(await conn.read(new Uint8Array(1)), null);
  conn.close();
  await rejects(conn.write(new Uint8Array(1)));
  await conn.closeWrite();
  const untaken = await Deno.connect({ hostname: "127.0.0.1", port });
  listener.close();
  await untaken.read(new Uint8Array(1)).catch(() => null);
  untaken.close();
});
