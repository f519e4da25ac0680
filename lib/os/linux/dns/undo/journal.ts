/**
 * What has to be undone after a crash, on disk before it is done. One file, owned by one process at a time.
 *
 * @module
 */
import { z } from "zod";
import { OsError } from "../../../../error.ts";
import { journalFiles } from "../../../journal_files.ts";
import { readRootsOwn } from "../../roots_own.ts";
import type { Disk } from "./disk.ts";
import { errnoOf } from "../../errno.ts";

const OriginalSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("file"),
    content: z.base64(),
    mode: z.int(),
    uid: z.int(),
    gid: z.int(),
    /** A mount point: rewritten in place, both ways. */
    inPlace: z.boolean(),
  }),
  z.object({ kind: z.literal("symlink"), target: z.string() }),
  z.object({ kind: z.literal("missing") }),
]);

/** What lay at /etc/resolv.conf before us. */
export type Original = z.infer<typeof OriginalSchema>;

const EntrySchema = z.discriminatedUnion("backend", [
  z.object({
    v: z.literal(1),
    backend: z.literal("direct"),
    path: z.string(),
    original: OriginalSchema,
    /** Our texts of late, the newest last: what we recognise our file by. */
    ours: z.array(z.base64()),
  }),
  z.object({ v: z.literal(1), backend: z.literal("nm-dnsmasq"), path: z.string() }),
  z.object({
    v: z.literal(1),
    backend: z.enum(["openresolv", "debian-resolvconf"]),
    program: z.string(),
    record: z.string(),
  }),
]);

/** One thing that outlives the process. */
export type Entry = z.infer<typeof EntrySchema>;
export type DirectEntry = Extract<Entry, { backend: "direct" }>;

const JOURNAL_MODE = 0o600;
/** A resolv.conf and our own last texts. */
const MAX_ENTRY_BYTES = 1024 * 1024;

/** The journal of one directory; nothing is made there before {@link Journal.own}. */
export class Journal implements Disposable {
  readonly path: string;
  readonly lockPath: string;
  readonly #directory: string;
  readonly #disk: Disk;
  #lock: Deno.FsFile | null = null;

  readonly #onOpened: () => void;

  /** @param onOpened Called before a lock file is locked: where a test lets others come in between. */
  constructor(directory: string, disk: Disk, onOpened: () => void = () => {}) {
    const { entry, lock } = journalFiles(directory);
    this.path = entry;
    this.lockPath = lock;
    this.#onOpened = onOpened;
    this.#directory = directory;
    this.#disk = disk;
  }

  /**
   * Becomes the owner, until released; the kernel ends it with the process. Makes the directory.
   *
   * @returns `false` when a living process is the owner.
   * @throws OsError `dns-journal-unwritable`
   */
  async own(): Promise<boolean> {
    if (this.#lock !== null) return true;
    for (;;) {
      const lock = await this.#open();
      this.#onOpened();
      if (!await lock.tryLock(true)) {
        lock.close();
        return false;
      }
      // A purge removes the file: locked, but no longer what the next one opens.
      if (await isAt(lock, this.lockPath)) {
        this.#lock = lock;
        return true;
      }
      lock.close();
    }
  }

  /** Reads the entry. @returns `null` when there is none, `"unreadable"` when it is not ours to understand. */
  // deno-lint-ignore require-await
  async read(): Promise<Entry | "unreadable" | null> {
    try {
      const bytes = readRootsOwn(this.path, MAX_ENTRY_BYTES);
      if (bytes === null) return null;
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
      return EntrySchema.safeParse(value).data ?? "unreadable";
    } catch {
      return "unreadable";
    }
  }

  /** Puts the entry on the disk; it is there when this returns. */
  async write(entry: Entry): Promise<void> {
    const bytes = new TextEncoder().encode(JSON.stringify(entry));
    const owner = { mode: JOURNAL_MODE, uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
    await this.#disk.replace(this.path, bytes, owner);
  }

  /** Forgets the entry: what it stood for is undone. */
  async drop(): Promise<void> {
    await this.#disk.sweep(this.path);
    await this.#disk.remove(this.path);
  }

  /** Keeps an entry nobody understands out of the way, for a person to look at. @returns Where it is. */
  async setAside(): Promise<string> {
    const aside = `${this.path}.bad`;
    await Deno.rename(this.path, aside);
    return aside;
  }

  /** Gives ownership up; the lock file stays. */
  [Symbol.dispose](): void {
    this.#lock?.close();
    this.#lock = null;
  }

  async #open(): Promise<Deno.FsFile> {
    try {
      await Deno.mkdir(this.#directory, { recursive: true, mode: 0o700 });
      return await Deno.open(this.lockPath, {
        read: true,
        write: true,
        create: true,
        mode: JOURNAL_MODE,
      });
    } catch (cause) {
      throw new OsError(
        "dns-journal-unwritable",
        `Cannot keep a journal in "${this.#directory}": ${errnoOf(cause)}`,
        {
          call: "open",
          errno: errnoOf(cause),
          hint: "Run as root, or choose a directory that can be written",
          cause,
        },
      );
    }
  }
}

async function isAt(file: Deno.FsFile, path: string): Promise<boolean> {
  try {
    const [own, there] = [await file.stat(), await Deno.stat(path)];
    return own.ino === there.ino && own.dev === there.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
