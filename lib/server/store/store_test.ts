/** What every store does, on SQLite and on a real PostgreSQL server. */
import { deepEqual, equal } from "node:assert/strict";
import { join } from "node:path";
import { needing } from "../../../tests/needs.ts";
import { POSTGRES, PostgresServer } from "../../../tests/doubles/postgres.ts";
import { openPostgresStore } from "./postgres/mod.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** Runs an act with a store that is empty, and gone after. */
type WithStore = (act: (store: Store) => Promise<void>) => Promise<void>;

const both: { readonly name: string; readonly test: (withStore: WithStore) => Promise<void> }[] =
  [];

function onBoth(name: string, test: (withStore: WithStore) => Promise<void>): void {
  both.push({ name, test });
}

onBoth("Resources.put() changes only what the caller expects to be there", async (withStore) => {
  await withStore(async ({ resources }) => {
    const role = { kind: "role", name: "dev", body: "{}" };
    equal(await resources.put(role, 1), null);
    equal(await resources.put(role, 0), 1);
    equal(await resources.put(role, 0), null);
    equal(await resources.put(role, 1), 2);
    equal(await resources.put(role, 1), null);
    equal(await resources.put(role, null), 3);
    equal(await resources.remove("role", "dev"), true);
    equal(await resources.remove("role", "dev"), false);
    equal(await resources.get("role", "dev"), null);
  });
});

onBoth("Resources.putAll() changes all or nothing", async (withStore) => {
  await withStore(async ({ resources }) => {
    const of = (name: string) => ({ kind: "role", name, body: "{}" });
    equal(await resources.put(of("b"), 0), 1);
    const puts = [{ resource: of("a"), expectedRevision: 0 }, {
      resource: of("b"),
      expectedRevision: 0,
    }];
    equal(await resources.putAll(puts), null);
    equal(await resources.get("role", "a"), null);
    const again = puts.map((put) => ({ ...put, expectedRevision: null }));
    deepEqual(await resources.putAll(again), [1, 2]);
  });
});

onBoth("Resources.list() is sorted", async (withStore) => {
  await withStore(async ({ resources }) => {
    for (const [kind, name] of [["user", "b"], ["role", "z"], ["user", "a"]] as const) {
      await resources.put({ kind, name, body: "{}" }, 0);
    }
    const namesOf = async (kind: string | null) =>
      (await resources.list(kind)).map((one) => `${one.kind}/${one.name}`);
    deepEqual(await namesOf(null), ["role/z", "user/a", "user/b"]);
    deepEqual(await namesOf("user"), ["user/a", "user/b"]);
  });
});

onBoth("Settings and Authorities keep what came first", async (withStore) => {
  await withStore(async ({ settings, authorities }) => {
    equal(await settings.get("key"), null);
    equal(await settings.setOnce("key", "first"), "first");
    equal(await settings.setOnce("key", "second"), "first");
    const first = { kind: "user" as const, certificatePem: "c1", privateKeyPem: "k1" };
    await authorities.addFirst(first);
    await authorities.addFirst({ ...first, certificatePem: "c2" });
    deepEqual(await authorities.list("user"), [first]);
    deepEqual(await authorities.list("host"), []);
  });
});

onBoth("Credentials.takeTotpStep() takes each step once, and none before it", async (withStore) => {
  await withStore(async ({ credentials }) => {
    await credentials.put({ user: "a", passwordHash: "h", totpSecret: null });
    equal(await credentials.takeTotpStep("a", 10), true);
    equal(await credentials.takeTotpStep("a", 10), false);
    equal(await credentials.takeTotpStep("a", 9), false);
    // Another password does not make an old code good again
    await credentials.put({ user: "a", passwordHash: "h2", totpSecret: "s" });
    equal(await credentials.takeTotpStep("a", 10), false);
    equal(await credentials.takeTotpStep("a", 11), true);
    equal(await credentials.takeTotpStep("nobody", 11), false);
  });
});

onBoth(
  "LoginFailures lock a pair at the limit, within the window, for a while",
  async (withStore) => {
    await withStore(async ({ failures }) => {
      const rule = { limit: 3, windowMs: 100, lockMs: 50 };
      const pair = { user: "a", source: "1" };
      equal(await failures.record(pair, 1000, rule), null);
      equal(await failures.record({ ...pair, source: "2" }, 1000, rule), null);
      equal(await failures.record(pair, 1001, rule), null);
      equal(await failures.record(pair, 1101, rule), null); // the first two are out of the window
      equal(await failures.record(pair, 1102, rule), null);
      equal(await failures.record(pair, 1103, rule), 1153);
      equal(await failures.lockedUntil(pair, 1152), 1153);
      equal(await failures.lockedUntil(pair, 1153), null);
      equal(await failures.lockedUntil({ ...pair, source: "2" }, 1104), null);
      equal(await failures.record(pair, 1160, rule), null); // counting began again
      await failures.clearUser("a");
      equal(await failures.lockedUntil(pair, 1104), null);
    });
  },
);

onBoth("what a stranger typed is text and nothing else", async (withStore) => {
  await withStore(async ({ failures, credentials, knownSources }) => {
    const rule = { limit: 2, windowMs: 100, lockMs: 50 };
    for (
      const user of ["x' OR '1'='1", 'a"; DROP TABLE tokens; --', "a\0b", "\u{d800}", "$1", "?", ""]
    ) {
      const attempt = { user, source: "192.0.2.1" };
      equal(await credentials.get(user), null);
      equal(await failures.record(attempt, 1, rule), null);
      equal(await failures.record(attempt, 1, rule), 51);
      equal(await failures.lockedUntil(attempt, 2), 51);
      await knownSources.see(attempt, 1);
      equal(await knownSources.has(attempt), true);
    }
  });
});

onBoth(
  "Guests are those of logins in force, the newest last, and go with them",
  async (withStore) => {
    await withStore(async ({ guests, sessions, prune }) => {
      const add = async (sessionId: string, user: string, startedMs: number, expiresMs: number) => {
        const session = { id: sessionId, user, startedMs, expiresMs, source: null };
        await sessions.add({ ...session, parent: null, app: null });
        const said = { roles: ["dev"], claims: { groups: [sessionId] } };
        await guests.add({ sessionId, user, connector: "corp", subject: `id ${user}`, ...said });
      };
      await add("b", "ann", 2, 100);
      await add("a", "ann", 1, 50);
      await add("c", "bob", 3, 100);
      const ids = (list: readonly { readonly sessionId: string }[]) =>
        list.map(({ sessionId }) => sessionId);
      deepEqual(ids(await guests.listLive(10)), ["a", "b", "c"]);
      deepEqual(ids(await guests.liveOf("ann", 10)), ["a", "b"]);
      deepEqual(ids(await guests.liveOf("ann", 50)), ["b"]);
      deepEqual(await guests.get("b"), {
        sessionId: "b",
        user: "ann",
        connector: "corp",
        subject: "id ann",
        roles: ["dev"],
        claims: { groups: ["b"] },
      });
      equal(await guests.get("d"), null);
      await sessions.end("c", 20);
      deepEqual(ids(await guests.listLive(20)), ["a", "b"]);
      await prune(60);
      equal(await guests.get("a"), null);
      equal((await guests.get("b"))?.user, "ann");
    });
  },
);

onBoth("Sessions end with the login they were drawn from", async (withStore) => {
  await withStore(async ({ sessions }) => {
    const app = { name: "db", id: "i", port: 0, cluster: null };
    const made = { user: "a", startedMs: 1, source: "192.0.2.1" };
    await sessions.add({ ...made, id: "login", parent: null, app: null, expiresMs: 100 });
    await sessions.add({ ...made, id: "app1", parent: "login", app, expiresMs: 90, startedMs: 2 });
    await sessions.add({ ...made, id: "app2", parent: "login", app, expiresMs: 50, startedMs: 3 });
    await sessions.add({
      ...made,
      id: "other",
      user: "b",
      parent: null,
      app: null,
      expiresMs: 100,
    });
    deepEqual(await sessions.getLive("app1", 89), {
      ...made,
      id: "app1",
      parent: "login",
      app,
      startedMs: 2,
      expiresMs: 90,
    });
    const idsAt = async (nowMs: number) => (await sessions.listLive(nowMs)).map(({ id }) => id);
    deepEqual(await idsAt(49), ["login", "app1", "app2", "other"]);
    deepEqual(await idsAt(90), ["login", "other"]);
    equal(await sessions.getLive("app1", 90), null);
    equal(await sessions.countLive(0), 2);
    deepEqual(await sessions.end("login", 60), ["app1", "login"]);
    deepEqual(await sessions.end("login", 61), []);
    equal(await sessions.getLive("app1", 61), null);
    deepEqual(await sessions.endedLogins(59), [{ id: "login", endedMs: 60 }]);
    deepEqual(await sessions.endedLogins(60), []);
    deepEqual(await sessions.endUser("b", 61), ["other"]);
    equal(await sessions.countLive(61), 0);
  });
});

onBoth("JoinTokens.take() is once for each use, also when two try at a time", async (withStore) => {
  await withStore(async ({ tokens }) => {
    const scope = {
      kinds: ["app"],
      apps: ["db"],
      labels: { env: "dev" },
      publicAddrs: ["*.a.test"],
    };
    const token = { id: "t", scope, expiresMs: 100, usesLeft: 2 };
    await tokens.add(token, "hash");
    deepEqual(await tokens.find("hash", 99), token);
    equal(await tokens.find("hash", 100), null);
    equal(await tokens.find("other", 99), null);
    deepEqual(
      (await Promise.all([1, 2, 3].map(() => tokens.take("hash", 99)))).sort(),
      [false, true, true],
    );
    equal(await tokens.find("hash", 99), null);
    equal(await tokens.remove("t"), true);
    equal(await tokens.remove("t"), false);
  });
});

onBoth("Agents are put, found, replaced and removed", async (withStore) => {
  await withStore(async ({ agents }) => {
    const scope = { kinds: ["app"], apps: null, labels: {}, publicAddrs: null };
    const agent = { id: "1", name: "a", apps: ["db"], scope, joinedMs: 1, renewedMs: 1 };
    await agents.put(agent);
    await agents.put({ ...agent, apps: ["db", "web"], joinedMs: 9, renewedMs: 2 });
    // When it joined stays
    const put = { ...agent, apps: ["db", "web"], renewedMs: 2 };
    deepEqual(await agents.get("1"), { ...put, seenMs: null });
    await agents.see(["1", "nobody"], 5);
    await agents.put(put);
    deepEqual(await agents.get("1"), { ...put, seenMs: 5 });
    equal(await agents.remove("1"), true);
    deepEqual(await agents.list(), []);
  });
});

onBoth("AuditEvents are numbered in order and read from both ends", async (withStore) => {
  await withStore(async ({ events }) => {
    equal(await events.append(["a", "b"], true), 1);
    equal(await events.append(["c"], false), 3);
    deepEqual(await events.after(1, 1), [{ seq: 2, body: "b" }]);
    deepEqual((await events.newest(2)).map(({ body }) => body), ["b", "c"]);
  });
});

onBoth("Store.prune() forgets what has expired and nothing else", async (withStore) => {
  await withStore(async (store) => {
    const scope = { kinds: ["app"], apps: null, labels: {}, publicAddrs: null };
    const login = { user: "a", parent: null, app: null, startedMs: 1, source: null };
    await store.sessions.add({ ...login, id: "old", expiresMs: 10 });
    await store.sessions.add({ ...login, id: "live", expiresMs: 11 });
    await store.tokens.add({ id: "old", scope, expiresMs: 10, usesLeft: 1 }, "h1");
    await store.tokens.add({ id: "used", scope, expiresMs: 20, usesLeft: 0 }, "h2");
    await store.tokens.add({ id: "live", scope, expiresMs: 20, usesLeft: 1 }, "h3");
    await store.events.append(["kept"], true);
    const agent = { name: "a", apps: [], scope, joinedMs: 0 };
    await store.agents.put({ ...agent, id: "gone", renewedMs: 10 });
    await store.agents.put({ ...agent, id: "away", renewedMs: 11 });
    await store.prune(10);
    equal((await store.agents.list()).length, 2);
    equal(await store.sessions.countLive(0), 1);
    deepEqual((await store.tokens.list()).map(({ id }) => id), ["live"]);
    equal((await store.events.newest(9)).length, 1);
    const monthMs = 30 * 24 * 3_600_000;
    await store.prune(10 + monthMs);
    deepEqual((await store.agents.list()).map(({ id }) => id), ["away"]);
  });
});

onBoth(
  "Store.prune() keeps what was drawn from a login for as long as the login",
  async (withStore) => {
    await withStore(async ({ sessions, prune }) => {
      const made = { user: "a", startedMs: 1, source: null };
      const drawn = {
        ...made,
        app: { name: "db", id: "i", port: 0, cluster: null },
        expiresMs: 10,
      };
      await sessions.add({ ...made, id: "login", parent: null, app: null, expiresMs: 100 });
      await sessions.add({ ...drawn, id: "app", parent: "login" });
      await sessions.add({ ...drawn, id: "stray", parent: "nobody" });
      await prune(99);
      equal((await sessions.get("app"))?.parent, "login");
      equal(await sessions.getLive("app", 99), null);
      equal(await sessions.get("stray"), null);
      await prune(100);
      deepEqual([await sessions.get("login"), await sessions.get("app")], [null, null]);
    });
  },
);

onBoth(
  "KnownSources keeps the latest hosts of each user, until the credential is another",
  async (withStore) => {
    await withStore(async ({ knownSources, credentials }) => {
      const credential = { user: "alice", passwordHash: "x", totpSecret: null };
      await credentials.put(credential);
      for (let i = 0; i < 40; i++) {
        await knownSources.see({ user: "alice", source: `192.0.2.${i}` }, i);
      }
      await knownSources.see({ user: "bob", source: "192.0.2.39" }, 50);
      const has = (user: string, host: number) =>
        knownSources.has({ user, source: `192.0.2.${host}` });
      deepEqual([await has("alice", 7), await has("alice", 8), await has("bob", 8)], [
        false,
        true,
        false,
      ]);
      deepEqual(await knownSources.newest(2), ["192.0.2.38", "192.0.2.39"]);
      await credentials.put({ ...credential, passwordHash: "y" });
      deepEqual([await has("alice", 39), await has("bob", 39)], [false, true]);
      await knownSources.see({ user: "alice", source: "192.0.2.1" }, 60);
      await credentials.remove("alice");
      equal(await has("alice", 1), false);
    });
  },
);

onBoth("Trusts keep each cluster once, and what was there first", async (withStore) => {
  await withStore(async ({ trusts }) => {
    const root = {
      cluster: "root.example",
      side: "root" as const,
      hostCaPems: ["h"],
      userCaPems: ["u"],
      identity: { certificatePem: "c", privateKeyPem: "k" },
      joinId: null,
      facts: null,
      joinedMs: 5,
      seenMs: null,
    };
    equal(await trusts.addNew(root), true);
    equal(await trusts.addNew({ ...root, side: "leaf", hostCaPems: ["evil"] }), false);
    deepEqual(await trusts.get("root.example"), root);
    const leaf = {
      ...root,
      cluster: "leaf.example",
      side: "leaf" as const,
      identity: null,
      joinId: "j1",
    };
    equal(await trusts.addNew(leaf), true);
    const renewed = { certificatePem: "c2", privateKeyPem: "k2" };
    equal(await trusts.renew("root.example", "another", renewed), false);
    equal((await trusts.get("root.example"))?.identity?.certificatePem, "c");
    equal(await trusts.renew("root.example", "c", renewed), true);
    await trusts.see("leaf.example", "{}", 7);
    await trusts.see("leaf.example", null, 8);
    deepEqual(await trusts.list(), [
      { ...leaf, facts: "{}", seenMs: 8 },
      { ...root, identity: { certificatePem: "c2", privateKeyPem: "k2" } },
    ]);
    equal(await trusts.remove("root.example"), true);
    equal(await trusts.remove("root.example"), false);
    equal(await trusts.get("root.example"), null);
  });
});

for (const { name, test } of both) {
  Deno.test(`on SQLite: ${name}`, () =>
    test(async (act) => {
      const directory = await Deno.makeTempDir();
      try {
        await using store = await openSqliteStore(join(directory, "auth.db"));
        await act(store);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    }));
}

Deno.test(needing(POSTGRES, "on PostgreSQL", async (t) => {
  await using server = await PostgresServer.start();
  for (const { name, test } of both) {
    await t.step(name, () =>
      test(async (act) => {
        await using store = await openPostgresStore(await server.database(), { isSole: false });
        await act(store);
      }));
  }
}));
