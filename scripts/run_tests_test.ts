import { deepEqual, equal } from "node:assert/strict";
import { matchesGlob } from "node:path";
import {
  addUp,
  commandOf,
  type Counts,
  outcome,
  parseSummary,
  renderSummary,
  STEPS,
} from "./run_tests.ts";

const ROOT = new URL("../", import.meta.url);

const NONE: Counts = {
  passed: 0,
  passedSteps: 0,
  failed: 0,
  failedSteps: 0,
  ignored: 0,
  ignoredSteps: 0,
};

async function testFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) found.push(...await testFiles(`${folder}${name}/`));
    else if (name.endsWith("_test.ts")) found.push(`${folder}${name}`);
  }
  return found;
}

/** Says whether a path of a step takes in a file: a folder with all below it, or a pattern within one. */
function takes(path: string, file: string): boolean {
  return path.includes("*") ? matchesGlob(file, path) : file.startsWith(`${path}/`);
}

Deno.test("every test file is in exactly one step", async () => {
  const files = (await Promise.all(["lib/", "ffi/", "scripts/", "tests/"].map(testFiles))).flat();
  const odd = files.filter((file) => {
    const paths = STEPS.flatMap((step) => step.paths);
    return paths.filter((path) => takes(path, file)).length !== 1;
  });
  deepEqual(odd, []);
});

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

Deno.test("commandOf() hands deno test's options through", () => {
  const step = { name: "x", options: ["--parallel"], paths: ["lib", "scripts"] };
  deepEqual(commandOf(step, ["--filter", "judge"]), [
    "test",
    "-A",
    "--parallel",
    "--filter",
    "judge",
    "lib",
    "scripts",
  ]);
});
