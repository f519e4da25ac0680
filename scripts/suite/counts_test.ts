import { deepEqual, equal } from "node:assert/strict";
import {
  addUp,
  type Counts,
  type Failure,
  outcome,
  parseFailures,
  parseSummary,
  renderFailures,
  renderSummary,
} from "./counts.ts";

const NONE: Counts = {
  passed: 0,
  passedSteps: 0,
  failed: 0,
  failedSteps: 0,
  ignored: 0,
  ignoredSteps: 0,
};

Deno.test("parseSummary() reads what renderSummary() and deno test write", async (t) => {
  const cases: [line: string, want: Partial<Counts> | null][] = [
    ["ok | 12 passed | 0 failed (2s)", { passed: 12 }],
    ["ok | 12 passed (3 steps) | 0 failed (2s)", { passed: 12, passedSteps: 3 }],
    ["ok | 1 passed (1 step) | 0 failed | 5 ignored (2m5s)", {
      passed: 1,
      passedSteps: 1,
      ignored: 5,
    }],
    ["FAILED | 5 passed (26 steps) | 2 failed (1 step) (0s)", {
      passed: 5,
      passedSteps: 26,
      failed: 2,
      failedSteps: 1,
    }],
    ["\x1b[0m\x1b[32mok\x1b[0m | 3 passed | 0 failed \x1b[0m\x1b[38;5;245m(2s)\x1b[0m", {
      passed: 3,
    }],
    ["ok | 0 passed | 0 failed | 7 filtered out (3ms)", {}],
    ["a test named ok | 3 passed ... ok (1ms)", null],
    ["", null],
  ];
  for (const [line, want] of cases) {
    await t.step(line, () => {
      const found = parseSummary(line);
      deepEqual(found, want === null ? null : { ...NONE, ...want });
      if (found !== null) deepEqual(parseSummary(renderSummary(found, 1000)), found);
    });
  }
});

Deno.test("renderSummary() writes a line as deno test does", () => {
  const counts = { ...NONE, passed: 861, passedSteps: 2859 };
  equal(renderSummary(counts, 991_400), "ok | 861 passed (2859 steps) | 0 failed (16m31s)");
  equal(
    renderSummary({ ...NONE, passed: 1, failed: 1, failedSteps: 1, ignored: 2 }, 0),
    "FAILED | 1 passed | 1 failed (1 step) | 2 ignored (0s)",
  );
});

Deno.test("outcome() lets no bad end pass for a good one", async (t) => {
  const passed = { ...NONE, passed: 3 };
  const failed = { ...NONE, passed: 2, failed: 1 };
  const cases: [name: string, summary: Counts | null, status: number, want: Counts][] = [
    ["passed", passed, 0, passed],
    ["failed", failed, 1, failed],
    ["does not compile", null, 1, { ...NONE, failed: 1 }],
    ["ended before it counted", null, 0, { ...NONE, failed: 1 }],
    ["died after it counted", passed, 137, { ...passed, failed: 1 }],
  ];
  for (const [name, summary, status, want] of cases) {
    await t.step(name, () => deepEqual(outcome(summary, status), want));
  }
});

Deno.test("addUp() keeps the first step's failure beside the second's success", () => {
  const sum = addUp([{ ...NONE, passed: 2, failed: 1 }, { ...NONE, passed: 3, ignored: 1 }]);
  deepEqual(sum, { ...NONE, passed: 5, failed: 1, ignored: 1 });
});

Deno.test("parseFailures() reads the list that deno test ends with", async (t) => {
  const before = ["a test that failed => ./x_test.ts:1:2", "", " ERRORS ", "", "error: it did", ""];
  const end = ["", "FAILED | 1 passed | 1 failed (2s)", "", "error: Test failed"];
  const list = (...lines: string[]) => [...before, " FAILURES ", "", ...lines, ...end];
  const cases: [name: string, lines: string[], file: string | undefined, want: Failure[]][] = [
    ["no test failed", ["ok | 1 passed | 0 failed (2s)"], undefined, []],
    ["a test", list("adds up => ./lib/x_test.ts:34:6"), undefined, [
      { file: "lib/x_test.ts", test: "adds up" },
    ]],
    [
      "a step, named after who declares it",
      list("a ... b => ./tests/lab/host/needs.ts:65:52"),
      "tests/lab/a_test.ts",
      [{ file: "tests/lab/a_test.ts", test: "a ... b" }],
    ],
    ["an arrow in its name", list("a => b => ./lib/x_test.ts:3:6"), undefined, [
      { file: "lib/x_test.ts", test: "a => b" },
    ]],
    [
      "colours",
      list("\x1b[0m\x1b[1madds up\x1b[0m => ./x_test.ts:\x1b[33m3\x1b[0m:\x1b[33m6\x1b[0m"),
      undefined,
      [{ file: "x_test.ts", test: "adds up" }],
    ],
    ["a module that broke", list("./lib/x_test.ts (uncaught error)"), undefined, [
      { file: "lib/x_test.ts", test: "uncaught error" },
    ]],
    [
      "a list of a test's own child, and then its own",
      [...list("b => ./b_test.ts:1:1"), ...list("c => ./c_test.ts:1:1")],
      undefined,
      [{ file: "c_test.ts", test: "c" }],
    ],
  ];
  for (const [name, lines, file, want] of cases) {
    await t.step(name, () => deepEqual(parseFailures(lines, file), want));
  }
});

Deno.test("renderFailures() says nothing when nothing failed", () => {
  deepEqual(renderFailures([]), []);
  deepEqual(renderFailures([{ file: "a_test.ts", test: "b" }]), ["failed:", "  a_test.ts => b"]);
});
