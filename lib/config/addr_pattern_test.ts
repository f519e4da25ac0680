import { equal } from "node:assert/strict";
import { matchesAddrPattern, parseAddrPattern } from "./addr_pattern.ts";

Deno.test("parseAddrPattern() reads names, what is below a name, and everything", async (t) => {
  const cases: [text: string, want: string | null][] = [
    ["db.example.com", "db.example.com"],
    ["DB.Example.com", "db.example.com"],
    ["*.Example.com", "*.example.com"],
    ["*", "*"],
    ["*.com", null],
    ["db", null],
    ["d*.example.com", null],
    ["*.*.example.com", null],
    ["**", null],
    ["", null],
    ["*.", null],
    ["192.0.2.1", null],
    ["db.example.com:443", null],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text), () => equal(parseAddrPattern(text), want));
  }
});

Deno.test("matchesAddrPattern() keeps to whole labels", async (t) => {
  const cases: [pattern: string, address: string, want: boolean][] = [
    ["db.example.com", "db.example.com", true],
    ["db.example.com", "a.db.example.com", false],
    ["*.example.com", "db.example.com", true],
    ["*.example.com", "a.db.example.com", true],
    ["*.example.com", "example.com", false],
    ["*.example.com", "dbexample.com", false],
    ["*", "anything.test", true],
  ];
  for (const [pattern, address, want] of cases) {
    await t.step(`${pattern} ${address}`, () => equal(matchesAddrPattern(pattern, address), want));
  }
});
