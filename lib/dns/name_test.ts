import { equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { isBelow, isDomainName, parentOf, parseDomainName } from "./name.ts";

Deno.test("parseDomainName() takes host-like names in any case", async (t) => {
  const l63 = "a".repeat(63);
  const cases: [text: string, want: string | null][] = [
    ["db.corp.example", "db.corp.example"],
    ["DB.Corp.Example.", "db.corp.example"],
    ["a", "a"],
    ["_dmarc.corp.example", "_dmarc.corp.example"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
    ["1.0.64.100.in-addr.arpa", "1.0.64.100.in-addr.arpa"],
    [`${l63}.example`, `${l63}.example`],
    [[l63, l63, l63, "a".repeat(61)].join("."), [l63, l63, l63, "a".repeat(61)].join(".")],
    [[l63, l63, l63, "a".repeat(62)].join("."), null],
    [`${l63}a.example`, null],
    ["", null],
    [".", null],
    ["..", null],
    ["a..b", null],
    [".a", null],
    ["a.b..", null],
    ["-a.b", null],
    ["a-.b", null],
    ["a b", null],
    ["a.b ", null],
    ["a\n", null],
    ["*.corp.example", null],
    ["a/b", null],
    ["bücher.example", null],
    ["\u212Aelvin.example", null], // the Kelvin sign is not a k
    ["a\\046b", null],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text.slice(0, 40)), () => {
      if (want === null) throws(() => parseDomainName(text), SyntaxError);
      else equal(parseDomainName(text), want);
    });
  }
});

Deno.test("parseDomainName() says what is wrong", () => {
  throws(() => parseDomainName("bücher.example"), /"bücher" is not ASCII, write its xn-- form/);
  throws(() => parseDomainName("a..b"), /a label is empty/);
  throws(() => parseDomainName("x".repeat(64)), /more than 63 characters/);
});

Deno.test("parseDomainName() is the same under case and trailing dot", () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
  const name = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join("."));
  fc.assert(fc.property(name, fc.boolean(), fc.infiniteStream(fc.boolean()), (name, dot, up) => {
    const spelled = [...name].map((c) => up.next().value ? c.toUpperCase() : c).join("");
    equal(parseDomainName(spelled + (dot ? "." : "")), name);
    equal(isDomainName(name), true);
  }));
});

Deno.test("isBelow() wants whole labels", () => {
  equal(isBelow("a.corp.example", "corp.example"), true);
  equal(isBelow("a.b.corp.example", "corp.example"), true);
  equal(isBelow("xcorp.example", "corp.example"), false);
  equal(isBelow("corp.example", "corp.example"), false);
  equal(isBelow("example", "corp.example"), false);
});

Deno.test("parentOf() goes up until the root", () => {
  equal(parentOf("a.b.c"), "b.c");
  equal(parentOf("c"), null);
});
