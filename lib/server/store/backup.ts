/**
 * Copies of a store: made while a server uses it, looked through before they are relied on, and put back. A copy has
 * the cluster's private keys, so it is its owner's alone from its first byte on.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { dirname, join } from "node:path";
import { OsError, UsageError } from "../../error.ts";
import { ensurePrivateDirectory, randomHex } from "../../io/mod.ts";
import { MIGRATIONS } from "./migrations.ts";
import { STORE_FILE } from "./open.ts";

const ADMIN_SOCKET = "admin.sock";
const BUSY_MS = 10_000;

/** What a copy holds. */
export interface BackupContent {
  readonly cluster: string;
  readonly users: number;
  readonly sizeBytes: number;
}

/**
 * Copies the store of a data directory, as it is at one moment, into a file of mode 0600 that is there whole or not
 * at all. The server may run, or not.
 *
 * @throws {UsageError} `backup-exists` if the file is there and must not be replaced.
 * @throws {OsError} `backup-failed`, `backup-unusable`.
 */
export async function backUpStore(
  dataDir: string,
  file: string,
  options: { readonly replace: boolean },
): Promise<BackupContent> {
  const act = `Cannot write the backup "${file}"`;
  const found = await Deno.lstat(file).catch(() => null);
  if (found !== null && !options.replace) throw exists(act, file);
  if (found !== null && !found.isFile) {
    throw new UsageError("backup-exists", `${act}: it is no file`);
  }
  return await copyStore(join(dataDir, STORE_FILE), { file, act, ...options, owner: null });
}

/**
 * Puts a copy in the place of a data directory's store. Nobody may use the store.
 *
 * @throws {UsageError} `backup-exists` if there is a store that must not be replaced, `backup-foreign`.
 * @throws {OsError} `server-running`, `backup-failed`, `backup-unusable`.
 */
export async function restoreStore(
  dataDir: string,
  file: string,
  options: { readonly cluster: string; readonly replace: boolean },
): Promise<BackupContent> {
  const store = join(dataDir, STORE_FILE);
  const act = `Cannot restore "${file}"`;
  const content = await lookThrough(file, act);
  if (content.cluster !== options.cluster) {
    throw foreign(act, content.cluster, options.cluster);
  }
  await refuseRunning(dataDir, act);
  const isThere = await Deno.lstat(store).then(() => true, () => false);
  if (isThere && !options.replace) throw exists(act, store);
  await ensurePrivateDirectory(dataDir);
  const { uid, gid } = await Deno.stat(dataDir);
  // What is left of the old store would be taken for changes of the new one
  for (const rest of ["-wal", "-shm"]) await Deno.remove(store + rest).catch(() => {});
  const owner = uid === null || gid === null ? null : { uid, gid };
  return await copyStore(file, { file: store, act, replace: options.replace, owner });
}

/** Copies a store that others may be writing to. */
async function copyStore(
  from: string,
  to: {
    readonly file: string;
    readonly act: string;
    readonly replace: boolean;
    readonly owner: { readonly uid: number; readonly gid: number } | null;
  },
): Promise<BackupContent> {
  const temporary = `${to.file}.${randomHex(6)}.tmp`;
  try {
    const made = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    made.close();
    if (to.owner !== null && Deno.uid() === 0) {
      await Deno.chown(temporary, to.owner.uid, to.owner.gid);
    }
    // Looked at first: SQLite would make a file that is missing
    await Deno.stat(from);
    using db = open(from);
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    db.prepare("VACUUM INTO ?").run(temporary);
    const content = await lookThrough(temporary, to.act);
    {
      using file = await Deno.open(temporary, { read: true });
      await file.sync();
    }
    // A link is refused where a file is, and a rename replaces it: whole, both of them
    if (to.replace) await Deno.rename(temporary, to.file);
    else await Deno.link(temporary, to.file);
    using directory = await Deno.open(dirname(to.file), { read: true });
    await directory.sync();
    return content;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.AlreadyExists) throw exists(to.act, to.file);
    throw thrown instanceof OsError || thrown instanceof UsageError
      ? thrown
      : failed("backup-failed", to.act, thrown);
  } finally {
    await Deno.remove(temporary).catch(() => {});
  }
}

/** Reads a store through. @throws {OsError} `backup-unusable` unless it is a whole store that this program knows. */
export async function lookThrough(file: string, act: string): Promise<BackupContent> {
  try {
    const { size } = await Deno.stat(file);
    using db = open(file);
    const number = (sql: string) => Number(Object.values(db.prepare(sql).get() ?? {})[0]);
    const version = number("PRAGMA user_version");
    if (version < 1 || version > MIGRATIONS.length) {
      throw new Error(`its schema has version ${version}, this program knows ${MIGRATIONS.length}`);
    }
    const state = Object.values(db.prepare("PRAGMA quick_check(1)").get() ?? {})[0];
    if (state !== "ok") throw new Error(`it is damaged: ${state}`);
    if (number("SELECT count(*) FROM authorities") === 0) throw new Error("it has no authorities");
    const row = db.prepare("SELECT value FROM settings WHERE key = 'cluster_name'").get();
    return {
      cluster: String(row?.["value"]),
      users: number("SELECT count(*) FROM resources WHERE kind = 'user'"),
      sizeBytes: size,
    };
  } catch (thrown) {
    throw failed("backup-unusable", act, thrown);
  }
}

function open(file: string): DatabaseSync & Disposable {
  const db = new DatabaseSync(file, { readOnly: true });
  return Object.assign(db, { [Symbol.dispose]: () => db.close() });
}

/** @throws {OsError} `server-running` if a server answers in the data directory. */
export async function refuseRunning(dataDir: string, act: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path: join(dataDir, ADMIN_SOCKET) })).close();
  } catch {
    return;
  }
  throw new OsError("server-running", `${act}: the server is running`, {
    call: "connect",
    errno: "EADDRINUSE",
    hint: "Stop it first, and start it after",
  });
}

/** The error of a store that is of another cluster than the server's file names. */
export function foreign(act: string, found: string, wanted: string): UsageError {
  return new UsageError(
    "backup-foreign",
    `${act}: it is of the cluster "${found}", the server's file says "${wanted}"`,
    { hint: "Name that cluster in the server's file, or take the right backup" },
  );
}

function exists(act: string, file: string): UsageError {
  return new UsageError("backup-exists", `${act}: there is a file "${file}"`, {
    hint: "Take another name, or --force to replace it",
  });
}

function failed(code: "backup-failed" | "backup-unusable", act: string, cause: unknown): OsError {
  const errno = cause instanceof Error && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : "EIO";
  const reason = cause instanceof Deno.errors.NotFound
    ? "there is no such file"
    : cause instanceof Deno.errors.PermissionDenied
    ? "permission denied"
    : cause instanceof Error
    ? cause.message
    : String(cause);
  return new OsError(code, `${act}: ${reason}`, { call: "copy", errno, cause });
}
