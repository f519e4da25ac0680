import { deepEqual, equal, ok } from "node:assert/strict";
import {
  app,
  audited,
  carriesHello,
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
  const login = await cluster.login();
  const pool = cluster.pool();
  try {
    await t.step("a line comes back before anybody closes", async () => {
      const flow = await pool.acquire(await cluster.target("echo", { login }), never());
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
      const flow = await pool.acquire(await cluster.target("echo", { login }), never());
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
      const flow = await pool.acquire(await cluster.target("digest", { login }), never());
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

Deno.test("a carrier is used for certificates that give the same right, and for no others", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("echo", echo.port)]);
  const login = await cluster.login();
  const pool = cluster.pool();
  /** Whether an idle carrier was taken for it. */
  const reuses = async (options: NonNullable<Parameters<TestCluster["target"]>[1]>) => {
    const target = await cluster.target("echo", options);
    const { reused } = pool.stats();
    await carriesHello(pool, target);
    return pool.stats().reused > reused;
  };
  try {
    equal(await reuses({ login }), false, "the first");

    await t.step("the login's next certificate: used again", async () => {
      ok(await reuses({ login }));
    });

    await t.step("another login of the same user: not", async () => {
      equal(await reuses({ login: await cluster.login() }), false);
    });

    await t.step("another user: not", async () => {
      await cluster.addUser("bob", ["dev"]);
      equal(await reuses({ login: await cluster.login("bob") }), false);
    });

    await t.step("a certificate for one port: not", async () => {
      equal(await reuses({ login, certPort: 5432 }), false);
    });

    await t.step("the user has other roles: not", async () => {
      await cluster.putRole("more", { env: "dev" });
      await cluster.server.auth.admin.putResource({
        kind: "user",
        version: "v1",
        metadata: { name: "alice" },
        spec: { roles: ["dev", "more"] },
      }, { replace: true });
      equal(await reuses({ login }), false);
    });

    await t.step(
      "a ticket that was seen with another certificate: each shows its own",
      async () => {
        const target = await cluster.target("echo", { login });
        await carriesHello(pool, target);
        await cluster.addUser("carol", ["dev"]);
        const hers = await cluster.target("echo", { login: await cluster.login("carol") });
        const { ticket } = target.credentials;
        await carriesHello(pool, { ...hers, credentials: { ...hers.credentials, ticket } });
        const isHers = ({ event, user }: Readonly<Record<string, unknown>>) =>
          event === "app.session.start" && user === "carol";
        await audited(cluster, isHers);
      },
    );
  } finally {
    await pool.close();
  }
});
