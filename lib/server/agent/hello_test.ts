import { deepEqual, equal, ok, throws } from "node:assert/strict";
import type { AppConfig } from "../../config/mod.ts";
import {
  type AgentApp,
  CONTROL_MESSAGE_MAX_BYTES,
  HELLO_MAX_PARTS,
  LEAF_APPS_MAX_BYTES,
} from "../../wire/mod.ts";
import { helloOf, leafHelloOf } from "./hello.ts";

function appsOf(count: number, labelBytes: number): AppConfig[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `app-${i}`,
    target: { host: "127.0.0.1", port: 80 },
    publicAddrs: [],
    labels: { text: "x".repeat(labelBytes) },
    description: null,
    tcpPorts: null,
  }));
}

Deno.test("helloOf() tells every app once, in messages that a proxy takes", async (t) => {
  const cases: [name: string, count: number, labelBytes: number, messages: number][] = [
    ["no app", 0, 0, 1],
    ["one", 1, 10, 1],
    ["a thousand", 1000, 10, 1],
    ["one more", 1001, 10, 2],
    ["five thousand", 5000, 10, 5],
    ["long labels", 300, 10_000, 6],
  ];
  for (const [name, count, labelBytes, messages] of cases) {
    await t.step(name, () => {
      const hello = helloOf(appsOf(count, labelBytes));
      equal(hello.length, messages);
      deepEqual(
        hello.map(({ type }) => type),
        [...Array(messages - 1).fill("apps"), "hello"],
      );
      const names = hello.flatMap((message) =>
        "apps" in message ? message.apps.map((app) => (app as AgentApp).name) : []
      );
      deepEqual(names, appsOf(count, 0).map(({ name }) => name));
      for (const message of hello) {
        ok(JSON.stringify(message).length <= CONTROL_MESSAGE_MAX_BYTES);
      }
    });
  }
  await t.step("what is too much is refused", () => {
    throws(() => helloOf(appsOf(1, 600_000)), { code: "apps-too-many" });
    throws(() => helloOf(appsOf(HELLO_MAX_PARTS + 1, 400_000)), { code: "apps-too-many" });
    helloOf(appsOf(HELLO_MAX_PARTS, 400_000));
  });
});

Deno.test("leafHelloOf() leaves out what a root does not take, and throws for none of it", async (t) => {
  const facts = {
    proxy_public_addrs: [],
    vnet_config: { ipv4_cidr_range: "100.64.0.0/10", custom_dns_zones: [] },
    role_map: [{ remote: "*", local: ["all"] }],
    roles: [],
  };
  const appsWith = (count: number, labels: Record<string, string>): AgentApp[] =>
    Array.from({ length: count }, (_, i) => ({ name: `app-${i}`, public_addrs: [], labels }));
  const long = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`key-${i}`, "x".repeat(250)]),
  );
  const cases: [name: string, apps: AgentApp[], leftOut: (count: number) => boolean][] = [
    ["five thousand", appsWith(5000, {}), (count) => count === 0],
    ["more than one agent may have", appsWith(12_000, {}), (count) => count === 7000],
    ["longer than a root takes", appsWith(4000, long), (count) => count > 1000 && count < 4000],
    ["one that is no app", [...appsWith(1, {}), ...appsWith(1, { a: "x".repeat(600_000) })], (
      count,
    ) => count === 1],
  ];
  for (const [name, apps, isRight] of cases) {
    await t.step(name, () => {
      const { messages, leftOut } = leafHelloOf(facts, apps);
      ok(isRight(leftOut), `${leftOut} are left out`);
      const told = messages.flatMap((message) => "apps" in message ? message.apps : []);
      equal(told.length, apps.length - leftOut);
      ok(JSON.stringify(told).length <= LEAF_APPS_MAX_BYTES + told.length + 2);
      for (const message of messages) {
        ok(JSON.stringify(message).length <= CONTROL_MESSAGE_MAX_BYTES);
      }
    });
  }
  await t.step("of itself it can say too much", () => {
    const roles = Array.from({ length: 4000 }, (_, i) => ({
      name: `role-${i}`,
      spec: { allow: { app_labels: { env: "x".repeat(200) } }, deny: {}, options: {} },
    }));
    throws(() => leafHelloOf({ ...facts, roles }, []), { code: "apps-too-many" });
  });
});
