/**
 * Files that comments name are there: `lib/dns/mod.ts`, or within ffi/ a bare `nat.c`. Named from the root, from the
 * folder below it, or from where the comment is.
 *
 * @module
 */
import { deepEqual } from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
const PLACES: readonly string[] = ["lib/", "ffi/", "scripts/", "tests/"];
/** From the repository's root; placeholders like `lib/cli/commands/NAME.ts` have capitals. */
const FILE =
  /(?<![\w./~$}-])(?:lib|ffi|scripts|tests|docs|\.github)\/[a-z0-9_./-]*\.(?:ts|c|h|md|sh|json|yaml)\b/g;
/** A source of the shim, as its neighbours name it. */
const FFI_FILE = /(?<![\w./<>-])(?:(?:tests|fuzz)\/)?[a-z0-9_]+\.(?:c|h)\b/g;

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory && name !== "build") yield* sources(`${folder}${name}/`);
    else if (/\.(ts|c|h|sh)$/.test(name)) yield `${folder}${name}`;
  }
}

/** The lines of a text that are comments from start to end. */
function commentsOf(text: string): string[] {
  return text.split("\n").filter((line) => /^\s*(\/\/|\/?\*|# )/.test(line));
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(new URL(path, ROOT)).isFile;
  } catch {
    return false;
  }
}

Deno.test("every file that a comment names is there", async () => {
  const missing: string[] = [];
  for (const place of PLACES) {
    for await (const source of sources(place)) {
      const comments = commentsOf(await Deno.readTextFile(new URL(source, ROOT)));
      for (const line of comments) {
        const named = [
          ...line.matchAll(FILE),
          ...(place === "ffi/" ? line.matchAll(FFI_FILE) : []),
        ];
        for (const [path] of named) {
          const folders = ["", place, source.slice(0, source.lastIndexOf("/") + 1)];
          if (!folders.some((folder) => isThere(folder + path))) missing.push(`${source}: ${path}`);
        }
      }
    }
  }
  deepEqual(missing, []);
});
