/**
 * The file at /etc/resolv.conf: what lies there, whether it is ours, ours put in its place, the original put back.
 * Any step may be the last one of the process; the journal entry alone then leads back.
 *
 * @module
 */
import { dirname, resolve } from "node:path/posix";
import { RESOLV_CONF_MAGIC } from "../../../../dns/mod.ts";
import { readOnlyError } from "../find/detect.ts";
import { errnoOf } from "../../errno.ts";
import type { Disk, Owner } from "../undo/disk.ts";
import type { DirectEntry, Original } from "../undo/journal.ts";

/** What lies at a path. */
export type FileState =
  | { readonly kind: "missing" }
  | { readonly kind: "symlink"; readonly target: string }
  | {
    readonly kind: "file";
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
  }
  | { readonly kind: "other" };

const TEXTS_KEPT = 4;
const NEW_FILE_MODE = 0o644;

/** Looks at a path without following a link. */
export async function readState(path: string): Promise<FileState> {
  try {
    const stat = await Deno.lstat(path);
    if (stat.isSymlink) return { kind: "symlink", target: await Deno.readLink(path) };
    if (!stat.isFile) return { kind: "other" };
    return {
      kind: "file",
      bytes: await Deno.readFile(path),
      mode: (stat.mode ?? NEW_FILE_MODE) & 0o7777,
      uid: stat.uid ?? 0,
      gid: stat.gid ?? 0,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "missing" };
    throw error;
  }
}

/** Makes a journal entry of what lies at a path: the original to come back to. */
export function capture(path: string, state: FileState, isMountPoint: boolean): DirectEntry {
  return { v: 1, backend: "direct", path, original: originalOf(state, isMountPoint), ours: [] };
}

function originalOf(state: FileState, isMountPoint: boolean): Original {
  switch (state.kind) {
    case "missing":
      return { kind: "missing" };
    case "symlink":
      return { kind: "symlink", target: state.target };
    case "file": {
      const { mode, uid, gid } = state;
      return {
        kind: "file",
        content: state.bytes.toBase64(),
        ...{ mode, uid, gid },
        inPlace: isMountPoint,
      };
    }
    case "other":
      throw readOnlyError({ kind: "other", writeErrno: null });
    default:
      return state satisfies never;
  }
}

/** The text programs read before us; empty where there was none. */
export async function originalText(entry: DirectEntry): Promise<string> {
  const { original } = entry;
  switch (original.kind) {
    case "missing":
      return "";
    case "file":
      return new TextDecoder().decode(Uint8Array.fromBase64(original.content));
    case "symlink":
      try {
        return await Deno.readTextFile(linkTarget(entry.path, original.target));
      } catch {
        return ""; // a dangling link, as a program that opens it finds it
      }
    default:
      return original satisfies never;
  }
}

/** Where a link at a path leads to, as an absolute path; one step only. */
export function linkTarget(path: string, target: string): string {
  return resolve(dirname(path), target);
}

/** Remembers a text of ours before it is written. */
export function withText(entry: DirectEntry, text: string): DirectEntry {
  const bytes = new TextEncoder().encode(text).toBase64();
  const ours = [...entry.ours.filter((other) => other !== bytes), bytes].slice(-TEXTS_KEPT);
  return { ...entry, ours };
}

/** Puts our newest text in the place of whatever is there. The entry is in the journal already. */
export async function putOurs(entry: DirectEntry, disk: Disk): Promise<void> {
  const bytes = Uint8Array.fromBase64(entry.ours.at(-1) ?? "");
  if (entry.original.kind === "file" && entry.original.inPlace) {
    await disk.rewrite(entry.path, bytes);
  } else {
    await disk.replace(entry.path, bytes, newFile());
  }
}

/** Everyone may read it; it belongs to who makes it, which is root but in tests. */
export function newFile(): Owner {
  return { mode: NEW_FILE_MODE, uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
}

/** What became of an undo. */
type Restored = "restored" | "foreign";

/**
 * Puts the original back, if what is there is ours; what someone else wrote since stays.
 *
 * @throws OsError `resolv-conf-read-only`
 */
export async function restore(entry: DirectEntry, disk: Disk): Promise<Restored> {
  await disk.sweep(entry.path);
  const state = await readState(entry.path);
  if (!isOurs(state, entry)) return "foreign";
  const { original } = entry;
  try {
    switch (original.kind) {
      case "missing":
        await disk.remove(entry.path);
        break;
      case "symlink":
        await disk.link(entry.path, original.target);
        break;
      case "file":
        if (original.inPlace) {
          await disk.rewrite(entry.path, Uint8Array.fromBase64(original.content));
        } else await disk.replace(entry.path, Uint8Array.fromBase64(original.content), original);
        break;
      default:
        original satisfies never;
    }
  } catch (cause) {
    throw readOnlyError({ kind: "file", writeErrno: errnoOf(cause) });
  }
  return "restored";
}

/**
 * Tells whether what lies there is of our making: one of our texts, a text under our header that somebody
 * edited, or, for a file rewritten in place, a mixture a cut-off rewrite leaves.
 */
export function isOurs(state: FileState, entry: DirectEntry): boolean {
  if (state.kind !== "file") return false;
  if (hasHeader(state.bytes)) return true;
  const ours = entry.ours.map((text) => Uint8Array.fromBase64(text));
  if (ours.some((text) => equalBytes(text, state.bytes))) return true;
  if (entry.original.kind !== "file" || !entry.original.inPlace) return false;
  const original = Uint8Array.fromBase64(entry.original.content);
  if (equalBytes(original, state.bytes)) return false;
  return ours.some((text) =>
    isTorn(state.bytes, text, original) || isTorn(state.bytes, original, text)
  );
}

/** Tells whether a text begins with our header, whatever follows. */
export function hasHeader(bytes: Uint8Array): boolean {
  const header = new TextEncoder().encode(RESOLV_CONF_MAGIC);
  return equalBytes(bytes.subarray(0, header.length), header);
}

/**
 * Takes our lines out of a text under our header: all that can be done when the journal is lost. Other texts
 * stay as they are.
 */
export function withoutOurLines(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (!hasHeader(bytes)) return bytes;
  const isOurLine = (line: string) => line.startsWith("#") || /^nameserver 127\.0\.53\./.test(line);
  const lines = new TextDecoder().decode(bytes).split("\n").filter((line) => !isOurLine(line));
  return new TextEncoder().encode(lines.join("\n"));
}

/** Tells whether bytes are `before` partly written over by `after`, padded as `Disk.rewrite` does. */
function isTorn(bytes: Uint8Array, before: Uint8Array, after: Uint8Array): boolean {
  const length = Math.max(before.length, after.length);
  if (bytes.length < before.length || bytes.length > length) return false;
  let written = 0;
  const expected = (at: number) => at < after.length ? after[at] : 0x0a;
  while (written < bytes.length && bytes[written] === expected(written)) written++;
  return written >= before.length || equalBytes(bytes.subarray(written), before.subarray(written));
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
