import { deepEqual, ok } from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import {
  parseAgentFile,
  parseClientFile,
  parseHelperPolicy,
  parseResources,
  parseServerFile,
} from "../../lib/config/mod.ts";
import { ConfigError } from "../../lib/error.ts";
import { blocksOf, readPages } from "./pages.ts";

/** What a reader puts there themselves; "sha256:…" is the only one the pages use. */
const PLACEHOLDERS: readonly (readonly [text: string, value: string])[] = [
  ["sha256:…", `sha256:${"0".repeat(64)}`],
];

/** The pages whose YAML is whole files and resources; elsewhere it may be a piece of one. */
const PAGES: ReadonlySet<string> = new Set([
  "README.md",
  "docs/cluster.md",
  "docs/configuration.md",
  "docs/getting-started.md",
  "docs/operations.md",
  "docs/sign-in.md",
]);

Deno.test("every YAML block of the pages is read by the program without a mistake", async () => {
  const mistakes: string[] = [];
  let seen = 0;
  for (const { path, text } of (await readPages()).filter(({ path }) => PAGES.has(path))) {
    for (const block of blocksOf(text).filter(({ language }) => language === "yaml")) {
      const yaml = PLACEHOLDERS.reduce((all, [from, to]) => all.replaceAll(from, to), block.text);
      const place = `${path}:${block.line}`;
      mistakes.push(...mistakesOf(yaml, place));
      seen++;
    }
  }
  ok(seen >= 6, "the pages have YAML");
  deepEqual(mistakes, []);
});

function mistakesOf(yaml: string, place: string): string[] {
  try {
    readerOf(yaml)(yaml, place);
    return [];
  } catch (thrown) {
    if (thrown instanceof ConfigError) return [thrown.message];
    throw thrown;
  }
}

function readerOf(yaml: string): (text: string, file: string) => unknown {
  const [first] = parseAllDocuments(yaml);
  if (first?.has("kind")) return parseResources;
  if (first?.has("containers")) return parseHelperPolicy;
  if (first?.has("zones")) return parseClientFile;
  return first?.has("proxy_service") ? parseServerFile : parseAgentFile;
}
