/**
 * Packs the pure modules for npm: dist/vnet-lib-VERSION.tgz (`deno task pack:npm`).
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { VERSION } from "../lib/version.ts";
import { packLibrary, tarballName } from "./npm/library.ts";
import { root } from "./pack/mod.ts";
import { commitTimeMs } from "./release/gather.ts";

if (import.meta.main) {
  const facts = { version: VERSION, timeMs: await commitTimeMs() };
  const out = `${root}dist/${tarballName(facts)}`;
  await Deno.mkdir(`${root}dist`, { recursive: true });
  await Deno.writeFile(out, await packLibrary(facts));
  console.log(out);
}
