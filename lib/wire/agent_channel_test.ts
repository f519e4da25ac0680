import { equal } from "node:assert/strict";
import { AgentMessageSchema, decodeControl, ProxyMessageSchema } from "./agent_channel.ts";

Deno.test("decodeControl() gives null for what no peer of ours says", async (t) => {
  const cases: [name: string, message: string][] = [
    ["no JSON", "hello"],
    ["a type nobody knows", '{"type":"later"}'],
    ["a dial without a ticket", '{"type":"dial","app_id":"0123456789abcdef","peer":"x"}'],
    [
      "an app id in upper case",
      '{"type":"dial","ticket":"abcdefgh","app_id":"0123456789ABCDEF","peer":"x"}',
    ],
    ["too much", `{"type":"ping","pad":"${"x".repeat(1_100_000)}"}`],
  ];
  for (const [name, message] of cases) {
    await t.step(name, () => {
      equal(decodeControl(ProxyMessageSchema, message), null);
      equal(decodeControl(AgentMessageSchema, message), null);
    });
  }
});
