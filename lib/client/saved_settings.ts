/**
 * What the daemon was told, on disk: `vnet restart` keeps it also when the daemon was killed.
 *
 * @module
 */
import { z } from "zod";
import { renderUpSettings, type UpSettings, UpSettingsSchema } from "../config/mod.ts";
import { readFileIfThere, writeFileAtomic } from "../io/mod.ts";
import { getLogger } from "../log.ts";

const log = getLogger("client", "state");

const SavedSchema = z.object({
  schema: z.literal("vnet.up_settings/1"),
  settings: UpSettingsSchema,
});

/** Reads them. @returns `null` when there are none, or none that can be understood. */
export async function loadSettings(stateDir: string): Promise<UpSettings | null> {
  const path = settingsPath(stateDir);
  // Root reads it too, in its owner's folder: what is no plain file is left alone.
  const found = await Deno.lstat(path).catch(() => null);
  const text = found?.isFile ? await readFileIfThere(path) : null;
  if (text === null) return null;
  try {
    return SavedSchema.parse(JSON.parse(text)).settings;
  } catch {
    log.warning("Ignored the saved settings", { path });
    return null;
  }
}

/** Writes them, for the next start. */
export async function saveSettings(stateDir: string, settings: UpSettings): Promise<void> {
  const content = { schema: "vnet.up_settings/1", settings: renderUpSettings(settings) };
  await writeFileAtomic(settingsPath(stateDir), `${JSON.stringify(content)}\n`);
}

/** Removes them: the next start begins from the defaults. */
export async function forgetSettings(stateDir: string): Promise<void> {
  await Deno.remove(settingsPath(stateDir)).catch((thrown) => {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  });
}

export function settingsPath(stateDir: string): string {
  return `${stateDir}/settings.json`;
}
