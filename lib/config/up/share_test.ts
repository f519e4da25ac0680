import { deepEqual } from "node:assert/strict";
import fc from "fast-check";
import { formatShare, parseShare, type Share } from "./share.ts";

Deno.test("parseShare() reads three forms and nothing else", async (t) => {
  const cases: [text: string, want: Share | null][] = [
    ["all", { kind: "all" }],
    ["user:bob", { kind: "user", name: "bob" }],
    ["user:1001", { kind: "user", name: "1001" }],
    ["group:users", { kind: "group", name: "users" }],
    ["group:DOMAIN\\staff", { kind: "group", name: "DOMAIN\\staff" }],
    ["", null],
    ["ALL", null],
    ["bob", null],
    ["user:", null],
    ["user: bob", null],
    ["user:a,b", null],
    ["user:a:b", null],
    ["uid:1001", null],
    [" all", null],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text), () => deepEqual(parseShare(text), want));
  }
});

Deno.test("parseShare() reads what formatShare() writes", () => {
  const name = fc.stringMatching(/^[^:,\s]{1,20}$/);
  const share: fc.Arbitrary<Share> = fc.oneof(
    fc.constant<Share>({ kind: "all" }),
    fc.record({ kind: fc.constantFrom<"user" | "group">("user", "group"), name }),
  );
  fc.assert(fc.property(share, (given) => deepEqual(parseShare(formatShare(given)), given)));
});
