import { describeError } from "../error.ts";
import { getLogger } from "../log.ts";
import type { Context } from "./context.ts";

/**
 * Gives up for good what a process that goes on running has no use for. That it cannot is told, and no reason not to run.
 *
 * @param needs.programs Whether it starts programs.
 * @param needs.machine Whether it goes on asking the machine; else the runtime loads no library and starts no program
 * for anybody any more. It does not read /proc either then, nor a device by its name.
 * @param needs.mounts Whether it goes on mounting; it does not, if not given.
 */
export async function harden(
  context: Context,
  needs: {
    readonly programs: boolean;
    readonly machine: boolean;
    readonly mounts?: boolean;
  },
): Promise<void> {
  try {
    (await context.machine()).processes.harden(needs);
  } catch (thrown) {
    getLogger("cli").warning("Cannot give up what this process has no use for", {
      error: describeError(thrown),
    });
  }
  if (needs.machine) return;
  for (const name of ["ffi", "run"] as const) Deno.permissions.revokeSync({ name });
}
