import { deepEqual, equal, ok } from "node:assert/strict";
import {
  app,
  connPair,
  digestServer,
  drain,
  echoServer,
  never,
  pattern,
  readText,
  sha256Hex,
  TestCluster,
  writeAll,
} from "./cluster.ts";

Deno.test("a flow carries bytes both ways and keeps each half-close", async (t) => {
  await using echo = echoServer();
  await using digest = digestServer();
  await using cluster = await TestCluster.start([
    app("echo", echo.port),
    app("digest", digest.port),
  ]);
  const pool = cluster.pool();
  try {
    await t.step("a line comes back before anybody closes", async () => {
      const flow = await pool.acquire(await cluster.target("echo"), never());
      const { outer, inner } = await connPair();
      const spliced = flow.splice(inner, never());
      await writeAll(outer, new TextEncoder().encode("hello\n"));
      equal(await readText(outer, 6), "hello\n");
      await outer.closeWrite();
      deepEqual(await drain(outer), { bytes: 0, digest: sha256Hex(new Uint8Array()) });
      outer.close();
      deepEqual(await spliced, { sentBytes: 6, receivedBytes: 6, reason: "done" });
    });

    await t.step("16 MiB out and back are the same bytes", async () => {
      const flow = await pool.acquire(await cluster.target("echo"), never());
      const { outer, inner } = await connPair();
      const spliced = flow.splice(inner, never());
      const sent = pattern(16 * 1_048_576);
      const received = drain(outer);
      await writeAll(outer, sent);
      await outer.closeWrite();
      deepEqual(await received, { bytes: sent.length, digest: sha256Hex(sent) });
      outer.close();
      equal((await spliced).reason, "done");
    });

    await t.step("the app answers after the client's end", async () => {
      const flow = await pool.acquire(await cluster.target("digest"), never());
      const { outer, inner } = await connPair();
      const spliced = flow.splice(inner, never());
      const sent = pattern(300_000);
      await writeAll(outer, sent);
      await outer.closeWrite();
      equal(await readText(outer, 1000), `300000 ${sha256Hex(sent)}\n`);
      outer.close();
      equal((await spliced).reason, "done");
    });
    ok(pool.stats().reused > 0);
  } finally {
    await pool.close();
  }
});
