/**
 * The demo from a clone (`deno task demo`): sets up what it needs, builds the shim, and runs `vnet demo`.
 *
 *   deno task demo --no-setup       installs nothing
 *   deno task demo --apps 20        the rest are options of `vnet demo`
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { familyOf } from "./setup/plan.ts";
import { isThere, readFacts } from "./setup/machine.ts";
import { renderLeftOut } from "./setup/left_out.ts";
import { NO_SETUP, remedyOf, setUp } from "./setup/setup.ts";
import { needsOf } from "./setup/packages.ts";
import { BuildError, buildShim } from "./shim.ts";

async function main(args: readonly string[]): Promise<number> {
  const plan = await setUp("demo", args);
  try {
    await buildShim();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(error.message);
    const missing = needsOf("demo").flatMap(({ programs }) => programs)
      .filter((program) => !isThere(program)).map((what) => ({ what, leftOut: "the demo" }));
    const family = familyOf((await readFacts()).osRelease);
    for (const line of renderLeftOut(missing, family, remedyOf("demo", plan))) console.error(line);
    return 1;
  }
  // A terminal's Ctrl-C reaches the demo as it reaches us; a signal to us alone is passed on.
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", "demo", ...args.filter((arg) => arg !== NO_SETUP)],
    cwd: new URL("../", import.meta.url),
  }).spawn();
  Deno.addSignalListener("SIGINT", () => {});
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  return (await child.status).code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
