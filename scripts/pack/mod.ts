/**
 * Makes one executable of the program, in one of two forms that behave alike:
 *
 * - `compiled`: `deno compile`, on denort. Needs DENORT_BIN, a seeded cache or the network.
 * - `packed`: the npm registry's deno with an entry stub (stub.c), for networks that have nothing else.
 *
 * In both the program finds the shim to load under `Symbol.for("vnet.shim")` of `globalThis`, and
 * `{ form, commit }` under `Symbol.for("vnet.build")`; packed, also the executable to spawn under
 * `Symbol.for("vnet.self")`. Run from source, it finds none of them.
 *
 * @module
 */
import { bundle, compileBoot, makeCodeCache, wrap } from "./bundle.ts";
import { pack } from "./pack.ts";
import { deno, withFolder } from "./run.ts";
import { compileStub } from "./stub.ts";

export { BuildError } from "./build_error.ts";
export { askMachine, type DenortSource, findDenort } from "./denort.ts";
export { commitOf, root } from "./run.ts";

/** What to make an executable of. */
export interface Program {
  /** File that starts the program, without top-level await. */
  readonly entry: string;
  /** Path of the shim's library. */
  readonly shim: string;
  readonly commit: string;
  /** Runs whose code is to be in the code cache, each a list of arguments. */
  readonly warm: readonly (readonly string[])[];
}

/** Makes the packed form. @returns The executable's bytes; the same for the same program. */
export async function makePacked(program: Program): Promise<Uint8Array> {
  // One bundler after the other: on a new machine each would fetch it to the same place, and one would fail.
  const script = wrap(await bundle(program.entry, "cjs"));
  const [stub, boot, runtime, shim] = await Promise.all([
    compileStub(),
    compileBoot(),
    Deno.readFile(Deno.execPath()),
    Deno.readFile(program.shim),
  ]);
  const cache = await makeCodeCache(script, program.warm);
  const encoded = new TextEncoder().encode(script);
  return pack({ runtime, stub, bundle: encoded, cache, shim, boot, commit: program.commit });
}

/**
 * Makes the compiled form with `deno compile`.
 *
 * The bundle is ours rather than `--bundle`'s, so that the shim is known to lie beside it.
 */
export function makeCompiled(program: Program): Promise<Uint8Array> {
  return withFolder(async (folder) => {
    await Deno.copyFile(program.shim, `${folder}/libdeno_tun.so`);
    await Deno.writeTextFile(`${folder}/vnet.js`, await bundle(program.entry, "esm"));
    await Deno.writeTextFile(`${folder}/main.js`, compiledMain(program.commit));
    // The executable records when they were written.
    for (const name of ["libdeno_tun.so", "vnet.js", "main.js"]) {
      await Deno.utime(`${folder}/${name}`, 0, 0);
    }
    const out = `${folder}/out/vnet`;
    const sealed = ["--no-config", "--no-lock", "--no-npm", "--no-remote", "--no-check"];
    const included = ["--include", "vnet.js", "--include", "libdeno_tun.so"];
    await deno("compile-failed", {
      args: [
        "compile",
        "--allow-all",
        "--unstable-net",
        "--unstable-no-legacy-abort",
        "--no-prompt",
        ...sealed,
        ...included,
        "--output",
        out,
        "main.js",
      ],
      cwd: folder,
    });
    return await Deno.readFile(out);
  });
}

function compiledMain(commit: string): string {
  const build = JSON.stringify({ form: "compiled", commit });
  return `Object.assign(globalThis, {
  [Symbol.for("vnet.shim")]: import.meta.dirname + "/libdeno_tun.so",
  [Symbol.for("vnet.build")]: ${build},
});
await import("./vnet.js");
`;
}
