import { Buffer } from "node:buffer";
import { equal, match, rejects } from "node:assert/strict";
import { BuildError, commitOf, makeCompiled, type Program, root } from "./mod.ts";

/** Says whether bytes contain others. */
function contains(bytes: Uint8Array, part: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(Buffer.from(part));
}

Deno.test("makeCompiled() gives the bundle, the shim and the build to `deno compile`", async () => {
  const folder = await Deno.makeTempDir({ prefix: "vnet-compiled-" });
  const given = Deno.env.get("DENORT_BIN");
  try {
    const shim = crypto.getRandomValues(new Uint8Array(10_000));
    await Deno.writeFile(`${folder}/shim.so`, shim);
    await Deno.writeTextFile(`${folder}/entry.ts`, `console.log("marker of the entry");`);
    // The registry's deno stands in for denort: it is put together alike, though it would not run the program.
    Deno.env.set("DENORT_BIN", Deno.execPath());
    const program: Program = {
      entry: `${folder}/entry.ts`,
      shim: `${folder}/shim.so`,
      commit: "0123abc",
      warm: [],
    };
    const bytes = await makeCompiled(program);
    const text = (s: string) => new TextEncoder().encode(s);
    equal(contains(bytes, shim), true);
    equal(contains(bytes, text("marker of the entry")), true);
    equal(contains(bytes, text(`{"form":"compiled","commit":"0123abc"}`)), true);
    equal(Buffer.from(await makeCompiled(program)).equals(bytes), true, "the same bytes again");
    await rejects(
      makeCompiled({ ...program, entry: `${folder}/none.ts` }),
      (e: BuildError) => e.code === "bundle-failed" && /none\.ts/.test(e.message),
    );
  } finally {
    if (given === undefined) Deno.env.delete("DENORT_BIN");
    else Deno.env.set("DENORT_BIN", given);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("commitOf() names the commit in a repository, and says unknown elsewhere", async () => {
  const outside = await Deno.makeTempDir({ prefix: "vnet-no-git-" });
  try {
    equal(await commitOf(outside), "unknown");
  } finally {
    await Deno.remove(outside);
  }
  const isRepository = await Deno.stat(`${root}.git`).then(() => true, () => false);
  match(await commitOf(root), isRepository ? /^[0-9a-f]{40}(-dirty)?$/ : /^unknown$/);
});
