/**
 * Writing files that somebody else may have edited: what was not written here is neither replaced nor removed.
 *
 * @module
 */
import { dirname } from "node:path";
import { VnetError } from "../../error.ts";
import type { Receipt } from "./receipt.ts";
import type { ServiceFile } from "./units.ts";

type Written = Receipt["files"][number];

/** How a file on the disk relates to what was written. */
type FileState = "same" | "edited" | "missing";

/** SHA-256 of a text, in hexadecimal. */
async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Looks at one file that was written. */
export async function stateOf(written: Written): Promise<FileState> {
  const text = await readIfThere(written.path);
  if (text === null) return "missing";
  return await sha256(text) === written.sha256 ? "same" : "edited";
}

/**
 * Refuses when a file is there that was not written here, or was edited since.
 *
 * @param act What cannot be done then, as the error begins: "Cannot install the service".
 * @param hint What to do about them.
 * @throws VnetError `service-file-foreign` naming all of them, before anything is touched
 */
export async function refuseForeign(
  files: readonly ServiceFile[],
  written: Receipt["files"],
  act: string,
  hint: string,
): Promise<void> {
  const foreign: string[] = [];
  for (const { path, text } of files) {
    const present = await readIfThere(path);
    if (present === null || present === text) continue;
    const known = written.find((one) => one.path === path);
    if (known === undefined || await sha256(present) !== known.sha256) foreign.push(path);
  }
  if (foreign.length === 0) return;
  throw new VnetError(
    "service-file-foreign",
    `${act}: somebody else wrote or edited ${foreign.join(", ")}`,
    { hint },
  );
}

/** Writes what differs. @returns Every file as it is now, and the paths of those that were written. */
export async function writeFiles(
  files: readonly ServiceFile[],
): Promise<{ readonly all: readonly Written[]; readonly changed: readonly string[] }> {
  const all: Written[] = [];
  const changed: string[] = [];
  for (const { path, text } of files) {
    if (await readIfThere(path) !== text) {
      await Deno.mkdir(dirname(path), { recursive: true, mode: 0o755 });
      const temporary = `${path}.vnet-new`;
      await Deno.writeTextFile(temporary, text, { mode: 0o644 });
      await Deno.chmod(temporary, 0o644);
      await Deno.rename(temporary, path);
      changed.push(path);
    }
    all.push({ path, sha256: await sha256(text) });
  }
  return { all, changed };
}

/** Removes what is as it was written, and folders of ours that are empty then. @returns A line for each file. */
export async function removeFiles(files: readonly Written[]): Promise<string[]> {
  const lines: string[] = [];
  for (const written of files) {
    const state = await stateOf(written);
    if (state === "missing") continue;
    if (state === "edited") {
      lines.push(`Left ${written.path}: it was edited`);
      continue;
    }
    await Deno.remove(written.path);
    lines.push(`Removed ${written.path}`);
    const folder = dirname(written.path);
    if (/\.(service|socket)\.d$/.test(folder)) await Deno.remove(folder).catch(() => {}); // Others' drop-ins stay.
  }
  return lines;
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
}
