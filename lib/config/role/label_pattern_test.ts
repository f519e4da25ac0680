import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { fillPattern, fitsPattern, parseLabelPattern, type Person } from "./label_pattern.ts";

const ALICE: Person = {
  user: "alice",
  claims: { team: ["payments", "search"], star: ["*"], none: [] },
};

/** Whether a value fits what a role says, for Alice. */
function fits(text: string, value: string): boolean {
  const read = parseLabelPattern(text);
  ok(read.kind === "good", `"${text}" is a pattern`);
  return fillPattern(read.pattern, ALICE).some((pattern) => fitsPattern(pattern, value));
}

Deno.test("a label's pattern is a text with stars, a regular expression, or has the user's own in it", async (t) => {
  const cases: [pattern: string, fitting: string[], other: string[]][] = [
    ["prod", ["prod"], ["prod-eu", "Prod", ""]],
    ["*", ["", "prod", "a\nb"], []],
    ["prod-*", ["prod-", "prod-eu"], ["prod", "xprod-eu"]],
    ["^prod-(eu|us)$", ["prod-eu", "prod-us"], ["prod-de", "prod-eu-1", "xprod-eu", "prod-eu\n"]],
    ["^[a-z]{2,3}\\d+$", ["web1", "db22"], ["w1", "webs1", "web"]],
    ["^eu|us$", ["eu", "us"], ["eux", "xus"]],
    ["^(?i)prod$", ["PROD"], ["PRODS"]],
    ["^prod", ["^prod"], ["prod"]],
    ["prod$", ["prod$"], ["prod"]],
    ["a.c", ["a.c"], ["abc"]],
    ["{{user}}", ["alice"], ["bob", "{{user}}"]],
    ["{{ user }}-*", ["alice-db"], ["bob-db", "alice"]],
    ["*-{{claims.team}}", ["eu-payments", "eu-search"], ["payments", "eu-sales"]],
    ["{{claims.star}}", ["*"], ["anything", ""]],
    ["{{claims.none}}", [], ["", "none"]],
    ["{{claims.toString}}", [], ["", "alice"]],
    ["{{claims.missing}}*", [], ["", "alice"]],
  ];
  for (const [pattern, fitting, other] of cases) {
    await t.step(pattern, () => {
      deepEqual(fitting.filter((value) => !fits(pattern, value)), []);
      deepEqual(other.filter((value) => fits(pattern, value)), []);
    });
  }
});

Deno.test("what is no pattern is said to be none, and why", async (t) => {
  const template = "{{user}} or {{claims.NAME}}, once in a text";
  const cases: [pattern: string, expected: string | RegExp][] = [
    ["{{external.team}}", template],
    ["{{claims}}", template],
    ["{{user", template],
    ["{{user}}-{{user}}", template],
    ["{{claims.a b}}", template],
    ["^{{user}}$", "a regular expression without {{…}}"],
    ["^(a$", "a regular expression that RE2 takes (missing closing ): `^(a$`)"],
    ["^(?=a)$", /^a regular expression that RE2 takes \(.*\(\?=/],
    ["^(a)\\1$", /^a regular expression that RE2 takes \(invalid escape sequence/],
    ["^a{1001}$", /^a regular expression that RE2 takes \(invalid repeat count/],
    ["^((a?){30}){30}$", "a smaller regular expression: its repetitions are too many"],
  ];
  for (const [pattern, expected] of cases) {
    await t.step(pattern, () => {
      const read = parseLabelPattern(pattern);
      ok(read.kind === "bad");
      if (typeof expected === "string") equal(read.expected, expected);
      else ok(expected.test(read.expected), read.expected);
    });
  }
});

Deno.test("a text with stars agrees with a regular expression", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
  const plain = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 8 });
  fc.assert(fc.property(text, plain, (one, of) => {
    equal(fits(one, of), new RegExp(`^${one.replaceAll("*", ".*")}$`).test(of));
  }));
});

Deno.test("any text is a pattern or is not, and a pattern can be asked anything", () => {
  const unit = fc.constantFrom(..."ab*^$(){}|+?.[]\\,1{{user}}");
  const text = fc.string({ unit, maxLength: 24 });
  fc.assert(fc.property(text, fc.boolean(), fc.string(), (inner, isRegex, value) => {
    const read = parseLabelPattern(isRegex ? `^${inner}$` : inner);
    if (read.kind === "bad") ok(read.expected.length <= 200);
    else fillPattern(read.pattern, ALICE).forEach((pattern) => fitsPattern(pattern, value));
  }));
});
