import { deepEqual, equal, rejects } from "node:assert/strict";
import { join } from "node:path";
import { backUpStore, restoreStore } from "./backup.ts";
import { Database } from "./database.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

const CLUSTER = "c.example";
const options = { cluster: CLUSTER, replace: false };

/** A store as a server has it, in a directory of its own beside a place for copies. */
async function world() {
  const root = await Deno.makeTempDir();
  const dataDir = join(root, "data");
  await Deno.mkdir(dataDir);
  const open = () => openSqliteStore(join(dataDir, "auth.db"));
  const store = await open();
  await store.settings.setOnce("cluster_name", CLUSTER);
  await store.authorities.addFirst({ kind: "user", certificatePem: "c", privateKeyPem: "secret" });
  return {
    dataDir,
    store,
    open,
    copy: join(root, "copy.db"),
    root,
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

const roleNames = async (store: Store) =>
  (await store.resources.list("role")).map(({ name }) => name);
const putRole = (store: Store, name: string) =>
  store.resources.put({ kind: "role", name, body: "{}" }, null);

Deno.test("a backup is of one moment, its owner's alone, and goes back", async () => {
  await using w = await world();
  await putRole(w.store, "before");
  const umask = Deno.umask(0);
  try {
    deepEqual(
      { ...await backUpStore(w.dataDir, w.copy, options), sizeBytes: 0 },
      { cluster: CLUSTER, users: 0, sizeBytes: 0 },
    );
  } finally {
    Deno.umask(umask);
  }
  equal((await Deno.stat(w.copy)).mode! & 0o777, 0o600);
  await putRole(w.store, "after");
  deepEqual(await roleNames(w.store), ["after", "before"]);
  await w.store[Symbol.asyncDispose]();

  await rejects(restoreStore(w.dataDir, w.copy, options), { code: "backup-exists" });
  await restoreStore(w.dataDir, w.copy, { ...options, replace: true });
  equal((await Deno.stat(join(w.dataDir, "auth.db"))).mode! & 0o777, 0o600);
  await using restored = await w.open();
  deepEqual(await roleNames(restored), ["before"]);
  equal((await restored.authorities.list("user"))[0]?.privateKeyPem, "secret");
  deepEqual([...Deno.readDirSync(w.root)].map(({ name }) => name).sort(), ["copy.db", "data"]);
});

Deno.test("a backup can be made while another process is in the middle of a change", async () => {
  await using w = await world();
  await putRole(w.store, "whole");
  const writer = await Database.open(join(w.dataDir, "auth.db"));
  writer.run("BEGIN IMMEDIATE");
  writer.run("INSERT INTO resources VALUES ('role', 'half', 1, '{}')");
  await backUpStore(w.dataDir, w.copy, options);
  writer.run("COMMIT");
  writer.close();
  await w.store[Symbol.asyncDispose]();
  const elsewhere = join(w.root, "elsewhere");
  await restoreStore(elsewhere, w.copy, options);
  equal((await Deno.stat(elsewhere)).mode! & 0o777, 0o700);
  await using restored = await openSqliteStore(join(elsewhere, "auth.db"));
  deepEqual(await roleNames(restored), ["whole"]);
});

Deno.test("what is left of the old store is not taken for changes of the restored one", async () => {
  await using w = await world();
  await putRole(w.store, "before");
  await backUpStore(w.dataDir, w.copy, options);
  await putRole(w.store, "after");
  // As after a crash: the journals stay
  const wal = await Deno.readFile(join(w.dataDir, "auth.db-wal"));
  equal(wal.length > 0, true);
  await w.store[Symbol.asyncDispose]();
  await Deno.writeFile(join(w.dataDir, "auth.db-wal"), wal);
  await restoreStore(w.dataDir, w.copy, { ...options, replace: true });
  await using restored = await w.open();
  deepEqual(await roleNames(restored), ["before"]);
});

Deno.test("a backup replaces nothing unasked, and leaves nothing where it fails", async (t) => {
  await using w = await world();
  await t.step("a file that is there", async () => {
    await Deno.writeTextFile(w.copy, "mine");
    await rejects(backUpStore(w.dataDir, w.copy, options), { code: "backup-exists" });
    equal(await Deno.readTextFile(w.copy), "mine");
    await backUpStore(w.dataDir, w.copy, { replace: true });
    equal((await Deno.stat(w.copy)).mode! & 0o777, 0o600);
  });
  await t.step("a symbolic link, even when told to", async () => {
    const link = join(w.root, "link.db");
    await Deno.symlink(w.copy, link);
    await rejects(backUpStore(w.dataDir, link, options), { code: "backup-exists" });
    await rejects(backUpStore(w.dataDir, link, { replace: true }), { code: "backup-exists" });
    await Deno.remove(link);
  });
  await t.step("a folder that is not there", async () => {
    await rejects(backUpStore(w.dataDir, join(w.root, "no", "copy.db"), options), {
      code: "backup-failed",
      message: /no such file/,
    });
  });
  await t.step("a store that is not there", async () => {
    await rejects(backUpStore(w.root, join(w.root, "other.db"), options), {
      code: "backup-failed",
      message: /no such file/,
    });
  });
  await w.store[Symbol.asyncDispose]();
  deepEqual([...Deno.readDirSync(w.root)].map(({ name }) => name).sort(), ["copy.db", "data"]);
});

Deno.test("a restore looks before it puts anything in the place of a store", async (t) => {
  await using w = await world();
  await backUpStore(w.dataDir, w.copy, options);
  const elsewhere = join(w.root, "elsewhere");
  const bytes = await Deno.readFile(w.copy);
  const with_ = async (content: Uint8Array) => {
    const file = join(w.root, "bad.db");
    await Deno.writeFile(file, content);
    return file;
  };
  const cases: [name: string, content: Uint8Array][] = [
    ["another file", new TextEncoder().encode("x".repeat(10_000))],
    ["an empty file", new Uint8Array()],
    ["half of a backup", bytes.subarray(0, bytes.length / 2)],
  ];
  for (const [name, content] of cases) {
    await t.step(name, async () => {
      await rejects(restoreStore(elsewhere, await with_(content), options), {
        code: "backup-unusable",
      });
    });
  }
  await t.step("a later version's", async () => {
    const later = new Uint8Array(bytes);
    new DataView(later.buffer).setUint32(60, 999); // user_version, by SQLite's file format
    await rejects(restoreStore(elsewhere, await with_(later), options), {
      code: "backup-unusable",
      message: /version 999/,
    });
  });
  await t.step("another cluster's", async () => {
    await rejects(restoreStore(elsewhere, w.copy, { ...options, cluster: "other.example" }), {
      code: "backup-foreign",
      message: /is of the cluster "c.example", the server's file says "other.example"/,
    });
  });
  await t.step("a server that runs", async () => {
    using _socket = Deno.listen({ transport: "unix", path: join(w.dataDir, "admin.sock") });
    const before = await Deno.readFile(join(w.dataDir, "auth.db"));
    await rejects(restoreStore(w.dataDir, w.copy, { ...options, replace: true }), {
      code: "server-running",
    });
    deepEqual(await Deno.readFile(join(w.dataDir, "auth.db")), before);
  });
  await rejects(Deno.stat(elsewhere), Deno.errors.NotFound);
  await w.store[Symbol.asyncDispose]();
});
