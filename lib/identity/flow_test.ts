import { equal } from "node:assert/strict";
import { compileRole } from "../config/mod.ts";
import type { AppClaims } from "./claims.ts";
import { decideFlow, type FlowPolicy, type FlowRequest } from "./flow.ts";

const NOW_MS = 1_800_000_000_000;
const SESSION = "0".repeat(32);
const LOGIN = "1".repeat(32);

const claims: AppClaims = {
  kind: "app",
  cluster: "c",
  app: "db",
  publicAddr: "db.example.com",
  port: 0,
  roles: ["dev"],
  sessionId: SESSION,
  loginId: LOGIN,
  mfaTimeMs: null,
};
const ALICE_OF_ROOT = { kind: "user", cluster: "root", name: "alice" } as const;
const request: FlowRequest = {
  principal: { kind: "user", cluster: "c", name: "alice" },
  claims,
  certificateExpiresMs: NOW_MS + 1,
  app: "db",
  port: 5432,
};
const dev = compileRole("dev", { allow: { app_labels: { env: "dev" } }, deny: {}, options: {} });
const policy: FlowPolicy = {
  cluster: "c",
  trust: [
    { cluster: "c", roleMap: null },
    { cluster: "root", roleMap: [{ remote: "ops-*", local: ["dev"] }] },
  ],
  agentId: "agent-1",
  app: { name: "db", labels: { env: "dev" }, tcpPorts: [{ first: 5432, last: 5433 }] },
  roles: new Map([["dev", dev]]),
  locks: [],
};
const roles = (role: typeof dev) => ({ ...policy, roles: new Map([["dev", role]]) });
const locked = (
  target: FlowPolicy["locks"][number]["target"],
  expiresMs: number | null = null,
) => ({
  ...policy,
  locks: [{ target, expiresMs }],
});

Deno.test("decideFlow() holds every flow against certificate, spec, roles and locks", async (t) => {
  const cases: [name: string, request: FlowRequest, policy: FlowPolicy, want: string][] = [
    ["all well", request, policy, "allowed"],
    [
      "expired this moment",
      { ...request, certificateExpiresMs: NOW_MS },
      policy,
      "certificate-expired",
    ],
    [
      "a user of a root with a role that is mapped",
      { ...request, principal: ALICE_OF_ROOT, claims: { ...claims, roles: ["ops-eu"] } },
      policy,
      "allowed",
    ],
    [
      "a role of the root that is called as one here",
      { ...request, principal: ALICE_OF_ROOT },
      policy,
      "access-denied",
    ],
    [
      "a role that is mapped, of a user of this cluster",
      { ...request, claims: { ...claims, roles: ["ops-eu"] } },
      policy,
      "access-denied",
    ],
    [
      "a user of a root, locked by the name they have here",
      { ...request, principal: ALICE_OF_ROOT, claims: { ...claims, roles: ["ops-eu"] } },
      locked({ user: "root/alice" }),
      "access-locked",
    ],
    [
      "a user of a root, and a lock for a user here of that name",
      { ...request, principal: ALICE_OF_ROOT, claims: { ...claims, roles: ["ops-eu"] } },
      locked({ user: "alice" }),
      "allowed",
    ],
    [
      "a user of a root, and a lock for the role they have here",
      { ...request, principal: ALICE_OF_ROOT, claims: { ...claims, roles: ["ops-eu"] } },
      locked({ role: "dev" }),
      "access-locked",
    ],
    [
      "a leaf's certificate",
      { ...request, principal: { kind: "leaf", cluster: "c", name: "alice" } },
      policy,
      "access-denied",
    ],
    [
      "an agent's certificate",
      { ...request, principal: { kind: "agent", cluster: "c", name: "alice" } },
      policy,
      "access-denied",
    ],
    [
      "another cluster's user",
      { ...request, principal: { kind: "user", cluster: "d", name: "alice" } },
      policy,
      "access-denied",
    ],
    [
      "claims for another cluster",
      { ...request, claims: { ...claims, cluster: "d" } },
      policy,
      "app-unknown",
    ],
    [
      "claims for another app",
      { ...request, claims: { ...claims, app: "web" } },
      policy,
      "app-unknown",
    ],
    ["dialled for another app", { ...request, app: "web" }, policy, "app-unknown"],
    ["claims for this port", { ...request, claims: { ...claims, port: 5432 } }, policy, "allowed"],
    [
      "claims for another port",
      { ...request, claims: { ...claims, port: 5433 } },
      policy,
      "port-not-allowed",
    ],
    ["a port the app does not serve", { ...request, port: 22 }, policy, "port-not-allowed"],
    [
      "labels no role allows",
      request,
      { ...policy, app: { ...policy.app, labels: {} } },
      "access-denied",
    ],
    ["a role that is gone", request, { ...policy, roles: new Map() }, "access-denied"],
    ["a role that denies", request, roles({ ...dev, denyApps: dev.allowApps }), "access-denied"],
    [
      "a role that asks for MFA",
      request,
      roles({ ...dev, requireSessionMfa: true }),
      "mfa-required",
    ],
    [
      "MFA for any port is none",
      { ...request, claims: { ...claims, mfaTimeMs: NOW_MS } },
      roles({ ...dev, requireSessionMfa: true }),
      "mfa-required",
    ],
    [
      "MFA for this port",
      { ...request, claims: { ...claims, port: 5432, mfaTimeMs: NOW_MS } },
      roles({ ...dev, requireSessionMfa: true }),
      "allowed",
    ],
    ["the user is locked", request, locked({ user: "alice" }), "access-locked"],
    ["another user is locked", request, locked({ user: "bob" }), "allowed"],
    ["the role is locked", request, locked({ role: "dev" }), "access-locked"],
    ["the session is locked", request, locked({ session: SESSION }), "access-locked"],
    ["the login is locked", request, locked({ session: LOGIN }), "access-locked"],
    ["another login is locked", request, locked({ session: "2".repeat(32) }), "allowed"],
    ["this agent is locked", request, locked({ agent: "agent-1" }), "access-locked"],
    ["another agent is locked", request, locked({ agent: "agent-2" }), "allowed"],
    ["a lock that lasts", request, locked({ user: "alice" }, NOW_MS + 1), "access-locked"],
    ["a lock that is over", request, locked({ user: "alice" }, NOW_MS), "allowed"],
  ];
  for (const [name, asked, held, want] of cases) {
    await t.step(name, () => {
      const decision = decideFlow(asked, held, NOW_MS);
      equal(decision.kind === "allowed" ? "allowed" : decision.code, want);
    });
  }
});
