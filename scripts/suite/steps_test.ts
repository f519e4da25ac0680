import { deepEqual } from "node:assert/strict";
import { matchesGlob } from "node:path";
import { testFilesOf } from "./files.ts";
import { commandOf, queueOf, STEPS } from "./steps.ts";

/** Says whether a path of a step takes in a file: a folder with all below it, or a pattern within one. */
function takes(path: string, file: string): boolean {
  return path.includes("*") ? matchesGlob(file, path) : file.startsWith(`${path}/`);
}

Deno.test("every test file is in exactly one step", async () => {
  const files = await testFilesOf(["lib", "ffi", "scripts", "tests"]);
  const odd = files.filter((file) => {
    const paths = STEPS.flatMap((step) => step.paths);
    return paths.filter((path) => takes(path, file)).length !== 1;
  });
  deepEqual(odd, []);
});

Deno.test("lanes name files that are there, each once", async () => {
  for (const { paths, lanes } of STEPS) {
    if (lanes === undefined) continue;
    const files = await testFilesOf(paths);
    const named = [...lanes.first, ...lanes.alone];
    deepEqual(named.filter((file) => !files.includes(file)), []);
    deepEqual(named.length, new Set(named).size);
    const { shared, alone } = queueOf(files, lanes);
    deepEqual([...shared, ...alone].sort(), files);
  }
});

Deno.test("queueOf() begins with what takes long and ends with what must be alone", () => {
  const lanes = { count: 2, first: ["z", "y"], alone: ["b"] };
  deepEqual(queueOf(["b", "c", "a", "y", "z"], lanes), {
    shared: ["z", "y", "a", "c"],
    alone: ["b"],
  });
  deepEqual(queueOf(["c"], lanes), { shared: ["c"], alone: [] });
});

Deno.test("commandOf() hands deno test's options through, and the tests theirs", () => {
  const step = { options: ["--parallel"], paths: ["lib", "scripts"] };
  deepEqual(commandOf(step, ["--filter", "judge"]), [
    ...["test", "-A", "--parallel", "--filter", "judge", "lib", "scripts"],
  ]);
  deepEqual(commandOf(step, ["--filter", "x", "--", "--update"]), [
    ...["test", "-A", "--parallel", "--filter", "x", "lib", "scripts", "--", "--update"],
  ]);
});
