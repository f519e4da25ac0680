import { deepEqual, equal, ok, throws } from "node:assert/strict";
import type { AppConfig } from "../../config/mod.ts";
import { type AgentApp, CONTROL_MESSAGE_MAX_BYTES, HELLO_MAX_PARTS } from "../../wire/mod.ts";
import { helloOf } from "./hello.ts";

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
