/** What every command waits for before it begins: the modules that are not imported on demand. */
import { deepEqual } from "node:assert/strict";
import { deno, root } from "./run.ts";

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier: string };
    }[];
  }[];
}

/** @returns Specifiers of what a program loads before its first line runs. */
function loadedAtOnce(graph: Graph): string[] {
  const modules = new Map(graph.modules.map((module) => [module.specifier, module]));
  const found = new Set<string>();
  const waiting = [...graph.roots];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    for (const { isDynamic, code } of modules.get(next)?.dependencies ?? []) {
      if (isDynamic !== true && code !== undefined) waiting.push(code.specifier);
    }
  }
  return [...found].sort();
}

Deno.test("a command loads the parser and the log before it begins, the rest on demand", async () => {
  const args = ["info", "--json", "scripts/pack/entry.ts"];
  const specifiers = loadedAtOnce(JSON.parse(await deno("graph-failed", { args, cwd: root })));
  const packages = specifiers.flatMap((s) => /^npm:\/?(@?[^@]+)@/.exec(s)?.[1] ?? []);
  deepEqual([...new Set(packages)].sort(), ["@logtape/logtape", "@optique/core"]);
  const modules = specifiers.flatMap((s) => /\/lib\/(.+)$/.exec(s)?.[1] ?? []);
  const beside = modules.filter((path) =>
    /\//.test(path) && !/^cli\/((commands(\/[a-z]+)?|grammar)\/)?[^/]+$/.test(path)
  );
  deepEqual(beside, [
    "cli/text/ascii.ts",
    "cli/text/fill.ts",
    "cli/text/table.ts",
    "client/paths.ts",
    "config/duration.ts",
    "config/up/up_flags.ts",
    "dns/mode.ts",
  ]);
});
