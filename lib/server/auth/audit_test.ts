import { deepEqual, equal, rejects } from "node:assert/strict";
import { join } from "node:path";
import { Fixture } from "./testing.ts";

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

Deno.test("the file may be rotated away at any time", async () => {
  await using f = await Fixture.open();
  const path = join(f.dataDir, "audit.jsonl");
  await f.auth.audit.write({ event: "logout" });
  await Deno.rename(path, `${path}.1`);
  await f.auth.audit.write({ event: "logout" });
  equal((await Deno.readTextFile(path)).split("\n").length, 2);
});

Deno.test("what cannot be written does not happen", async (t) => {
  await using f = await Fixture.open();
  const { password } = await f.addUser("alice");
  await f.serve({ name: "db" });
  const login = await f.loggedIn("bob");
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
    const { agent } = await f.serve({ name: "db" });
    await rejects(
      f.auth.reportFlow(agent, [{
        event: "app.session.start",
        session_id: "0".repeat(32),
        connection_id: "c",
        user: "alice",
        app: "db",
        port: 1,
      }]),
      { code: "audit-unwritable" },
    );
  });
  await t.step("it goes on when there is room again", async () => {
    await Deno.remove(path);
    equal((await f.login("alice", password)).status, 200);
  });
});
