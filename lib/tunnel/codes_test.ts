import { equal, match, ok } from "node:assert/strict";
import { AuthError, NetworkError, ProtocolError } from "../error.ts";
import { encodeAlert, refusalOfAlert } from "./alert.ts";
import { isRefusalCode, type RefusalCode, refusalError, REFUSALS } from "./codes.ts";
import { AgentMessageSchema, decodeControl, ProxyMessageSchema } from "../wire/agent_channel.ts";

Deno.test("every refusal has a kebab-case code, a state without a period and a hint", async (t) => {
  for (const [code, { state, hint }] of Object.entries(REFUSALS)) {
    await t.step(code, () => {
      match(code, /^[a-z]+(-[a-z]+)*$/);
      ok(state.length > 0 && !state.endsWith("."));
      ok(hint.length > 0 && !hint.endsWith("."));
    });
  }
});

Deno.test("refusalError() makes the class that fits the fault", async (t) => {
  const cases: [code: RefusalCode, kind: new (code: string, message: string) => Error][] = [
    ["no-agent", NetworkError],
    ["access-denied", AuthError],
    ["protocol-violated", ProtocolError],
  ];
  for (const [code, kind] of cases) {
    await t.step(code, () => {
      const error = refusalError(code, "Cannot try");
      ok(error instanceof kind);
      equal(error.message, `Cannot try: ${REFUSALS[code].state}`);
      equal(error.hint, REFUSALS[code].hint);
      equal(refusalError(code, "Cannot try", { state: "no" }).message, "Cannot try: no");
    });
  }
  equal(isRefusalCode("toString"), false);
});

Deno.test("an alert of the proxy is read back from the words of the TLS library", () => {
  equal(encodeAlert("no-agent").toHex(), "15030300020270");
  equal(refusalOfAlert("received fatal alert: UnrecognisedName"), "no-agent");
  equal(refusalOfAlert("received fatal alert: AccessDenied"), "ticket-refused");
  equal(refusalOfAlert("received fatal alert: HandshakeFailure"), null);
  equal(refusalOfAlert("UnrecognisedName"), null);
});

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
