/** A server whose store is in PostgreSQL: what it does with it, and without it for a while. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { openSqliteStore } from "../../lib/server/store/mod.ts";
import { openPostgresStore } from "../../lib/server/store/postgres/mod.ts";
import { POSTGRES, PostgresServer } from "../doubles/postgres.ts";
import { needing } from "../needs.ts";
import {
  app,
  audited,
  carriesHello,
  connPair,
  echoServer,
  never,
  readText,
  TestCluster,
  writeAll,
} from "./cluster.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const WAIT_MS = 60_000;

Deno.test(needing(POSTGRES, "a server with its store in PostgreSQL", async (t) => {
  await using echo = echoServer();
  await using postgres = await PostgresServer.start();
  const config = await postgres.database();
  const { host, port, database, user } = config;
  await using cluster = await TestCluster.start([app("echo", echo.port)], {
    diag: true,
    store: JSON.stringify({ postgres: { host, port, database, user } }),
  });
  const { diagAddress } = cluster.server;
  const ready = async (): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${diagAddress?.port}/readyz`);
    return [response.status, await response.text()];
  };
  const login = await cluster.login();
  const pool = cluster.pool();
  const target = await cluster.target("echo", { login });

  await t.step("logs in, carries flows, and keeps what happens", async () => {
    await carriesHello(pool, target);
    const start = await audited(cluster, ({ event }) => event === "app.session.start");
    equal(start["user"], "alice");
    deepEqual(await ready(), [200, "ok\n"]);
    const events = await postgres.sql("SELECT count(*) FROM events", database);
    ok(Number(events) >= 4);
    // The folder has neither the store nor a key
    const kept = [...Deno.readDirSync(cluster.dataDir)].map(({ name }) => name).sort();
    deepEqual(kept, ["admin.sock", "audit.jsonl"]);
  });

  await t.step("a second one is refused, and told which has it", async () => {
    await rejects(
      TestCluster.start([], {
        store: JSON.stringify({ postgres: { host, port, database, user } }),
      }),
      {
        code: "store-in-use",
        message: new RegExp(`"vnet \\S+ ${Deno.pid} \\S+" .* serves from it`),
      },
    );
  });

  await t.step(
    "PostgreSQL is killed: open flows go on, new ones are refused, and work again",
    async () => {
      const flow = await pool.acquire(target, never());
      const { outer, inner } = await connPair();
      const ended = flow.splice(inner, never());
      const says = async (text: string) => {
        await writeAll(outer, new TextEncoder().encode(text));
        equal(await readText(outer, text.length), text);
      };
      await says("before");
      {
        await postgres.kill();
        await says("while it is away");
        const [status, why] = await ready();
        equal(status, 503);
        match(why, /^the store cannot be read: store-unreachable\n$/);
        await rejects(cluster.credentials(login, "echo", 0), { code: "store-unreachable" });
        await says("still");
        await postgres.resume();
        const beganMs = performance.now();
        for (;;) {
          try {
            await carriesHello(pool, await cluster.target("echo"));
            break;
          } catch (thrown) {
            if (performance.now() - beganMs > WAIT_MS) throw thrown;
          }
        }
        // Five seconds are promised; a slow machine gets more
        ok(performance.now() - beganMs < 30_000, `${performance.now() - beganMs} ms`);
        deepEqual(await ready(), [200, "ok\n"]);
        await says("after");
      }
      await outer.closeWrite();
      outer.close();
      equal((await ended).reason, "done");
    },
  );

  await t.step("what another process writes is in force at once", async () => {
    await using other = await openPostgresStore(config, { isSole: false });
    const before = cluster.server.auth.revision();
    const changed = cluster.server.auth.changed(before, never());
    const lock = { kind: "lock", version: "v1", metadata: { name: "l" } };
    const body = JSON.stringify({ ...lock, spec: { target: { user: "alice" } } });
    await other.resources.put({ kind: "lock", name: "l", body }, 0);
    await changed;
    await rejects(cluster.credentials(login, "echo", 0), { code: "access-locked" });
    const again = cluster.server.auth.revision();
    await other.resources.remove("lock", "l");
    await cluster.server.auth.changed(again, never());
    ok((await cluster.credentials(login, "echo", 0)).expiresMs > 0);
  });

  await t.step("after a restart the cluster is the same", async () => {
    const pin = cluster.server.caPin;
    await cluster.restart();
    equal(cluster.server.caPin, pin);
    await cluster.served("echo");
    await carriesHello(pool, await cluster.target("echo"));
  });
  await pool.close();

  await t.step(
    "vnet server store copy takes a store along; vnet ctl backup says who does",
    async () => {
      const file = `${cluster.dataDir}/copy.yaml`;
      const dataDir = `${cluster.dataDir}/copy`;
      await Deno.mkdir(dataDir);
      const text = `version: v1
cluster_name: c.example
data_dir: ${dataDir}
proxy_service: { public_addr: c.example, listen_addr: "127.0.0.1:0" }
`;
      {
        await using store = await openSqliteStore(`${dataDir}/auth.db`);
        await store.settings.setOnce("cluster_name", "c.example");
        await store.authorities.addFirst({ kind: "user", certificatePem: "c", privateKeyPem: "k" });
      }
      const copy = ["server", "store", "copy", "--to", "postgres", "--config", file];
      await Deno.writeTextFile(file, text);
      match(await vnet(1, ...copy), /store\.postgres: found nothing, expected the database/);
      const target = await postgres.database();
      const { host, port, database, user } = target;
      await Deno.writeTextFile(
        file,
        `${text}store: ${JSON.stringify({ postgres: { host, port, database, user } })}\n`,
      );
      match(await vnet(0, ...copy), /^Copied c\.example, 2 rows of \d+ tables, 0 users among them/);
      match(await vnet(2, ...copy), /there is a store in the database already \[backup-exists\]/);
      equal(await postgres.sql("SELECT private_key FROM authorities", database), "k");
      match(
        await vnet(2, "ctl", "backup", `${dataDir}/b`, "--config", file),
        /the store is in PostgreSQL \[backup-elsewhere\]\nhint: pg_dump/,
      );
    },
  );
}));

/** Runs a command. @returns What it says on stderr. */
async function vnet(code: number, ...args: string[]): Promise<string> {
  const ran = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, ...args],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).output();
  const stderr = new TextDecoder().decode(ran.stderr);
  equal(ran.code, code, stderr);
  return stderr;
}
