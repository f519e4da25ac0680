import { deepEqual, notEqual } from "node:assert/strict";
import { DOCUMENTS, jsonSchemaOf } from "../../../status/mod.ts";
import { DOCUMENT_NAMES } from "./version.ts";

Deno.test("vnet schema knows every document of lib/status, and no other", () => {
  deepEqual([...DOCUMENT_NAMES], Object.keys(DOCUMENTS).sort());
  for (const name of DOCUMENT_NAMES) notEqual(jsonSchemaOf(name), null);
});

Deno.test("every document that a command names is one", async () => {
  const folder = new URL("../../", import.meta.url);
  const named: string[] = [];
  for await (const file of sources(folder)) {
    for (
      const [, name] of (await Deno.readTextFile(file)).matchAll(/schema: "vnet\.([a-z-]+)\/\d"/g)
    ) {
      named.push(name!);
    }
  }
  notEqual(named.length, 0);
  deepEqual(named.filter((name) => !DOCUMENT_NAMES.some((known) => known === name)), []);
});

/** Every module below a folder but for tests. */
async function* sources(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sources(new URL(`${name}/`, folder));
    else if (/(?<!_test)\.ts$/.test(name)) yield new URL(name, folder);
  }
}
