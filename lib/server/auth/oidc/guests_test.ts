import { deepEqual, equal } from "node:assert/strict";
import { openSqliteStore } from "../../store/mod.ts";
import type { Store } from "../../store/mod.ts";
import { GuestBook } from "./guests.ts";

async function withStore(act: (store: Store) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await using store = await openSqliteStore(`${directory}/auth.db`);
    await act(store);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Begins a login of "ann". */
async function begin(store: Store, book: GuestBook, id: string, atMs: number, role: string) {
  const session = { id, user: "ann", startedMs: atMs, expiresMs: 1000, source: null };
  await store.sessions.add({ ...session, parent: null, app: null });
  const said = { connector: "corp", subject: "id ann", roles: [role], claims: {} };
  await book.add({ sessionId: id, user: "ann", ...said });
}

Deno.test("GuestBook knows what a guest's newest login said, here, at another server and after a restart", () =>
  withStore(async (store) => {
    const here = await GuestBook.load(store, 0);
    const there = await GuestBook.load(store, 0);
    await begin(store, here, "1", 1, "dev");
    await begin(store, here, "2", 2, "ops");
    deepEqual(here.of("ann")?.roles, ["ops"]);
    equal(there.of("ann"), null);
    equal(await there.ofSession("1", "ann", 10, true), null);
    deepEqual((await there.ofSession("1", "ann", 10, false))?.roles, ["ops"]);
    deepEqual(there.of("ann")?.roles, ["ops"]);
    deepEqual(there.names(), ["ann"]);
    const later = await GuestBook.load(store, 10);
    deepEqual(later.of("ann")?.roles, ["ops"]);
    equal(await later.ofSession("3", "ann", 10, false), null);
    equal((await GuestBook.load(store, 2000)).of("ann"), null);
  }));
