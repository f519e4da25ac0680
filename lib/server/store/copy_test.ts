import { deepEqual, equal, rejects } from "node:assert/strict";
import { join } from "node:path";
import { POSTGRES, PostgresServer } from "../../../tests/doubles/postgres.ts";
import { needing } from "../../../tests/needs.ts";
import { copyStore } from "./copy.ts";
import { openPostgresStore } from "./postgres/mod.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

const cluster = "c.example";
const scope = { kinds: ["app"], apps: ["db"], labels: { a: "b" }, publicAddrs: null };
const attempt = { user: "st\"ra'ng\\er\n", source: "192.0.2.1" };
const EVENTS = 1203;

/** Writes something of everything. */
async function fill(store: Store): Promise<void> {
  await store.settings.setOnce("cluster_name", cluster);
  await store.authorities.addFirst({ kind: "user", certificatePem: "u", privateKeyPem: "secret" });
  await store.authorities.addFirst({ kind: "host", certificatePem: "h", privateKeyPem: "secret2" });
  await store.resources.put({ kind: "user", name: 'al"ice', body: "{}" }, 0);
  await store.resources.put({ kind: "user", name: 'al"ice', body: '{"ü":"\\u0000"}' }, 1);
  await store.credentials.put({ user: "alice", passwordHash: "p", totpSecret: "t" });
  await store.credentials.takeTotpStep("alice", 77);
  await store.failures.record(attempt, 1, { limit: 2, windowMs: 10, lockMs: 10 });
  await store.failures.record({ ...attempt, user: "b" }, 1, { limit: 1, windowMs: 9, lockMs: 9 });
  await store.knownSources.see({ user: "alice", source: "192.0.2.9" }, 5);
  const login = { id: "l", user: "alice", startedMs: null, expiresMs: 2 ** 42, source: null };
  await store.sessions.add({ ...login, parent: null, app: null });
  const drawn = { name: "db", id: "i", port: 5432, cluster: "leaf.example" };
  await store.sessions.add({ ...login, id: "s", startedMs: 3, parent: "l", app: drawn });
  await store.tokens.add({ id: "t", scope, expiresMs: 9, usesLeft: 3 }, "hash");
  await store.agents.put({ id: "a", name: "a", apps: ["db"], scope, joinedMs: 1, renewedMs: 2 });
  await store.agents.see(["a"], 8);
  const trust = {
    cluster: "leaf.example",
    side: "leaf" as const,
    hostCaPems: ["h"],
    userCaPems: [],
  };
  const rest = { identity: null, joinId: "j", facts: "{}", joinedMs: 4, seenMs: null };
  await store.trusts.addNew({ ...trust, ...rest });
  await store.events.append(Array.from({ length: EVENTS }, (_, i) => `{"n":${i}}`), false);
}

/** Everything that can be read of a store. */
async function read(store: Store): Promise<unknown> {
  return {
    cluster: await store.settings.get("cluster_name"),
    authorities: [await store.authorities.list("user"), await store.authorities.list("host")],
    resources: await store.resources.list(null),
    credential: await store.credentials.get("alice"),
    locked: await store.failures.lockedUntil({ ...attempt, user: "b" }, 2),
    hosts: await store.knownSources.newest(9),
    sessions: await store.sessions.listLive(1),
    tokens: [await store.tokens.list(), await store.tokens.find("hash", 1)],
    agents: await store.agents.list(),
    trusts: await store.trusts.list(),
    events: await store.events.after(0, 10_000),
  };
}

Deno.test(
  needing(POSTGRES, "copyStore() takes a store to PostgreSQL and back, all of it", async (t) => {
    await using server = await PostgresServer.start();
    const root = await Deno.makeTempDir();
    const [first, second] = [join(root, "first"), join(root, "second")];
    await Deno.mkdir(first);
    const sqlite = () => openSqliteStore(join(first, "auth.db"));
    const postgres = await server.database();
    const from = { dataDir: first, postgres, cluster };
    let want: unknown;
    {
      await using store = await sqlite();
      await fill(store);
      want = await read(store);
    }
    await t.step("not of another cluster, not beside a server", async () => {
      const other = { ...from, cluster: "other.example" };
      await rejects(copyStore(other, "postgres"), { code: "backup-foreign" });
      await rejects(copyStore(from, "sqlite"), { code: "backup-unusable" });
      const socket = Deno.listen({ transport: "unix", path: join(first, "admin.sock") });
      await rejects(copyStore(from, "postgres"), { code: "server-running" });
      socket.close();
      await using _serving = await openPostgresStore(postgres, { isSole: true });
      await rejects(copyStore(from, "postgres"), { code: "store-in-use" });
    });
    await t.step("to PostgreSQL", async () => {
      const { users, rows } = await copyStore(from, "postgres");
      deepEqual({ users, rows }, { users: 1, rows: EVENTS + 13 });
      await using store = await openPostgresStore(postgres, { isSole: false });
      deepEqual(await read(store), want);
      equal(await store.credentials.takeTotpStep("alice", 77), false);
      equal(await store.failures.record(attempt, 2, { limit: 2, windowMs: 9, lockMs: 9 }), 11);
      equal(await store.events.append(["next"], true), EVENTS + 1);
      await rejects(copyStore(from, "postgres"), { code: "backup-exists" });
    });
    await t.step("and back, into a folder that has none, for its owner only", async () => {
      const to = { ...from, dataDir: second };
      await copyStore(to, "sqlite");
      equal((await Deno.stat(join(second, "auth.db"))).mode! & 0o777, 0o600);
      deepEqual([...Deno.readDirSync(second)].map(({ name }) => name), ["auth.db"]);
      {
        await using store = await openSqliteStore(join(second, "auth.db"));
        const { events, ...rest } = await read(store) as { events: unknown[] };
        const { events: before, ...others } = want as { events: unknown[] };
        deepEqual(rest, others);
        deepEqual(events, [...before, { seq: EVENTS + 1, body: "next" }]);
        equal(await store.events.append(["last"], true), EVENTS + 2);
      }
      await rejects(copyStore(to, "sqlite"), { code: "backup-exists" });
    });
    await t.step("whole or not at all", async () => {
      const broken = await server.database();
      await (await openPostgresStore(broken, { isSole: true }))[Symbol.asyncDispose]();
      await server.sql("ALTER TABLE tokens ADD CHECK (uses_left > 100)", broken.database);
      await rejects(copyStore({ ...from, postgres: broken }, "postgres"), {
        code: "store-unusable",
      });
      equal(await server.sql("SELECT count(*) FROM authorities", broken.database), "0");
    });
    await Deno.remove(root, { recursive: true });
  }),
);
