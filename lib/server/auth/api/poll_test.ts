import { deepEqual, equal, notEqual } from "node:assert/strict";
import { DEFAULT_VNET_CONFIG } from "../../../config/mod.ts";
import { Fixture } from "../../../../tests/doubles/auth_service.ts";

async function waitUntil(condition: () => boolean): Promise<void> {
  // The request has to get as far as its wait: turns of the event loop, not time
  for (let turn = 0; turn < 1000 && !condition(); turn++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  equal(condition(), true);
}

async function changeRange(f: Fixture, range: string): Promise<void> {
  const spec = { ...DEFAULT_VNET_CONFIG.spec, ipv4_cidr_range: range };
  await f.auth.admin.putResource({ ...DEFAULT_VNET_CONFIG, spec }, { replace: true });
}

Deno.test("an answer has an entity tag, and a request that names it gets 304", async () => {
  await using f = await Fixture.open();
  const certificate = await f.loggedIn("alice");
  const first = await f.ask("GET", "/v1/config", { certificate });
  const tag = first.headers.get("etag")!;
  const again = (header: string) =>
    f.ask("GET", "/v1/config", { certificate, headers: { "if-none-match": header } });
  equal((await again(tag)).status, 304);
  equal((await again(`"other", W/${tag}`)).status, 304);
  equal((await again('"other"')).status, 200);
  await changeRange(f, "10.0.0.0/8");
  const changed = await again(tag);
  equal(changed.status, 200);
  equal(changed.body.vnet_config.ipv4_cidr_range, "10.0.0.0/8");
  notEqual(changed.headers.get("etag"), tag);
});

Deno.test("a request that waits is answered by a change", async () => {
  await using f = await Fixture.open();
  const certificate = await f.loggedIn("alice");
  const tag = (await f.ask("GET", "/v1/apps", { certificate })).headers.get("etag")!;
  const headers = { "if-none-match": tag };
  const waiting = f.ask("GET", "/v1/apps?wait=60", { certificate, headers });
  await waitUntil(() => f.waiting.length > 0);
  // A change that is not this user's to see does not answer it
  await changeRange(f, "10.0.0.0/8");
  await f.serve({ name: "db" });
  const { status, body } = await waiting;
  equal(status, 200);
  deepEqual(body.apps.map(({ name }: { name: string }) => name), ["db"]);
});

Deno.test("a request for the configuration that names the apps it knows is answered by other apps too", async () => {
  await using f = await Fixture.open();
  await f.addRole("dev", { allow: { app_labels: { env: "dev" } }, deny: {}, options: {} });
  const certificate = await f.loggedIn("alice", ["dev"]);
  const ask = (path: string, tag?: string) =>
    f.ask("GET", path, {
      certificate,
      ...(tag === undefined ? {} : { headers: { "if-none-match": tag } }),
    });
  const config = (await ask("/v1/config")).headers.get("etag")!;
  const apps = (await ask("/v1/apps")).headers.get("etag")!;
  const path = `/v1/config?wait=60&apps=${encodeURIComponent(apps)}`;
  const waiting = ask(path, config);
  await waitUntil(() => f.waiting.length > 0);
  await f.serve({ name: "pay", labels: { env: "prod" } }); // nothing of alice's
  await new Promise((resolve) => setTimeout(resolve, 0));
  await f.serve({ name: "db", labels: { env: "dev" } });
  const answered = await waiting;
  deepEqual([answered.status, answered.headers.get("etag")], [304, config]);
  // What is different already is not waited for, and the configuration still ends the wait.
  equal((await ask(path, config)).status, 304);
  const now = (await ask("/v1/apps")).headers.get("etag")!;
  const other = ask(`/v1/config?wait=60&apps=${encodeURIComponent(now)}`, config);
  await waitUntil(() => f.waiting.length > 1);
  await changeRange(f, "10.0.0.0/8");
  equal((await other).status, 200);
});

Deno.test("a request that waits gets 304 when its time is up", async () => {
  await using f = await Fixture.open();
  const certificate = await f.loggedIn("alice");
  const tag = (await f.ask("GET", "/v1/config", { certificate })).headers.get("etag")!;
  const headers = { "if-none-match": tag };
  const waiting = f.ask("GET", "/v1/config?wait=30", { certificate, headers });
  await waitUntil(() => f.waiting.length > 0);
  f.waiting.forEach((timeUp) => timeUp());
  equal((await waiting).status, 304);
});

Deno.test("a login that ends while it waits is told so, not what changed", async () => {
  await using f = await Fixture.open();
  const certificate = await f.loggedIn("alice");
  const tag = (await f.ask("GET", "/v1/config", { certificate })).headers.get("etag")!;
  const headers = { "if-none-match": tag };
  const waiting = f.ask("GET", "/v1/config?wait=30", { certificate, headers });
  await waitUntil(() => f.waiting.length > 0);
  equal((await f.ask("POST", "/v1/logout", { certificate })).status, 204);
  equal((await waiting).code, "session-ended");
});

Deno.test("a login may hold eight waiting requests, and closing the server ends them", async () => {
  const f = await Fixture.open();
  const certificate = await f.loggedIn("alice");
  const tag = (await f.ask("GET", "/v1/config", { certificate })).headers.get("etag")!;
  const headers = { "if-none-match": tag };
  const wait = () => f.ask("GET", "/v1/config?wait=60", { certificate, headers });
  const held = Array.from({ length: 8 }, wait);
  await waitUntil(() => f.waiting.length === 8);
  equal((await wait()).code, "rate-limited");
  // One that went away makes room
  f.waiting[0]!();
  await Promise.race(held);
  const another = wait();
  await waitUntil(() => f.waiting.length === 9);
  await f[Symbol.asyncDispose]();
  const statuses = (await Promise.all([...held, another])).map(({ status }) => status);
  deepEqual(statuses, new Array(9).fill(304));
});

Deno.test("wait is a number of seconds", async () => {
  await using f = await Fixture.open();
  const certificate = await f.loggedIn("alice");
  equal((await f.ask("GET", "/v1/config?wait=soon", { certificate })).code, "request-malformed");
});

Deno.test("each is told what their own roles allow, however many ask at a time", async () => {
  await using f = await Fixture.open();
  await f.serve({ name: "db", labels: { env: "dev" } }, { name: "pay", labels: { env: "prod" } });
  await f.addRole("dev", { allow: { app_labels: { env: "dev" } }, deny: {}, options: {} });
  await f.addRole("prod", { allow: { app_labels: { env: "prod" } }, deny: {}, options: {} });
  const [alice, bob, carol] = [
    await f.loggedIn("alice", ["dev"]),
    await f.loggedIn("bob", ["prod"]),
    await f.loggedIn("carol", ["dev", "prod"]),
  ];
  const namesOf = async (certificate: Uint8Array) => {
    const { body } = await f.ask("GET", "/v1/apps", { certificate });
    return body.apps.map(({ name }: { name: string }) => name);
  };
  const told = await Promise.all([alice, bob, carol, alice, bob, carol].map(namesOf));
  deepEqual(told, [["db"], ["pay"], ["db", "pay"], ["db"], ["pay"], ["db", "pay"]]);
  // Roles that change places
  await f.addRole("dev", { allow: { app_labels: { env: "prod" } }, deny: {}, options: {} });
  deepEqual(await Promise.all([alice, bob].map(namesOf)), [["pay"], ["pay"]]);
  await f.auth.admin.putResource({
    kind: "user",
    version: "v1",
    metadata: { name: "bob" },
    spec: { roles: ["dev", "prod"] },
  }, { replace: true });
  await f.addRole("dev", { allow: { app_labels: { env: "dev" } }, deny: {}, options: {} });
  deepEqual(await Promise.all([alice, bob].map(namesOf)), [["db"], ["db", "pay"]]);
});

Deno.test("who is locked and knows it is held until the lock is lifted, or the wait is over", async () => {
  await using f = await Fixture.open();
  const { admin } = f.auth;
  const certificate = await f.loggedIn("alice");
  const tag = (await f.ask("GET", "/v1/config", { certificate })).headers.get("etag")!;
  const headers = { "if-none-match": tag };
  const ask = (path: string) => f.ask("GET", path, { certificate, headers });
  const lock = async () => (await admin.lock({ target: { user: "alice" } })).resource.metadata.name;
  const held = "/v1/config?wait=60&refused=access-locked";
  const wait = async () => {
    const before = f.waiting.length;
    const answer = ask(held);
    await waitUntil(() => f.waiting.length > before);
    return { answer };
  };
  equal((await ask(held)).status, 304); // there is nothing to wait for

  const name = await lock();
  equal((await ask("/v1/config?wait=60")).code, "access-locked");
  equal((await ask("/v1/config?refused=access-locked")).code, "access-locked");
  equal((await ask("/v1/config?wait=60&refused=session-ended")).code, "access-locked");

  const lifted = await wait();
  await f.serve({ name: "db" }); // another change says nothing to them
  await admin.removeResource("lock", name);
  equal((await lifted.answer).status, 304);
  equal(f.waiting.length, 1); // it was held once

  await lock();
  const inVain = await wait();
  f.waiting.at(-1)?.();
  equal((await inVain.answer).code, "access-locked");

  const ended = await wait();
  await admin.removeResource("user", "alice");
  equal((await ended.answer).code, "session-ended");
});
