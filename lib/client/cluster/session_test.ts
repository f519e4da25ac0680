import { deepEqual, equal, rejects } from "node:assert/strict";
import { memoryApp, MemoryCluster, memoryTarget } from "../../../tests/doubles/memory_cluster.ts";
import { AuthError, NetworkError } from "../../error.ts";
import { Session } from "./session.ts";

const APP = memoryApp("db");
const TARGET = memoryTarget({ ports: [{ first: 5432, last: 5433 }] });

function start(): { session: Session; cluster: MemoryCluster; clock: { nowMs: number } } {
  const clock = { nowMs: 0 };
  const nowMs = () => clock.nowMs;
  const cluster = new MemoryCluster({ nowMs, apps: [APP] });
  cluster.rightLifeMs = 100_000;
  const profile = cluster.profile({ expiresMs: 1_000_000 });
  const link = cluster.open(profile);
  const session = new Session({ profile, link, nowMs, secondFactor: null });
  return { session, cluster, clock };
}

const signal = new AbortController().signal;

Deno.test("Session.refresh() says whether anything is different", async () => {
  const { session, cluster } = start();
  equal(await session.refresh(1_000, signal), true);
  equal(session.view, cluster.published);
  equal(await session.refresh(1_000, signal), false);
  cluster.publish({ apps: [] });
  equal(await session.refresh(1_000, signal), true);
  deepEqual(session.view?.apps, []);
});

Deno.test("Session.refresh() keeps what is known when the cluster cannot be asked", async () => {
  const { session, cluster } = start();
  await session.refresh(1_000, signal);
  cluster.failure = new NetworkError("proxy-unreachable", "nobody there");
  equal(await session.refresh(1_000, signal), true);
  equal(await session.refresh(1_000, signal), false);
  deepEqual([session.state, session.view?.apps], ["unreachable", [APP]]);
  cluster.failure = null;
  equal(await session.refresh(1_000, signal), true);
  equal(session.state, "active");
});

Deno.test("Session.state is expired when the cluster refuses and when the login is over", async () => {
  const { session, cluster, clock } = start();
  cluster.failure = new AuthError("session-ended", "logged out elsewhere");
  await session.refresh(1_000, signal);
  equal(session.state, "expired");
  cluster.failure = null;
  await session.refresh(1_000, signal);
  equal(session.state, "active");
  clock.nowMs = session.profile.expiresMs;
  equal(session.state, "expired");
  equal(session.refusal, "login-expired");
  await rejects(session.connect(TARGET, 5432, signal), { code: "login-expired" });
});

Deno.test("Session.state tells a login that is over from a way that is not trusted", async () => {
  const { session, cluster } = start();
  for (const code of ["proxy-untrusted", "ca-pin-mismatch", "rate-limited"]) {
    cluster.failure = new AuthError(code, "not now");
    await session.refresh(1_000, signal);
    deepEqual([code, session.state, session.refusal], [code, "unreachable", null]);
  }
  cluster.failure = new AuthError("access-locked", "a lock is in force");
  await session.refresh(1_000, signal);
  deepEqual([session.state, session.refusal], ["expired", "access-locked"]);
  await rejects(session.connect(TARGET, 5432, signal), { code: "access-locked" });
  cluster.failure = new NetworkError("proxy-unreachable", "nobody there");
  await session.refresh(1_000, signal);
  equal(session.state, "expired"); // that nobody answers takes nothing back
  cluster.failure = null;
  await session.refresh(1_000, signal);
  deepEqual([session.state, session.refusal], ["active", null]);
});

Deno.test("Session.refresh() waits no longer than it is told, and says so", async () => {
  const { session, cluster } = start();
  cluster.view = () => new Promise(() => {});
  await session.refresh(1, AbortSignal.timeout(2_000));
  deepEqual([session.state, session.error], [
    "unreachable",
    "The cluster did not answer in time [proxy-timeout]",
  ]);
});

Deno.test("Session.follow() tells of every change, and of a failure once", async () => {
  const { session, cluster } = start();
  const stop = new AbortController();
  const told: (number | string)[] = [];
  let heard = Promise.withResolvers<void>();
  const onChange = () => {
    told.push(session.error ?? session.view?.apps.length ?? -1);
    heard.resolve();
    return Promise.resolve();
  };
  const following = session.follow(onChange, stop.signal);
  for (const act of [() => cluster.publish({ apps: [] }), () => cluster.publish({ apps: [APP] })]) {
    await heard.promise;
    heard = Promise.withResolvers();
    act();
  }
  await heard.promise;
  heard = Promise.withResolvers();
  cluster.failure = new NetworkError("proxy-unreachable", "nobody there");
  cluster.wake();
  await heard.promise;
  stop.abort();
  await following;
  deepEqual(told, [1, 0, 1, "nobody there [proxy-unreachable]"]);
});

Deno.test("Session.connect() asks for a right once for many connections", async () => {
  const { session, cluster } = start();
  await Promise.all([session.connect(TARGET, 5432, signal), session.connect(TARGET, 5432, signal)]);
  await session.connect(TARGET, 5432, signal);
  equal(cluster.rights.length, 1);
  await session.close();
});

Deno.test("Session.connect() asks for each port of a multi-port app, once for an any-port app", async () => {
  const { session, cluster } = start();
  const any = { ...TARGET, app: "any", appId: "id-any", ports: null };
  for (const port of [5432, 5433]) await session.connect(TARGET, port, signal);
  for (const port of [1, 2]) await session.connect(any, port, signal);
  deepEqual(cluster.rights.map(({ app, port }) => [app, port]), [
    ["db", 5432],
    ["db", 5433],
    ["any", 1],
  ]);
  await session.close();
});

Deno.test("Session.connect() passes the cluster's refusal on and asks again next time", async () => {
  const { session, cluster } = start();
  cluster.refusals.set("db", "access-denied");
  await rejects(session.connect(TARGET, 5432, signal), { code: "access-denied" });
  cluster.refusals.clear();
  await session.connect(TARGET, 5432, signal);
  equal(cluster.rights.length, 2);
  await session.close();
});

Deno.test("Session.connect() goes on with a right that is good while it cannot be renewed", async () => {
  const { session, cluster, clock } = start();
  const right = () => Promise.reject(new NetworkError("proxy-unreachable", "nobody there"));
  await session.connect(TARGET, 5432, signal);
  clock.nowMs = 80_000;
  cluster.right = right;
  await session.connect(TARGET, 5432, signal);
  clock.nowMs = 100_000;
  await rejects(session.connect(TARGET, 5432, signal), { code: "proxy-unreachable" });
  await session.close();
});

Deno.test("Session.connect() asks once more where the far end says that the right has ended", async () => {
  const { session, cluster } = start();
  const { connect } = cluster;
  const late = () => Promise.reject(new AuthError("certificate-expired", "by my clock"));
  let opened = 0;
  cluster.connect = (request) => ++opened === 1 ? late() : connect.call(cluster, request);
  await session.connect(TARGET, 5432, signal);
  deepEqual([opened, cluster.rights.length], [2, 2]);
  cluster.connect = late;
  await rejects(session.connect(TARGET, 5432, signal), { code: "certificate-expired" });
  await session.close();
});
