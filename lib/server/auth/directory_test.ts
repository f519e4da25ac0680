import { equal } from "node:assert/strict";
import { join } from "node:path";
import { openSqliteStore, type Store, type StoredResource } from "../store/mod.ts";
import { Changes } from "./changes.ts";
import { GuestBook } from "./oidc/guests.ts";
import { Directory } from "./directory.ts";

/** A directory of users, each with their roles and claims, and of these roles. */
async function directoryOf(
  roles: Readonly<Record<string, Record<string, string | string[]>>>,
  users: Readonly<Record<string, readonly [roles: string[], claims?: Record<string, string[]>]>>,
): Promise<Directory> {
  const folder = await Deno.makeTempDir();
  try {
    await using store = await openSqliteStore(join(folder, "auth.db"));
    const put = (kind: string, name: string, spec: unknown) =>
      store.resources.put(
        { kind, name, body: JSON.stringify({ kind, version: "v1", metadata: { name }, spec }) },
        0,
      );
    await put("vnet_config", "vnet-config", {});
    for (const [name, app_labels] of Object.entries(roles)) {
      await put("role", name, { allow: { app_labels } });
    }
    for (const [name, [roles, claims]] of Object.entries(users)) {
      await put("user", name, { roles, ...(claims === undefined ? {} : { claims }) });
    }
    return await Directory.load({
      store,
      changes: new Changes(),
      guests: await GuestBook.load(store, 0),
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Directory.sameAs() is the same for those whom roles say the same, and for no others", async (t) => {
  const directory = await directoryOf({
    dev: { env: "dev" },
    regex: { env: "^a$" },
    own: { owner: "{{user}}" },
    team: { team: ["all", "{{claims.team}}"] },
  }, {
    alice: [["dev"]],
    bob: [["dev"]],
    other: [["regex"]],
    both: [["dev", "regex"]],
    turned: [["regex", "dev"]],
    red1: [["team", "dev"], { team: ["red"] }],
    red2: [["dev", "team"], { team: ["red"], unused: ["x"] }],
    blue: [["dev", "team"], { team: ["blue"] }],
    none: [["dev", "team"]],
    own1: [["own"]],
    own2: [["own"]],
    lost: [["dev", "gone"]],
  });
  const cases: [a: string, b: string, same: boolean][] = [
    ["alice", "bob", true],
    ["alice", "other", false],
    ["both", "turned", true],
    ["both", "alice", false],
    ["red1", "red2", true],
    ["red1", "blue", false],
    ["red1", "none", false],
    ["own1", "own2", false],
    ["lost", "alice", false],
    ["lost", "nobody", true],
  ];
  for (const [a, b, same] of cases) {
    await t.step(`${a} and ${b}: ${same ? "the same" : "others"}`, () => {
      equal(directory.sameAs(a) === directory.sameAs(b), same);
    });
  }
});

Deno.test("Directory.reload(): one that was begun before another never puts back what it has read", async () => {
  const put = (kind: string, name: string, spec: unknown): StoredResource => ({
    kind,
    name,
    body: JSON.stringify({ kind, version: "v1", metadata: { name }, spec }),
    revision: 1,
  });
  const before = [put("vnet_config", "vnet-config", {})];
  const after = [...before, put("lock", "l", { target: { user: "alice" } })];
  const reads: PromiseWithResolvers<StoredResource[]>[] = [];
  let isLoaded = false;
  const folder = await Deno.makeTempDir();
  await using made = new AsyncDisposableStack();
  made.defer(() => Deno.remove(folder, { recursive: true }));
  const sqlite = made.use(await openSqliteStore(join(folder, "auth.db")));
  const list = () => {
    if (!isLoaded) return Promise.resolve(before);
    const read = Promise.withResolvers<StoredResource[]>();
    reads.push(read);
    return read.promise;
  };
  const store = { ...sqlite, resources: { ...sqlite.resources, list } } as unknown as Store;
  const guests = await GuestBook.load(sqlite, 0);
  const directory = await Directory.load({ store, changes: new Changes(), guests });
  isLoaded = true;
  const early = directory.reload();
  const late = directory.reload();
  reads[1]!.resolve(after);
  await late;
  equal(directory.isUserLocked("alice", [], 0), true);
  reads[0]!.resolve(before);
  await early;
  equal(directory.isUserLocked("alice", [], 0), true);
});
