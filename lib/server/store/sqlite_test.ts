import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { Database } from "./database.ts";
import { MIGRATIONS } from "./migrations.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

async function withStore(act: (store: Store, path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  const path = join(directory, "auth.db");
  try {
    await using store = await openSqliteStore(path);
    await act(store, path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("openSqliteStore() makes files for their owner only", async () => {
  await withStore(async (store, path) => {
    await store.settings.setOnce("a", "b");
    for (const suffix of ["", "-wal", "-shm"]) {
      equal((await Deno.stat(path + suffix)).mode! & 0o777, 0o600, suffix);
    }
  });
});

Deno.test("openSqliteStore() finds what was kept before, whoever opened the file", async () => {
  await withStore(async (store, path) => {
    await store.resources.put({ kind: "role", name: "dev", body: "{}" }, 0);
    await using other = await openSqliteStore(path);
    equal((await other.resources.get("role", "dev"))?.revision, 1);
    await other.resources.put({ kind: "role", name: "dev", body: "[]" }, 1);
    equal((await store.resources.get("role", "dev"))?.body, "[]");
  });
});

Deno.test("openSqliteStore() refuses a file of a later version, and a file that is no store", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const later = join(directory, "later.db");
    const db = new DatabaseSync(later);
    db.exec("PRAGMA user_version = 999");
    db.close();
    await rejects(openSqliteStore(later), { code: "store-too-new" });
    const garbage = join(directory, "garbage.db");
    await Deno.writeTextFile(garbage, "x".repeat(10_000));
    await rejects(openSqliteStore(garbage), { code: "store-unusable" });
    await rejects(openSqliteStore(join(directory, "missing", "auth.db")), {
      code: "store-unusable",
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("openSqliteStore() brings a store of version 1 up to date, with what is in it", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = join(directory, "auth.db");
    const db = new DatabaseSync(path);
    db.exec(MIGRATIONS[0]!);
    db.exec("PRAGMA user_version = 1");
    db.exec("INSERT INTO sessions (id, user, expires_ms) VALUES ('s', 'a', 100)");
    db.close();
    await using store = await openSqliteStore(path);
    const [session] = await store.sessions.listLive(1);
    deepEqual([session?.id, session?.startedMs, session?.source], ["s", null, null]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("openSqliteStore() gives a store of version 3 a place for other clusters, and keeps its sessions", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = join(directory, "auth.db");
    const db = new DatabaseSync(path);
    for (const step of MIGRATIONS.slice(0, 3)) db.exec(step);
    db.exec("PRAGMA user_version = 3");
    db.exec(
      "INSERT INTO sessions (id, user, parent, app, app_id, port, expires_ms) VALUES" +
        " ('l', 'a', NULL, NULL, NULL, NULL, 100), ('s', 'a', 'l', 'db', 'x', 5, 100)",
    );
    db.close();
    await using store = await openSqliteStore(path);
    deepEqual(await store.trusts.list(), []);
    const app = { name: "db", id: "x", port: 5, cluster: null };
    deepEqual((await store.sessions.getLive("s", 1))?.app, app);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("Database waits for the disk, but for what strangers cause", async () => {
  const directory = await Deno.makeTempDir();
  const db = await Database.open(join(directory, "auth.db"));
  const level = () => Number(db.get("PRAGMA synchronous")?.["synchronous"]);
  equal(db.get("PRAGMA journal_mode")?.["journal_mode"], "wal");
  equal(level(), 2, "FULL");
  equal(db.relaxed(() => level()), 1, "NORMAL");
  throws(() =>
    db.relaxed(() => {
      throw new Error("refused");
    }), /refused/);
  equal(level(), 2, "FULL again");
  db.close();
  await Deno.remove(directory, { recursive: true });
});
