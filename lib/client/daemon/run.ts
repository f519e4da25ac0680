/**
 * A daemon from its lock to its last word.
 *
 * @module
 */
import { ensurePrivateDirectory } from "../../io/mod.ts";
import { serveControl } from "../control/server.ts";
import { writeStartError } from "../control/start_error.ts";
import { forgetSettings } from "../saved_settings.ts";
import { Daemon } from "./daemon.ts";
import { lockInstance } from "./instance.ts";
import type { DaemonOptions } from "./options.ts";

/** Runs the daemon until its signal aborts or somebody asks it to end. @returns What was asked for. */
export async function runDaemon(options: DaemonOptions): Promise<"end" | "restart"> {
  for (const dir of [options.paths.stateDir, options.paths.runtimeDir]) {
    await ensurePrivateDirectory(dir);
  }
  using _lock = await lockInstance(options.paths).catch(async (thrown) => {
    await writeStartError(options.paths, thrown);
    throw thrown;
  });
  const daemon = new Daemon(options);
  const control = await serveControl(options.paths.controlSocket, daemon);
  try {
    await daemon.run();
    if (daemon.asked === "end") await forgetSettings(options.paths.stateDir);
    return daemon.asked ?? "end";
  } catch (thrown) {
    await writeStartError(options.paths, thrown);
    throw thrown;
  } finally {
    await control.shutdown();
    await Deno.remove(options.paths.controlSocket).catch(() => {});
  }
}
