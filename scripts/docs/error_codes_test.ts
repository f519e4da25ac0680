import { deepEqual } from "node:assert/strict";
import { findCodes } from "./error_codes.ts";

const ERRORS = "class VnetError extends Error { constructor(code: string) {} }\n";

Deno.test("findCodes() finds a code wherever codes stand", async (t) => {
  const cases: [name: string, source: string, want: readonly string[]][] = [
    ["thrown", 'throw new VnetError("a-one", "Cannot")', ["a-one"]],
    ["of a class of its own", 'class X extends VnetError {}\nthrow new X("a-one", "b")', ["a-one"]],
    ["above", 'class X extends VnetError { f() { super("a-one", `b`) } }', ["a-one"]],
    ["chosen", 'throw new VnetError(late === "so-late" ? "a-one" : "b-two", "c")', [
      "a-one",
      "b-two",
    ]],
    ["a field", 'return { code: x ?? "a-one", message: "not-this" }', ["a-one"]],
    ["a type", 'interface W { readonly code:\n | "a-one"\n | "two";\n other: "not-this" }', [
      "a-one",
      "two",
    ]],
    ["a named type", 'export type RefusalCode = "a-one" | "b-two"; "no-code"', ["a-one", "b-two"]],
    ["a variable", 'const code = isLate ? "a-one" : "b-two"; f("no-code")', ["a-one", "b-two"]],
    ["a table", 'const S = { "a-one": 400, two: { x: "no-code" } }; type ACode = keyof typeof S;', [
      "a-one",
      "two",
    ]],
    ["a type of refusals", 'type LocalRefusal = "a-one" | "b-two"', ["a-one", "b-two"]],
    ["a finding", 'this.#findings.set("a-one", { message: "no-code" })', ["a-one"]],
    ["an argument", 'function refuse(act: string, code: C) {}\nrefuse("act", "a-one")', ["a-one"]],
    ["an argument of a generic", 'const f = <C>(code: C) => 1;\nf("a-one")', ["a-one"]],
    ["an argument of a method", '#fail(code: C) {}\n x() { this.#fail("a-one") }', ["a-one"]],
  ];
  for (const [name, source, want] of cases) {
    await t.step(name, () => {
      const found = findCodes(new Map([["error.ts", ERRORS], ["x.ts", source]]));
      deepEqual(found, want.map((code) => ({ code, files: ["x.ts"] })));
    });
  }
});

Deno.test("findCodes() leaves alone what is no code", async (t) => {
  const cases: [name: string, source: string][] = [
    ["a comment", '// throw new VnetError("a-one", "b")\n/* code: "a-one" */'],
    ["a comparison", 'if (code === "a-one" || error.code !== "b-two") f()'],
    ["another error", 'throw new TypeError("a-one")'],
    ["words", 'throw new VnetError("Not a code", "b")'],
    ["a key of another table", 'const NAMES = { "a-one": 1 }'],
    ["zod's own", 'context.addIssue({ code: "custom", message: "no-code" })'],
    ["another function of the name", 'function refuse(act: string) {}\nrefuse("a-one")'],
  ];
  const other = "export function refuse(code: string) {}";
  for (const [name, source] of cases) {
    await t.step(name, () => {
      deepEqual(findCodes(new Map([["error.ts", ERRORS], ["o.ts", other], ["x.ts", source]])), []);
    });
  }
});

Deno.test("findCodes() does not count what the table of refusals says", () => {
  const source = 'export const ROWS = {}; const code = "a-one";';
  deepEqual(findCodes(new Map([["refusal/rows/a.ts", source]])), []);
});

Deno.test("findCodes() says every file of a code, across files", () => {
  const sources = new Map([
    ["error.ts", ERRORS],
    ["b.ts", 'import { refuse } from "./a.ts"; refuse("a-one")'],
    ["a.ts", 'export function refuse(code: string) {}\nrefuse("a-one")'],
  ]);
  deepEqual(findCodes(sources), [{ code: "a-one", files: ["a.ts", "b.ts"] }]);
});
