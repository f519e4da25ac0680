/** What holds when two stores use one database, and what is said of a database that cannot be used. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
// @ts-types="@types/pg"
import pg from "pg";
import type { PostgresConfig } from "../../../config/mod.ts";
import { OsError } from "../../../error.ts";
import { needing } from "../../../../tests/needs.ts";
import { CompanyCa } from "../../../../tests/doubles/company_ca.ts";
import { POSTGRES, PostgresServer } from "../../../../tests/doubles/postgres.ts";
import { MIGRATIONS as SQLITE_MIGRATIONS } from "../migrations.ts";
import type { Store, StoreTopic } from "../store.ts";
import { openPostgresStore } from "./postgres.ts";

const SHARED = { isSole: false };
const SOLE = { isSole: true };
const WAIT_MS = 30_000;

/** Two stores on one empty database; both start at once. */
async function pair(server: PostgresServer) {
  const config = await server.database();
  const [a, b] = await Promise.all([
    openPostgresStore(config, SHARED),
    openPostgresStore(config, SHARED),
  ]);
  return {
    a: a!,
    b: b!,
    config,
    /** Numbers, each with one of the two stores in turn. */
    both: (count: number) =>
      Array.from({ length: count }, (_, i) => ({ i, store: i % 2 === 0 ? a! : b! })),
    [Symbol.asyncDispose]: async () => {
      await a![Symbol.asyncDispose]();
      await b![Symbol.asyncDispose]();
    },
  };
}

/** A connection of somebody else. */
async function connected({ host, port, database, user }: PostgresConfig) {
  const client = new pg.Client({ host, port, database, user });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** Collects what a store tells of changes. */
function watching(store: Store) {
  const closing = new AbortController();
  const told: StoreTopic[] = [];
  let wake = () => {};
  store.watch((topics) => {
    told.push(...topics);
    wake();
  }, closing.signal);
  return {
    told,
    until: async (topic: StoreTopic) => {
      const untilMs = performance.now() + WAIT_MS;
      while (!told.includes(topic)) {
        if (performance.now() > untilMs) throw new Error(`Nothing was told of ${topic}`);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 1000);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    [Symbol.dispose]: () => closing.abort(),
  };
}

async function refusedWith(opening: Promise<Store>): Promise<OsError> {
  try {
    await (await opening)[Symbol.asyncDispose]();
  } catch (thrown) {
    if (thrown instanceof OsError) return thrown;
    throw thrown;
  }
  throw new Error("It was opened");
}

const app = { kind: "role", name: "dev", body: "{}" };
const scope = { kinds: ["app"], apps: null, labels: {}, publicAddrs: null };

Deno.test(needing(POSTGRES, "two stores on one PostgreSQL database", async (t) => {
  await using server = await PostgresServer.start();
  await t.step(
    "start at once on an empty database, and have the same first authority",
    async () => {
      await using w = await pair(server);
      await Promise.all(
        w.both(8).map(({ i, store }) =>
          store.authorities.addFirst({ kind: "user", certificatePem: `c${i}`, privateKeyPem: "k" })
        ),
      );
      const [mine, theirs] = [
        await w.a.authorities.list("user"),
        await w.b.authorities.list("user"),
      ];
      equal(mine.length, 1);
      deepEqual(mine, theirs);
      const values = await Promise.all(
        w.both(8).map(({ i, store }) => store.settings.setOnce("key", `${i}`)),
      );
      equal(new Set(values).size, 1);
    },
  );
  await t.step("have the tables and columns that SQLite has", async () => {
    await using w = await pair(server);
    const { config } = w;
    const lines = await server.sql(
      "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable" +
        " FROM information_schema.columns WHERE table_schema = 'public'",
      config.database,
    );
    const sqlite = new DatabaseSync(":memory:");
    for (const step of SQLITE_MIGRATIONS) sqlite.exec(step);
    const want = sqlite.prepare(
      `SELECT m.name || '.' || c.name || ' ' || CASE c.type WHEN 'INTEGER' THEN 'bigint' ELSE 'text' END
       || ' ' || CASE WHEN c."notnull" OR c.pk THEN 'NO' ELSE 'YES' END AS line
     FROM sqlite_schema m JOIN pragma_table_info(m.name) c
     WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`,
    ).all().map((row) => String(row["line"]));
    sqlite.close();
    const held = new Set(lines.split("\n"));
    deepEqual(want.filter((line) => !held.has(line)), []);
    ok(want.length > 40);
  });
  await t.step("take a TOTP step once", async () => {
    await using w = await pair(server);
    await w.a.credentials.put({ user: "a", passwordHash: "h", totpSecret: null });
    const taken = await Promise.all(
      w.both(16).map(({ store }) => store.credentials.takeTotpStep("a", 7)),
    );
    equal(taken.filter((one) => one).length, 1);
    equal(await w.b.credentials.takeTotpStep("a", 6), false);
  });
  await t.step("use a join token as often as it may be used", async () => {
    await using w = await pair(server);
    await w.a.tokens.add({ id: "t", scope, expiresMs: 100, usesLeft: 3 }, "hash");
    const taken = await Promise.all(w.both(16).map(({ store }) => store.tokens.take("hash", 1)));
    equal(taken.filter((one) => one).length, 3);
    equal(await w.b.tokens.find("hash", 1), null);
  });
  await t.step("count failed logins together, and lock once at the limit", async () => {
    await using w = await pair(server);
    const rule = { limit: 8, windowMs: 1000, lockMs: 500 };
    const attempt = { user: "a", source: "192.0.2.1" };
    const record = () =>
      Promise.all(w.both(8).map(({ store }) => store.failures.record(attempt, 10, rule)));
    deepEqual((await record()).filter((one) => one !== null), [510]);
    equal(await w.a.failures.lockedUntil(attempt, 11), 510);
    equal(await w.b.failures.lockedUntil(attempt, 11), 510);
    await w.b.failures.clearUser("a");
    equal(await w.a.failures.lockedUntil(attempt, 11), null);
  });
  await t.step("change a resource by its revision: one of them wins", async () => {
    await using w = await pair(server);
    for (const held of [0, 1, 2]) {
      const put = await Promise.all(
        w.both(8).map(({ i, store }) =>
          store.resources.put({ ...app, body: `${held}-${i}` }, held)
        ),
      );
      deepEqual(put.filter((one) => one !== null), [held + 1]);
      const winner = put.findIndex((one) => one !== null);
      equal((await w.b.resources.get("role", "dev"))?.body, `${held}-${winner}`);
    }
  });
  await t.step("put several resources crosswise, all or none of each", async () => {
    await using w = await pair(server);
    const names = ["a", "b", "c"];
    await Promise.all(
      w.both(8).map(({ i, store }) =>
        store.resources.putAll(
          (i % 2 === 0 ? names : names.toReversed()).map((name) => ({
            resource: { kind: "role", name, body: `${i}` },
            expectedRevision: null,
          })),
        )
      ),
    );
    const held = await w.a.resources.list("role");
    deepEqual(held.map(({ revision }) => revision), [8, 8, 8]);
    equal(new Set(held.map(({ body }) => body)).size, 1);
  });
  await t.step("see and forget the hosts of a user at once", async () => {
    await using w = await pair(server);
    await w.a.credentials.put({ user: "a", passwordHash: "h", totpSecret: null });
    await Promise.all(
      w.both(40).map(({ i, store }) =>
        i % 20 === 19
          ? store.credentials.put({ user: "a", passwordHash: "h", totpSecret: null })
          : store.knownSources.see({ user: "a", source: `192.0.2.${i}` }, i)
      ),
    );
    ok((await w.b.knownSources.newest(100)).length <= 32);
  });
  await t.step("give events one order, in which a reader misses none", async () => {
    await using w = await pair(server);
    const count = 60;
    const seen: number[] = [];
    const writing = Promise.all(
      w.both(count).map(({ i, store }) =>
        store.events.append(i % 3 === 0 ? [`${i}`, `${i}+`] : [`${i}`], i % 2 === 0)
      ),
    );
    const want = count + Math.ceil(count / 3);
    const untilMs = performance.now() + WAIT_MS;
    while (seen.length < want && performance.now() < untilMs) {
      const more = await w.b.events.after(seen.at(-1) ?? 0, 7);
      seen.push(...more.map(({ seq }) => seq));
    }
    const firsts = await writing;
    deepEqual(seen, Array.from({ length: want }, (_, i) => i + 1));
    const bodies = (await w.a.events.after(0, 1000)).map(({ body }) => body);
    for (const { i } of w.both(count)) equal(bodies[firsts[i]! - 1], `${i}`);
  });
  await t.step("show no event before one with a lower number that is not there yet", async () => {
    await using w = await pair(server);
    await using other = await connected(w.config);
    await other.query("BEGIN");
    await other.query(
      "WITH c AS (UPDATE event_count SET last = last + 1 RETURNING last) INSERT INTO events SELECT last, 'first' FROM c",
    );
    const second = w.a.events.append(["second"], true);
    const early = await w.b.events.after(0, 10);
    await other.query("COMMIT");
    equal(await second, 2);
    deepEqual(early, []);
    deepEqual((await w.b.events.after(0, 10)).map(({ body }) => body), ["first", "second"]);
    // Who gave up leaves no gap
    await other.query("BEGIN; UPDATE event_count SET last = last + 1; ROLLBACK");
    equal(await w.b.events.append(["third"], true), 3);
  });
  await t.step("forget what has expired at once, and nothing else", async () => {
    await using w = await pair(server);
    const login = { user: "a", parent: null, app: null, startedMs: 1, source: null };
    for (let i = 0; i < 50; i++) {
      await w.a.sessions.add({ ...login, id: `s${i}`, expiresMs: i % 2 === 0 ? 10 : 20 });
    }
    await Promise.all(w.both(6).map(({ store }) => store.prune(10)));
    equal(await w.b.sessions.countLive(0), 25);
  });
  await t.step("tell each other of changes, and not of their own", async () => {
    await using w = await pair(server);
    using a = watching(w.a);
    using b = watching(w.b);
    await w.a.resources.put(app, 0);
    await b.until("resources");
    await w.a.agents.put({ id: "1", name: "a", apps: [], scope, joinedMs: 1, renewedMs: 1 });
    await b.until("agents");
    await w.a.sessions.endUser("nobody", 1);
    await b.until("sessions");
    await w.a.trusts.remove("nobody");
    await b.until("trusts");
    await w.a.events.append(["x"], false);
    await b.until("events");
    deepEqual(a.told, []);
  });
  await t.step("tell each other of changes that no notification comes of", async () => {
    await using w = await pair(server);
    await server.sql(
      "CREATE OR REPLACE FUNCTION pg_temp.silent() RETURNS int LANGUAGE sql AS 'SELECT 1';" +
        " DO $$ DECLARE body TEXT := pg_get_functiondef('tell_change'::regproc); BEGIN" +
        " EXECUTE replace(body, 'PERFORM pg_notify(''vnet_changes'', writer);', ''); END $$",
      w.config.database,
    );
    using b = watching(w.b);
    await w.a.resources.put(app, 0);
    await b.until("resources");
  });
  await t.step("end a statement that waits too long, and go on", async () => {
    await using w = await pair(server);
    await using other = await connected(w.config);
    await other.query("BEGIN; LOCK TABLE resources");
    await rejects(w.a.resources.put(app, 0), { code: "store-unreachable" });
    await other.query("ROLLBACK");
    equal(await w.a.resources.put(app, 0), 1);
  });
}));

Deno.test(
  needing(POSTGRES, "a PostgreSQL database that cannot be used is told, and why", async (t) => {
    const authority = await CompanyCa.create();
    await using server = await PostgresServer.start();
    const files = await Deno.makeTempDir();
    const write = async (name: string, text: string) => {
      await Deno.writeTextFile(`${files}/${name}`, text);
      return `${files}/${name}`;
    };
    const config = await server.database();
    const tcp = { ...config, host: "127.0.0.1" };
    await server.sql("CREATE ROLE app LOGIN PASSWORD 's3cret-word'");
    await server.sql("CREATE DATABASE app OWNER app");
    await server.write(
      "pg_hba.conf",
      "local all vnet trust\nhost all app 127.0.0.1/32 scram-sha-256\nhost all vnet 127.0.0.1/32 trust\n",
    );
    server.reload();
    const asApp = { ...tcp, user: "app", database: "app" };
    const passwordFile = await write("password", "s3cret-word\nnot this\n");

    await t.step("nothing listens there", async () => {
      for (const where of [{ ...tcp, port: 1 }, { ...config, host: "/nowhere" }]) {
        const error = await refusedWith(openPostgresStore(where, SOLE));
        equal(error.code, "store-unreachable", error.message);
        match(error.hint ?? "", /Start PostgreSQL/);
      }
    });
    await t.step("there is no such database", async () => {
      const error = await refusedWith(openPostgresStore({ ...config, database: "none" }, SOLE));
      equal(error.code, "store-missing");
      match(error.hint ?? "", /CREATE DATABASE "none"/);
    });
    await t.step("a password is wanted, is wrong, is right; none is ever said", async () => {
      const wrong = await write("wrong", "w7ong-word\n");
      const empty = await write("empty", "\n");
      const denied = [null, wrong, empty, `${files}/missing`];
      for (const passwordFile of denied) {
        const error = await refusedWith(openPostgresStore({ ...asApp, passwordFile }, SOLE));
        equal(error.code, "store-denied", error.message);
        match(error.hint ?? "", /password|read/);
        ok(!/w7ong|s3cret/.test(`${error.message} ${error.hint} ${Deno.inspect(error)}`));
      }
      await using store = await openPostgresStore({ ...asApp, passwordFile }, SOLE);
      equal(await store.settings.setOnce("a", "b"), "b");
    });
    await t.step("the database is another's", async () => {
      const mine = { ...asApp, passwordFile, database: config.database };
      const error = await refusedWith(openPostgresStore(mine, SOLE));
      equal(error.code, "store-denied");
      match(error.hint ?? "", /OWNER TO "app"/);
    });
    await t.step("a later vnet has written it", async () => {
      const later = await server.database();
      await (await openPostgresStore(later, SOLE))[Symbol.asyncDispose]();
      await server.sql("UPDATE schema_version SET version = 999", later.database);
      equal((await refusedWith(openPostgresStore(later, SOLE))).code, "store-too-new");
    });
    await t.step(
      "another server serves from it, which is named; when it ends, nobody does",
      async () => {
        const shared = await server.database();
        {
          await using _first = await openPostgresStore(shared, SOLE);
          const error = await refusedWith(openPostgresStore(shared, SOLE));
          equal(error.code, "store-in-use");
          match(error.message, new RegExp(`"vnet \\S+ ${Deno.pid} `));
        }
        await (await openPostgresStore(shared, SOLE))[Symbol.asyncDispose]();
      },
    );
    await t.step("another server serves from it: its schema is left as it is", async () => {
      const older = await server.database();
      await using _first = await openPostgresStore(older, SOLE);
      await server.sql("DROP TABLE guests; UPDATE schema_version SET version = 1", older.database);
      equal((await refusedWith(openPostgresStore(older, SOLE))).code, "store-in-use");
      equal(await server.sql("SELECT version FROM schema_version", older.database), "1");
    });
    await t.step("its certificate is not the one of the host that is named", async () => {
      const leaf = await authority.issue(["localhost"]);
      await server.write("server.crt", leaf.certificatePem);
      await server.write("server.key", leaf.privateKeyPem);
      const caFile = await write("ca.pem", authority.certificatePem);
      const other = await write("other.pem", (await CompanyCa.create()).certificatePem);
      const tls = { ...tcp, host: "localhost", tls: true, caFile };
      const plain = await refusedWith(openPostgresStore(tls, SOLE));
      equal(plain.code, "store-untrusted", "the server has no TLS");
      await server.sql("ALTER SYSTEM SET ssl = on");
      server.reload();
      for (
        const bad of [{ ...tls, caFile: other }, { ...tls, caFile: null }, {
          ...tls,
          host: "127.0.0.1",
        }]
      ) {
        const error = await refusedWith(openPostgresStore(bad, SOLE));
        equal(error.code, "store-untrusted", `${error.message}`);
      }
      await using store = await openPostgresStore(tls, SOLE);
      equal(await store.settings.get("nothing"), null);
      const versions = await server.sql("SELECT DISTINCT version FROM pg_stat_ssl WHERE ssl");
      match(versions, /^TLSv1\.[23]$/);
      const byAddress = await authority.issue(["127.0.0.1"]);
      await server.write("server.crt", byAddress.certificatePem);
      await server.write("server.key", byAddress.privateKeyPem);
      server.reload();
      const untilMs = performance.now() + WAIT_MS;
      const open = () => openPostgresStore({ ...tls, host: "127.0.0.1" }, SHARED);
      // Until it has read its files again
      while (
        await open().then((one) => one[Symbol.asyncDispose](), () => "not yet") === "not yet"
      ) {
        ok(performance.now() < untilMs);
      }
    });
    await Deno.remove(files, { recursive: true });
  }),
);

Deno.test(needing(POSTGRES, "a store outlives its PostgreSQL server", async () => {
  await using server = await PostgresServer.start();
  const config = await server.database();
  await using store = await openPostgresStore(config, SOLE);
  await store.resources.put(app, 0);
  using watched = watching(store);
  await server.kill();
  await Promise.all([
    rejects(store.settings.get("a"), { code: "store-unreachable" }),
    rejects(store.resources.put(app, null), { code: "store-unreachable" }),
    rejects(store.events.append(["lost"], true), { code: "store-unreachable" }),
  ]);
  await server.resume();
  equal(await retried(() => store.resources.put(app, 1)), 2);
  equal(await retried(() => store.events.append(["kept"], true)), 1);
  // What is asked while it is away for a moment waits; as often as it takes on a machine that is slow to start one
  const untilMs = performance.now() + WAIT_MS;
  for (let read: unknown = "store-unreachable"; typeof read === "string";) {
    ok(performance.now() < untilMs, "It never waited long enough");
    equal(read, "store-unreachable");
    await server.kill();
    const reading = store.resources.list(null).catch((error: OsError) => error.code);
    await server.resume();
    read = await reading;
  }
  // Whoever could not read meanwhile is told to, of everything
  for (const topic of ["resources", "sessions", "agents", "trusts"] as const) {
    await watched.until(topic);
  }
  // The lock is held again
  await retried(() => store.settings.get("a"));
  equal((await refusedWith(openPostgresStore(config, SOLE))).code, "store-in-use");
}));

/** What an act gives once the database is back. */
async function retried<T>(act: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + WAIT_MS;
  for (;;) {
    try {
      return await act();
    } catch (thrown) {
      if (performance.now() > untilMs) throw thrown;
    }
  }
}
