import { match } from "node:assert/strict";
import type { StatusV1 } from "../../status/mod.ts";
import { renderSavedLogins, renderStatus } from "./status_text.ts";

const OPTIONS = {
  nowMs: Date.parse("2026-01-31T15:53:00Z"),
  timeZone: "UTC",
  userName: (uid: number) => uid === 1001 ? "bob" : `${uid}`,
};

const LOGIN: StatusV1["profiles"][number] = {
  proxy: "proxy.example.com",
  cluster: "example",
  user: "alice",
  expires: "2026-01-31T23:33:00Z",
  state: "active",
};

const STATUS: StatusV1 = {
  schema: "vnet.status/1",
  state: "ready",
  version: "1.2.3",
  pid: 4711,
  uid: 1000,
  started: "2026-01-31T12:41:00Z",
  uptime_ms: 11_520_000,
  link: {
    name: "vnet0",
    ipv4: "100.64.0.1",
    ipv6: "fd12::1",
    ranges: ["100.64.0.0/10"],
    offload: true,
  },
  dns: {
    backend: "direct",
    why: [],
    server: "127.0.53.1:53",
    zones: ["company.test"],
    upstreams: ["192.168.1.1:53"],
    queries_total: 3,
    queries_forwarded: 1,
    queries_malformed: 0,
  },
  profiles: [LOGIN],
  apps_total: 2,
  access: { shared_with: [], containers: "deny" },
  connections: {
    active: 1,
    opened_total: 4,
    refused_total: 2,
    sent_bytes: 0,
    received_bytes: 0,
    flows: [{ name: "db.company.test", port: 5432, state: "open", since: "2026-01-31T15:00:00Z" }],
    recent_failures: [{
      at: "2026-01-31T15:51:00Z",
      name: "db.company.test",
      port: 22,
      code: "owner-refused",
      message: "the program runs as another user of this machine",
      uid: 1001,
      program: "psql",
      count: 2,
    }],
    refused_owners: [{ uid: 1001, total: 2 }],
  },
  findings: [],
};

const OVER = { ...LOGIN, state: "expired" as const };
const CASES: readonly (readonly [name: string, status: StatusV1])[] = [
  ["up", STATUS],
  ["shared", { ...STATUS, access: { shared_with: [1001, 1002], containers: "allow" } }],
  ["shared with all", { ...STATUS, access: { shared_with: "all", containers: "deny" } }],
  ["a login that is over", {
    ...STATUS,
    state: "degraded",
    profiles: [{ ...OVER, expires: "2026-01-31T15:00:00Z", reason: "login-expired" }],
  }],
  ["a login that connections wait for", {
    ...STATUS,
    profiles: [{
      ...OVER,
      expires: "2026-01-31T15:00:00Z",
      reason: "login-expired",
      waiting: 2,
    }],
  }],
  ["a login that was ended", {
    ...STATUS,
    profiles: [
      { ...OVER, reason: "session-ended", error: "The login has ended [session-ended]" },
      { ...LOGIN, proxy: "other.test", cluster: "other.test", state: "unreachable" },
    ],
  }],
  ["a lock", {
    ...STATUS,
    state: "degraded",
    profiles: [{ ...OVER, reason: "access-locked", error: "Access is locked [access-locked]" }],
  }],
];

Deno.test("renderStatus() says it in local time, with what to run", async (t) => {
  for (const [name, status] of CASES) {
    await t.step(name, async (t) => await t.assertSnapshot(renderStatus(status, OPTIONS)));
  }
});

Deno.test("renderSavedLogins() says which are good", () => {
  match(
    renderSavedLogins([LOGIN], OPTIONS),
    /^ {2}login {5}alice in example .*: good, ends in 7 h/,
  );
  match(renderSavedLogins([], OPTIONS), /any cluster: run `vnet login HOST`/);
});
