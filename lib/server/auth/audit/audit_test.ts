import { deepEqual, equal, rejects } from "node:assert/strict";
import { join } from "node:path";
import { Fixture } from "../../../../tests/doubles/auth_service.ts";

Deno.test("events are kept in order, in the store and as lines, for the owner's eyes only", async () => {
  await using f = await Fixture.open();
  const { audit } = f.auth;
  await Promise.all([1, 2, 3].map((port) => audit.write({ event: "app.session.start", port })));
  const events = await f.events();
  deepEqual(events.map(({ seq, port }) => [seq, port]), [[1, 1], [2, 2], [3, 3]]);
  const path = join(f.dataDir, "audit.jsonl");
  const lines = (await Deno.readTextFile(path)).trimEnd().split("\n").map((line) =>
    JSON.parse(line)
  );
  deepEqual(lines, events);
  equal((await Deno.stat(path)).mode! & 0o777, 0o600);
});

/** The descriptors of this process that name a path, by number. */
async function descriptorsOf(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
    if (target.startsWith(path)) found.push(`${name} ${target.slice(path.length)}`);
  }
  return found;
}

Deno.test("the file stays open, and may be rotated or removed at any time", async (t) => {
  await using f = await Fixture.open();
  const path = join(await Deno.realPath(f.dataDir), "audit.jsonl");
  const write = () => f.auth.audit.write({ event: "logout" });
  const linesOf = async (file: string) => (await Deno.readTextFile(file)).split("\n").length - 1;
  await write();
  const first = await descriptorsOf(path);
  await t.step("one descriptor for every write", async () => {
    equal(first.length, 1);
    await write();
    deepEqual(await descriptorsOf(path), first);
  });
  await t.step("renamed: the next event begins a file", async () => {
    await Deno.rename(path, `${path}.1`);
    await write();
    equal(await linesOf(path), 1);
    equal(await linesOf(`${path}.1`), 2);
    deepEqual((await descriptorsOf(path)).map((one) => one.split(" ")[1]), [""]);
  });
  await t.step("renamed and made anew, as logrotate's `create` does", async () => {
    await Deno.rename(path, `${path}.2`);
    await Deno.writeTextFile(path, "", { mode: 0o600 });
    await write();
    equal(await linesOf(path), 1);
  });
  await t.step("copied and truncated, as logrotate's `copytruncate` does", async () => {
    await Deno.truncate(path);
    await write();
    equal(await linesOf(path), 1);
  });
  await t.step("removed", async () => {
    await Deno.remove(path);
    await write();
    equal(await linesOf(path), 1);
  });
  await t.step("it is closed at the end", async () => {
    await f.auth.audit.close();
    deepEqual(await descriptorsOf(path), []);
  });
});

Deno.test("what cannot be written does not happen", async (t) => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  const { agent } = await f.serve({ name: "db" });
  const login = await f.loggedIn("bob");
  const sessionId = await f.right(login, "db");
  const path = join(f.dataDir, "audit.jsonl");
  await Deno.remove(path);
  await Deno.mkdir(path); // stands for a disk that takes nothing
  await t.step("write() rejects", async () => {
    await rejects(f.auth.audit.write({ event: "app.session.start" }), { code: "audit-unwritable" });
  });
  await t.step(
    "no login, no certificate, no logout, and no path of ours in the answer",
    async () => {
      const answers = [
        await f.login("alice", password),
        await f.login("alice", "wrong"),
        await f.appCert(login, "db"),
        await f.ask("POST", "/v1/logout", { certificate: login }),
      ];
      for (const { status, code, body } of answers) {
        equal(status, 503);
        equal(code, "audit-unwritable");
        equal(body.certificate, undefined);
        equal(JSON.stringify(body).includes(f.dataDir), false);
      }
    },
  );
  await t.step("no flow", async () => {
    await rejects(
      f.auth.reportFlow(agent, [{
        event: "app.session.start",
        session_id: sessionId,
        connection_id: "c",
        user: "bob",
        app: "db",
        port: 1,
      }], { partial: true }),
      { code: "audit-unwritable" },
    );
  });
  await t.step("it goes on when there is room again", async () => {
    await Deno.remove(path);
    equal((await f.login("alice", password)).status, 200);
  });
});

Deno.test("what is refused is recorded: who wanted what, and why not", async () => {
  await using f = await Fixture.open();
  await f.serve({ name: "db", tcp_ports: [{ port: 5432 }] });
  const alice = await f.loggedIn("alice", ["access"]);
  await f.addRole("none", { allow: {}, deny: {}, options: {} });
  const bob = await f.loggedIn("bob", ["none"]);
  equal((await f.appCert(alice, "nothing")).code, "app-unknown");
  equal((await f.appCert(alice, "db", { port: 1 })).code, "port-not-allowed");
  equal((await f.appCert(bob, "db", { port: 5432 })).code, "app-unknown");
  const refused = (await f.events()).filter(({ event }) => event === "app.cert.refused");
  deepEqual(refused.map(({ user, app, port, reason }) => [user, app, port, reason]), [
    ["alice", "nothing", 0, "app-unknown"],
    ["alice", "db", 1, "port-not-allowed"],
    ["bob", "db", 5432, "app-unknown"],
  ]);
  for (const { source, session_id } of refused) {
    equal(source, "192.0.2.1");
    equal(session_id?.length, 32);
  }
});

Deno.test("what an administrator changes is recorded: whom a lock is for, which roles a user has", async () => {
  await using f = await Fixture.open();
  await f.addUser("alice", { roles: ["access"] });
  await f.auth.admin.lock({ target: { user: "alice" } });
  await f.auth.admin.lock({ target: { agent: "a1" }, force: true });
  const puts = (await f.events()).filter(({ event }) => event === "resource.put");
  deepEqual(puts.map(({ kind, target, roles }) => ({ kind, target, roles })), [
    { kind: "user", target: undefined, roles: ["access"] },
    { kind: "lock", target: "user/alice", roles: undefined },
    { kind: "lock", target: "agent/a1", roles: undefined },
  ]);
});

Deno.test("the agent inside the server is let in on the record", async () => {
  await using f = await Fixture.open();
  const { agent } = await f.serve({ name: "db" });
  const [joined] = (await f.events()).filter(({ event }) => event === "agent.join.ok");
  equal(joined?.agent_id, agent.agentId);
});
