/**
 * Brings what the demo and the tests need beside Node. `deno task demo` and `deno task test` begin with it:
 *
 *   deno task setup          everything, for the tests; Debian and Ubuntu, as root
 *   deno task setup demo     what the demo needs
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { install, readFacts } from "./machine.ts";
import type { Use } from "./packages.ts";
import { familyOf, type Plan, planSetup } from "./plan.ts";

/** Says that nothing is to be installed; not an option of what runs afterwards. */
export const NO_SETUP = "--no-setup";

/**
 * Installs what is missing where that may be done, and says so in a line. It never fails: what needs what is not
 * there is left out later, and told in the table at the end.
 *
 * @returns What is missing still.
 */
export async function setUp(use: Use, args: readonly string[]): Promise<Plan> {
  const plan = planSetup(use, await readFacts());
  if (plan.kind !== "install" || args.includes(NO_SETUP)) return plan;
  console.error(`setup: installing ${plan.packages.join(" ")} (leave it: ${NO_SETUP})`);
  const beganMs = performance.now();
  const cause = await install(plan.packages);
  if (cause !== null) {
    console.error(`setup: nothing installed: ${cause}; going on with what is there`);
  } else {
    console.error(`setup: done in ${((performance.now() - beganMs) / 1000).toFixed(0)} s`);
  }
  return planSetup(use, await readFacts());
}

/** @returns The command that brings what is missing, or `null` if nothing is. */
export function remedyOf(use: Use, plan: Plan): string | null {
  switch (plan.kind) {
    case "nothing":
      return null;
    case "install":
      return `npx -y deno@2.9.5 task setup${use === "demo" ? " demo" : ""}`;
    case "tell":
      return plan.command;
    default:
      return plan satisfies never;
  }
}

async function main(args: readonly string[]): Promise<number> {
  const use = args[0] === "demo" ? "demo" : "test";
  const plan = await setUp(use, args);
  if (plan.kind === "nothing") return 0;
  const family = familyOf((await readFacts()).osRelease) ?? "this system";
  console.error(`setup: missing on ${family}: ${plan.packages.join(" ")}`);
  if (plan.kind === "tell") console.error(`setup: run: ${plan.command}`);
  return 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
