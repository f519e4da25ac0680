/**
 * Runs the bundle as boot.ts will, and writes V8's code cache of what ran. Build time only. The folder in
 * VNET_WARM_FOLDER has vnet.js, and warm.json with one list of arguments per run; it gets vnet.cache.
 *
 * @module
 */
import v8 from "node:v8";
import { Script } from "node:vm";
import { requireBuiltin } from "./require.ts";

const RUN_LIMIT_MS = 20_000;

/** What undoes the flags that bundle.ts starts this with. */
const STARTED_WITHOUT = ["--min-semi-space-size=0", "--max-semi-space-size=0"];

const folder = Deno.env.get("VNET_WARM_FOLDER");
Deno.env.delete("VNET_WARM_FOLDER");
const script = new Script(Deno.readTextFileSync(`${folder}/vnet.js`), { filename: "vnet.js" });
const runs: string[][] = JSON.parse(Deno.readTextFileSync(`${folder}/warm.json`));

/** Runs the program until it wants to exit. The functions compiled by then belong to the script. */
async function run(args: readonly string[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  Object.defineProperty(Deno, "args", { value: args, configurable: true });
  Deno.exit = (() => resolve()) as typeof Deno.exit;
  const timer = setTimeout(
    () => reject(new Error(`\`vnet ${args.join(" ")}\` did not end`)),
    RUN_LIMIT_MS,
  );
  script.runInThisContext()(requireBuiltin, { exports: {} });
  await promise.finally(() => clearTimeout(timer));
}

// What a garbage collection throws away, and what a compiling thread notes beside a function, depends on the moment;
// the same build must keep the same code.
const UNSTEADY = ["flush-bytecode", "sparkplug", "maglev", "opt"];
for (const flag of UNSTEADY) v8.setFlagsFromString(`--no-${flag}`);
const exit: typeof Deno.exit = Deno.exit;
for (const args of runs) await run(args);
// The cache names the flags it was made under, and is good under no others.
for (const flag of [...UNSTEADY.map((name) => `--${name}`), ...STARTED_WITHOUT]) {
  v8.setFlagsFromString(flag);
}
Deno.writeFileSync(`${folder}/vnet.cache`, script.createCachedData());
exit(0);
