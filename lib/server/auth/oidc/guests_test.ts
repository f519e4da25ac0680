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
    deepEqual((await there.ofSession("1", "ann", 10))?.roles, ["ops"]);
    deepEqual(there.of("ann")?.roles, ["ops"]);
    deepEqual(there.names(), ["ann"]);
    const later = await GuestBook.load(store, 10);
    deepEqual(later.of("ann")?.roles, ["ops"]);
    equal(await later.ofSession("3", "ann", 10), null);
    equal((await GuestBook.load(store, 2000)).of("ann"), null);
  }));

Deno.test("GuestBook asks the store once whether a login is a guest's, whoever has the name here", () =>
  withStore(async (store) => {
    const here = await GuestBook.load(store, 0);
    let asked = 0;
    const counting = {
      ...store,
      guests: {
        listLive: () => Promise.resolve([]),
        liveOf: (user: string, nowMs: number) => store.guests.liveOf(user, nowMs),
        get: (id: string) => (asked++, store.guests.get(id)),
      },
    } as unknown as Store;
    const there = await GuestBook.load(counting, 0);
    for (let n = 0; n < 3; n++) equal(await there.ofSession("own", "ann", 10), null);
    equal(asked, 1);
    await begin(store, here, "1", 1, "dev");
    for (let n = 0; n < 3; n++) equal((await there.ofSession("1", "ann", 10))?.connector, "corp");
    equal(asked, 2);
  }));
