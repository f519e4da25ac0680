/**
 * The program as one script, and V8's code cache of it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { deno, root, withFolder } from "./run.ts";

/** How a bundle will be run: as a script by boot.ts, or as a module by `deno compile`'s runtime. */
export type BundleFormat = "cjs" | "esm";

/**
 * Bundles a program with everything it imports.
 *
 * @param entry File; for `cjs` without top-level await, which a script cannot have.
 * @throws {BuildError} `bundle-failed` with the bundler's words.
 */
export function bundle(entry: string, format: BundleFormat): Promise<string> {
  return withFolder(async (folder) => {
    const out = `${folder}/vnet.js`;
    const flags = ["--quiet", "--minify", "--keep-names", "--format", format];
    await deno("bundle-failed", { args: ["bundle", ...flags, "-o", out, entry], cwd: root });
    return await Deno.readTextFile(out);
  });
}

/**
 * Makes a function of a CommonJS text, in ASCII: V8 keeps that at one byte a character, and boot.ts decodes it
 * fastest. The bundler escapes what is not ASCII in code, this does so in the comments (licences) it keeps.
 */
export function wrap(text: string): string {
  const ascii = text.replace(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `(function (require, module) {${ascii}\n})`;
}

/** How many equal caches are wanted, and how many are made for that at most. */
const WANTED_EQUAL = 3;
const MOST_TRIES = 9;

/**
 * Bytecode has padding that V8 does not clear: in memory that no garbage collection has swept it is zero. In MB; warm.ts
 * takes the flags back before it writes, for a cache is good under its own flags alone.
 */
const STEADY_FLAGS = ["--min-semi-space-size=256", "--max-semi-space-size=256"];

/**
 * Runs a wrapped bundle and keeps what V8 compiled meanwhile, so that those ways start faster.
 *
 * Which functions a run compiles depends a little on the machine's load: some caches are others, and no worse ones. So
 * that the same program gives the same bytes, the one is taken that comes most often.
 *
 * @param runs One list of arguments per run; each must end by itself, and find nothing of this machine's.
 * @returns The code cache: good for this very runtime and this very bundle, and ignored by any other.
 */
export async function makeCodeCache(
  script: string,
  runs: readonly (readonly string[])[],
): Promise<Uint8Array> {
  return await mostCommon(() => makeOneCodeCache(script, runs), WANTED_EQUAL, MOST_TRIES);
}

/**
 * Makes bytes again and again, until as many are equal as wanted.
 *
 * @returns Those bytes; after the last try the ones that came most often, the first of them in the order of digests.
 */
export async function mostCommon(
  make: () => Promise<Uint8Array>,
  wanted: number,
  mostTries: number,
): Promise<Uint8Array> {
  const seen = new Map<string, { readonly bytes: Uint8Array; times: number }>();
  for (let tries = 0; tries < mostTries; tries++) {
    const bytes = await make();
    const digest = createHash("sha256").update(bytes).digest("hex");
    const entry = seen.get(digest) ?? { bytes, times: 0 };
    entry.times++;
    seen.set(digest, entry);
    if (entry.times === wanted) return bytes;
  }
  const [best] = [...seen].sort(([a, one], [b, other]) =>
    other.times - one.times || (a < b ? -1 : 1)
  );
  if (best === undefined) throw new RangeError("No try was allowed");
  return best[1].bytes;
}

function makeOneCodeCache(
  script: string,
  runs: readonly (readonly string[])[],
): Promise<Uint8Array> {
  return withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/vnet.js`, script);
    await Deno.writeTextFile(`${folder}/warm.json`, JSON.stringify(runs));
    // An error that is thrown now and then adds the lines of a function to its code.
    await Deno.mkdir(`${folder}/vnet/profiles`, { recursive: true });
    await deno("cache-failed", {
      args: [
        ...["run", "--allow-all", "--no-config", "--no-lock"],
        `--v8-flags=${STEADY_FLAGS.join(",")}`,
        `${root}scripts/pack/warm.ts`,
      ],
      cwd: folder,
      env: {
        VNET_WARM_FOLDER: folder,
        HOME: folder,
        XDG_CONFIG_HOME: folder,
        XDG_STATE_HOME: folder,
        XDG_RUNTIME_DIR: folder,
      },
    });
    return await Deno.readFile(`${folder}/vnet.cache`);
  });
}

/** Compiles boot.ts to JavaScript. */
export function compileBoot(): Promise<string> {
  const args = ["bundle", "--quiet", "--minify", `${root}scripts/pack/boot.ts`];
  return deno("boot-failed", { args, cwd: root });
}
