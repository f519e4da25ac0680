/**
 * Files of ours: written whole or not at all, and to nobody else's eyes.
 *
 * @module
 */
import { dirname } from "node:path";
import { ConfigError, OsError } from "../error.ts";
import { randomHex } from "./keys.ts";

/** Owner only. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * Writes a file with mode 0600 so that a reader, or a crash, sees the old content or the new, never a part.
 *
 * @throws {OsError} `file-unwritable`.
 */
export async function writeFileAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const temporary = `${path}.${randomHex(6)}.tmp`;
  try {
    try {
      using file = await Deno.open(temporary, { write: true, createNew: true, mode: FILE_MODE });
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } catch (error) {
      await removeIfThere(temporary);
      throw error;
    }
    await Deno.rename(temporary, path);
    using directory = await Deno.open(dirname(path), { read: true });
    await directory.sync();
  } catch (cause) {
    await removeIfThere(temporary);
    throw fileError("file-unwritable", "write", path, cause);
  }
}

/**
 * Makes a directory only its owner may enter, and its parents as usual; one that is there keeps its content and
 * loses what others were allowed.
 *
 * @throws {OsError} `directory-unusable`.
 */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
    await Deno.chmod(path, DIRECTORY_MODE);
  } catch (cause) {
    throw fileError("directory-unusable", "prepare", path, cause);
  }
}

/**
 * Reads a text file that may not be there yet.
 *
 * @returns Its text, or `null` if there is no such file.
 * @throws {OsError} `file-unreadable`.
 */
export async function readFileIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw fileError("file-unreadable", "read", path, cause);
  }
}

/**
 * Reads the first line of a file that holds a secret.
 *
 * @returns `null` when there is no such file, or nothing on that line.
 */
export async function readSecretFile(path: string): Promise<string | null> {
  const [line = ""] = (await readFileIfThere(path) ?? "").split("\n", 1);
  return line.trim() || null;
}

/**
 * Reads a file that a person named.
 *
 * @throws {ConfigError} When it is missing, is not ours to read, or holds no UTF-8 text.
 */
export async function readConfigFile(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (cause) {
    throw new ConfigError(
      path,
      [{ path: "", found: reasonOf(cause), expected: "a readable file" }],
      {
        cause,
      },
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(path, [{ path: "", found: "other bytes", expected: "UTF-8 text" }], {
      cause,
    });
  }
}

function fileError(code: string, act: string, path: string, cause: unknown): OsError {
  const errno = errnoOf(cause);
  return new OsError(code, `Cannot ${act} "${path}": ${reasonOf(cause)}`, {
    call: act,
    errno,
    cause,
  });
}

function errnoOf(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : "UNKNOWN";
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof Deno.errors.NotFound) return "no such file";
  if (thrown instanceof Deno.errors.PermissionDenied) return "permission denied";
  return thrown instanceof Error ? thrown.message : String(thrown);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
