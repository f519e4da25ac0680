/**
 * `vnet down --purge`: removes what vnet keeps on this machine for one owner, by the names it gave it. Logins stay.
 *
 * @module
 */
import type { Paths } from "../client/mod.ts";
import { VnetError } from "../error.ts";
import type { Journal } from "../os/mod.ts";
import { runAsOwner } from "./as_owner.ts";
import { type Context, tell } from "./context.ts";
import { journalDir } from "./journal.ts";

/** A helper that is just ending still has its journal. */
const HELPER_END_MS = 5_000;
const RETRY_MS = 50;

/** Ours in a folder of state: addresses, saved answers, logs, and what a crash left of writing them. */
const STATE =
  /^((leases|clusters|settings|ranges|zones)\.json(\.[0-9a-f]+\.tmp)?|daemon\.log(\.1(\.tmp)?)?)$/;
const RUNTIME = /^(control\.sock|apps\.sock|daemon\.lock|start-error\.json(\.[0-9a-f]+\.tmp)?)$/;

/** Removes all of it, once vnet is down, and says what. The owner's own files are removed as the owner. */
export async function purge(context: Context): Promise<void> {
  const isRoot = Deno.uid() === 0;
  if (isRoot && context.owner.uid !== 0) await purgeAsOwner(context);
  else for (const line of await purgeOwn(context.paths)) tell(context, line);
  const directory = journalDir(context);
  if (isRoot) {
    for (const line of await purgeRoots(context, directory)) tell(context, line);
  } else if (await isThere(directory)) {
    tell(context, `Left ${directory}: it is root's; remove it with \`sudo vnet down --purge\``);
  }
  if (!await isThere(`${context.paths.configDir}/profiles`)) return;
  tell(context, "Your logins stay; `vnet logout --all` forgets them");
}

/** Removes the owner's state and sockets. @returns What was removed, line by line. */
export async function purgeOwn({ stateDir, runtimeDir, configDir }: Paths): Promise<string[]> {
  return [
    ...await removeFrom(stateDir, STATE),
    ...await removeFrom(runtimeDir, RUNTIME),
    // Folders that a logout emptied.
    ...await removeFolder(`${configDir}/profiles`),
    ...await removeFolder(configDir),
  ];
}

async function purgeAsOwner(context: Context): Promise<void> {
  if (await runAsOwner(context, ["purge-own"])) return;
  const { name } = context.owner;
  throw new VnetError("purge-failed", `Cannot remove all that vnet keeps for "${name}"`, {
    hint: "The lines above say why; run `vnet down --purge` without sudo",
  });
}

async function purgeRoots(context: Context, directory: string): Promise<string[]> {
  const { uid } = context.owner;
  const logs = new RegExp(
    `^(helper|daemon)-${uid}\\.log(\\.1(\\.tmp)?)?$|^client-${uid}\\.lock$|^ranges-${uid}\\.json(\\.[0-9a-f]+\\.tmp)?$`,
  );
  const { journal } = (await context.machine()).root;
  const forgotten = await forgetInTime(journal, directory);
  return [
    ...forgotten?.map((path) => `Removed ${path}`) ??
      [`Left the journal in ${directory}: another vnet has it in use`],
    ...await removeFrom(directory, logs),
    ...await removeFolder(`/run/vnet/${uid}`),
    ...await removeFolder("/run/vnet"),
  ];
}

async function forgetInTime(
  journal: Journal,
  directory: string,
): Promise<readonly string[] | null> {
  for (let waitedMs = 0;; waitedMs += RETRY_MS) {
    const forgotten = await journal.forget(directory);
    if (forgotten !== null || waitedMs >= HELPER_END_MS) return forgotten;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Removes what has one of our names, and the folder if nothing else is in it. Links are removed, not followed. */
async function removeFrom(folder: string, names: RegExp): Promise<string[]> {
  const found = await Deno.lstat(folder).catch(ignoreMissing);
  if (found === null || !found.isDirectory) return [];
  const ours: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory && names.test(name)) ours.push(`${folder}/${name}`);
  }
  const lines: string[] = [];
  for (const path of ours.sort()) {
    if (await Deno.remove(path).then(() => true, ignoreMissing)) lines.push(`Removed ${path}`);
  }
  return [...lines, ...await removeFolder(folder)];
}

/** Removes a folder that is empty. */
async function removeFolder(path: string): Promise<string[]> {
  const found = await Deno.lstat(path).catch(ignoreMissing);
  if (found === null || !found.isDirectory) return [];
  // Not empty, or somebody else's: theirs to keep.
  return await Deno.remove(path).then(() => [`Removed ${path}`], () => []);
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).catch(ignoreMissing) !== null;
}

function ignoreMissing(thrown: unknown): null {
  if (thrown instanceof Deno.errors.NotFound) return null;
  throw thrown;
}
