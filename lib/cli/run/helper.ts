/**
 * The helper of one command, inside its namespaces.
 *
 * @module
 */
import { DEFAULT_UP_SETTINGS } from "../../config/mod.ts";
import { serveHelper } from "../../helper/mod.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import { harden } from "../harden.ts";

/** The descriptor that its end of the pair with the daemon comes as. */
const CLIENT_DESCRIPTOR = 3;

/** Serves the daemon to its end; nothing has to be undone, since it goes with the namespaces. */
export async function helpCommand(context: Context): Promise<number> {
  const machine = (await context.machine()).inside();
  await harden(context, { programs: true, machine: true, mounts: true });
  await serveHelper({
    machine,
    descriptor: CLIENT_DESCRIPTOR,
    admission: null,
    journalDir: "/",
    repair: null,
    policy: { dnsMode: DEFAULT_UP_SETTINGS.dns, containers: false, zones: null, ranges: [] },
    elsewhere: true,
    signal: context.signal,
  });
  return EXIT.done;
}
