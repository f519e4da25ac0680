/**
 * Why a daemon could not start, left where the command that started it looks.
 *
 * @module
 */
import { parseJson } from "../../json.ts";
import { z } from "zod";
import { VnetError } from "../../error.ts";
import { readFileIfThere, writeFileAtomic } from "../../io/mod.ts";
import type { Paths } from "../paths.ts";

const Schema = z.object({
  pid: z.int(),
  code: z.string(),
  message: z.string(),
  hint: z.string().nullable(),
});

/** Leaves the error for whoever started this daemon. */
export async function writeStartError(paths: Paths, thrown: unknown): Promise<void> {
  const error = thrown instanceof VnetError
    ? { pid: Deno.pid, code: thrown.code, message: thrown.message, hint: thrown.hint }
    : { pid: Deno.pid, code: "internal", message: String(thrown), hint: null };
  await writeFileAtomic(pathOf(paths), JSON.stringify(error));
}

/** Reads what the daemon of this process id left when it ended, or `null`. */
export async function readStartError(paths: Paths, pid: number): Promise<VnetError | null> {
  // Root reads it, in a folder of somebody else's: no link is followed, and no pipe waited for.
  const found = await Deno.lstat(pathOf(paths)).catch(() => null);
  const text = found?.isFile ? await readFileIfThere(pathOf(paths)) : null;
  const parsed = Schema.safeParse(text === null ? null : parseJson(text));
  if (!parsed.success || parsed.data.pid !== pid) return null;
  const { code, message, hint } = parsed.data;
  return new VnetError(code, message, hint === null ? {} : { hint });
}

function pathOf(paths: Paths): string {
  return `${paths.runtimeDir}/start-error.json`;
}
