/**
 * The production modules of the program as they lie on disk: what each imports, how long it is, which
 * folder it is in. Read from the text: formatted code has every static import at the start of a line.
 *
 * @module
 */
import { dirname, join, normalize } from "node:path/posix";

/** One production module; paths are relative to the repository. */
export interface Module {
  readonly path: string;
  /** Modules named by static imports and re-exports, type-only ones included; in order, once each. Texts are none. */
  readonly imports: readonly string[];
  /** Modules named by `import("…")`, which load later and so close no circle while loading. */
  readonly lazyImports: readonly string[];
  /** Lines that are neither blank nor only comment. */
  readonly codeLines: number;
}

/** What is read: the program and the shim's bindings. */
const PLACES: readonly string[] = ["lib", "ffi", "main.ts"];

/** Reads every production module of a repository, sorted by path; tests are not production. */
export async function readModules(root: URL): Promise<Module[]> {
  const paths: string[] = [];
  for (const place of PLACES) await collect(root, place, paths);
  const modules = paths.sort().map(async (path) =>
    parseModule(path, await Deno.readTextFile(new URL(path, root)))
  );
  return await Promise.all(modules);
}

async function collect(root: URL, path: string, into: string[]): Promise<void> {
  if (path.endsWith(".ts")) {
    if (!path.endsWith("_test.ts")) into.push(path);
    return;
  }
  for await (const entry of Deno.readDir(new URL(path, root))) {
    const below = `${path}/${entry.name}`;
    if (entry.isDirectory || below.endsWith(".ts")) await collect(root, below, into);
  }
}

const STATIC_IMPORT = /^(?:import|export)\b(?:[^"';()=]*\bfrom)?\s*"(\.[^"]+\.ts)"/gm;
const LAZY_IMPORT = /\bimport\(\s*"(\.[^"]+)"/g;

/** Reads one module's text. */
export function parseModule(path: string, text: string): Module {
  const code = withoutCommentLines(text);
  const named = (pattern: RegExp): string[] => [
    ...new Set([...code.matchAll(pattern)].map((m) => normalize(join(dirname(path), m[1]!)))),
  ];
  return {
    path,
    imports: named(STATIC_IMPORT),
    lazyImports: named(LAZY_IMPORT),
    codeLines: code.split("\n").filter((line) => line.trim() !== "").length,
  };
}

/** Leaves out lines that are comment from start to end. */
function withoutCommentLines(text: string): string {
  let inComment = false;
  const kept = text.split("\n").filter((line) => {
    const trimmed = line.trim();
    if (inComment) {
      inComment = !trimmed.includes("*/");
      return false;
    }
    if (trimmed.startsWith("//")) return false;
    if (!trimmed.startsWith("/*")) return true;
    inComment = !trimmed.includes("*/");
    return !inComment && !trimmed.endsWith("*/");
  });
  return kept.join("\n");
}

/**
 * Finds import circles: for every module that is on one, the shortest way round, unless it is on one found before.
 *
 * @returns Paths whose first module is also the last; empty if there is no circle.
 */
export function findCircles(modules: readonly Module[]): string[][] {
  const imports = new Map(modules.map((module) => [module.path, module.imports]));
  const seen = new Set<string>();
  const circles: string[][] = [];
  for (const { path } of modules) {
    if (seen.has(path)) continue;
    const circle = shortestWayRound(path, imports);
    if (circle === null) continue;
    circles.push(circle);
    for (const on of circle) seen.add(on);
  }
  return circles;
}

/** Walks breadth first from a module until it is met again. @returns `null` if it never is. */
function shortestWayRound(
  start: string,
  imports: ReadonlyMap<string, readonly string[]>,
): string[] | null {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const at of queue) {
    for (const next of imports.get(at) ?? []) {
      if (next === start) return [...wayTo(at, start, cameFrom), start];
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, at);
      queue.push(next);
    }
  }
  return null;
}

function wayTo(end: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const way = [end];
  while (way[0] !== start) way.unshift(cameFrom.get(way[0]!)!);
  return way;
}

/** Counts the modules directly in each folder. */
export function modulesByFolder(modules: readonly Module[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { path } of modules) {
    const folder = dirname(path);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return counts;
}
