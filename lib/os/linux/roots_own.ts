/**
 * Folders in which root may work by their names: nobody else can change where such a name leads.
 *
 * @module
 * @see path_resolution(7), user_namespaces(7)
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path/posix";
import { OsError } from "../../error.ts";

const { O_RDONLY, O_NOFOLLOW, O_DIRECTORY, O_NONBLOCK } = constants;

const WRITABLE_BY_OTHERS = 0o022;
/** Who may write there may still not replace what is another's. */
const STICKY = 0o1000;
/** What a user namespace shows of users that it does not have: the machine's own root among them. */
const UNMAPPED_UID = 65_534;
const EVERY_ID = /^\s*0\s+0\s+4294967295\s*$/;

/** What there is to know of one step of a path. */
export interface Step {
  readonly path: string;
  readonly uid: number;
  readonly mode: number;
  readonly isDirectory: boolean;
}

/**
 * Finds the folder that a path names, whether it is there or not.
 *
 * @returns Its path without links, from the root of the file system on.
 * @throws {OsError} `folder-untrusted` if somebody other than root, or this user, can change what is there.
 */
export function rootsOwn(path: string): string {
  const wanted = resolve(path);
  const there = nearest(wanted);
  const real = Deno.realPathSync(there === "" ? "/" : there);
  const steps = stepsTo(real).map(look);
  const bad = firstUntrusted(steps, trustedUids());
  if (bad !== null) throw untrusted(path, bad);
  return join(real, wanted.slice(there.length));
}

/** @returns The first step that one of others owns or may write, or that is no folder; `null` if there is none. */
export function firstUntrusted(
  steps: readonly Step[],
  uids: ReadonlySet<number>,
): Step | null {
  const isLast = (index: number) => index === steps.length - 1;
  return steps.find(({ uid, mode, isDirectory }, index) => {
    const isShared = (mode & WRITABLE_BY_OTHERS) !== 0 && ((mode & STICKY) === 0 || isLast(index));
    return !isDirectory || !uids.has(uid) || isShared;
  }) ?? null;
}

/**
 * Makes a folder in one of root's own and gives it away; one that is there already has to be that user's.
 *
 * @throws {OsError} `folder-untrusted`
 */
export function makeFolderFor(path: string, owner: { readonly uid: number; readonly gid: number }) {
  const parent = rootsOwn(dirname(path));
  mkdirSync(parent, { recursive: true, mode: 0o755 });
  const made = makeIfMissing(path);
  const fd = openNamed(path, O_DIRECTORY);
  try {
    const { uid, mode } = fstatSync(fd);
    if (uid !== owner.uid && !made) throw untrusted(path, { path, uid, mode, isDirectory: true });
    if (made) fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads a file that nobody but root, or this user, can have written. It is opened once, and what is judged is read.
 *
 * @returns `null` if there is none.
 * @throws {OsError} `folder-untrusted` for a link, for what is no plain file, and for another's.
 */
export function readRootsOwn(path: string, limitBytes: number): Uint8Array<ArrayBuffer> | null {
  const fd = openIfThere(path);
  if (fd === null) return null;
  try {
    const stat = fstatSync(fd);
    const isOwn = stat.isFile() && trustedUids().has(stat.uid) &&
      (stat.mode & WRITABLE_BY_OTHERS) === 0 && stat.size <= limitBytes;
    if (!isOwn) throw untrusted(path, { path, ...stat, isDirectory: stat.isDirectory() });
    const bytes = new Uint8Array(stat.size);
    let size = 0;
    for (let count = 1; count > 0 && size < bytes.length; size += count) {
      count = readSync(fd, bytes, size, bytes.length - size, null);
    }
    return bytes.subarray(0, size);
  } finally {
    closeSync(fd);
  }
}

function openIfThere(path: string): number | null {
  try {
    return openNamed(path, 0);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return null;
    throw thrown;
  }
}

/** Opens what has this very name, and waits for nobody. */
function openNamed(path: string, flags: number): number {
  try {
    return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | flags);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ELOOP" && errnoOf(thrown) !== "ENOTDIR") throw thrown;
    throw untrusted(path, { path, uid: 0, mode: 0, isDirectory: false });
  }
}

function makeIfMissing(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === "EEXIST") return false;
    throw thrown;
  }
}

/** @returns The path, or the part of it that is there. */
function nearest(path: string): string {
  for (let there = path;; there = dirname(there)) {
    try {
      Deno.lstatSync(there);
      return there === "/" ? "" : there;
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
  }
}

/** @returns `/`, `/var`, `/var/lib` of `/var/lib`. */
function stepsTo(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.reduce((steps, name) => [...steps, join(steps.at(-1) ?? "/", name)], ["/"]);
}

function look(path: string): Step {
  const { uid, mode, isDirectory } = Deno.lstatSync(path);
  return { path, uid: uid ?? -1, mode: mode ?? 0, isDirectory };
}

function trustedUids(): ReadonlySet<number> {
  const uids = [0, Deno.uid() ?? 0];
  return new Set(inOwnNamespace() ? [...uids, UNMAPPED_UID] : uids);
}

/** Whether root here is root of a user namespace only. */
function inOwnNamespace(): boolean {
  try {
    return !EVERY_ID.test(Deno.readTextFileSync("/proc/self/uid_map"));
  } catch {
    return false;
  }
}

function untrusted(path: string, { path: where, uid, mode, isDirectory }: Step): OsError {
  const rights = (mode & 0o7777).toString(8);
  const state = isDirectory
    ? `"${where}" is of user ${uid}, mode ${rights}`
    : "it is another thing";
  return new OsError("folder-untrusted", `Cannot use "${path}" as root: ${state}`, {
    call: "open",
    errno: "EPERM",
    hint: "Name a folder that only root can write, and so its parents",
  });
}

function errnoOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}
