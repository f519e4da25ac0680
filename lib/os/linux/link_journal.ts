/**
 * Which prefixes lead into the links of running vnets, on disk, so that whoever finds one killed can end the
 * connections that lead nowhere. A record belongs to a living process as long as that has it locked.
 *
 * @module
 */
import { z } from "zod";
import { OsError } from "../../error.ts";
import { formatPrefix, isPrivatePrefix, overlaps, parsePrefix, type Prefix } from "../../ip/mod.ts";
import type { LinkRecord as OwnRecord } from "../root_machine.ts";

const RecordSchema = z.object({
  v: z.literal(1),
  /** Connections end with the kernel that has them. */
  boot: z.string(),
  ifindex: z.int(),
  prefixes: z.array(z.union([z.cidrv4(), z.cidrv6()])).max(128),
});

const RECORD = /^link-[0-9]+\.json$/;
const MAX_RECORD_BYTES = 8 * 1024;
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const TRIES = 8;
/** 0.0.0.0/0 is no network, nor are its two halves. */
const DEFAULT_LENGTH = 1;

/** One process's record. */
export class LinkRecord implements OwnRecord {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #boot: string;

  private constructor(path: string, file: Deno.FsFile, boot: string) {
    this.#path = path;
    this.#file = file;
    this.#boot = boot;
  }

  /**
   * Makes this process's record in a directory that only root may write.
   *
   * @throws {OsError} `dns-journal-unwritable`.
   */
  static open(directory: string): LinkRecord {
    const path = `${directory}/link-${Deno.pid}.json`;
    try {
      Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
      for (let tried = 0; tried < TRIES; tried++) {
        const file = openRecord(path, { create: true });
        file.lockSync(true);
        // A repair may have removed it before it was locked.
        if (isAt(file, path)) return new LinkRecord(path, file, bootId());
        file.close();
      }
    } catch (cause) {
      throw unwritable(path, cause);
    }
    throw unwritable(path, new Error("it keeps being removed"));
  }

  /** Puts down what leads into the link; it is on the disk when this returns. */
  write(ifindex: number, prefixes: readonly Prefix[]): void {
    const record = { v: 1, boot: this.#boot, ifindex, prefixes: prefixes.map(formatPrefix) };
    const bytes = new TextEncoder().encode(`${JSON.stringify(record)}\n`);
    try {
      this.#file.seekSync(0, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
      this.#file.truncateSync(bytes.length);
      this.#file.syncSync();
    } catch (cause) {
      throw unwritable(this.#path, cause);
    }
  }

  /** Removes it: nothing leads into the link any more. */
  [Symbol.dispose](): void {
    removeIfThere(this.#path);
    this.#file.close();
  }
}

/** What there is to know before connections may be ended. */
interface LinkRepair {
  /** Routes and addresses of this machine, each with its link: there connections are somebody's. */
  readonly taken: readonly { readonly ifindex: number; readonly prefix: Prefix }[];
  /** Ends every connection to a prefix. @returns How many. */
  readonly destroy: (prefix: Prefix) => number;
}

/**
 * Ends the connections of killed vnets and forgets their records. What a living vnet or another network has stays.
 *
 * @returns What was done, line by line.
 */
export function repairLinks(directory: string, { taken, destroy }: LinkRepair): string[] {
  const dead: (Content & { path: string; file: Deno.FsFile })[] = [];
  const living: Prefix[] = [];
  const lines: string[] = [];
  try {
    for (const path of recordsIn(directory)) {
      const file = tryOpen(path);
      if (file === null) continue;
      const isDead = tryLock(file);
      const content = readRecord(file);
      if (isDead) dead.push({ path, file, ...content });
      else {
        living.push(...content.prefixes);
        file.close();
      }
    }
    for (const { path, ifindex, prefixes } of dead) {
      const others = taken.filter((other) =>
        other.ifindex !== ifindex && other.prefix.length > DEFAULT_LENGTH
      );
      const kept = [...living, ...others.map(({ prefix }) => prefix)];
      for (const prefix of prefixes) {
        if (kept.some((other) => overlaps(other, prefix))) continue;
        const count = destroy(prefix);
        const what = count === 1 ? "connection" : "connections";
        if (count > 0) lines.push(`ended ${count} ${what} to ${formatPrefix(prefix)}`);
      }
      removeIfThere(path);
    }
    return lines;
  } finally {
    for (const { file } of dead) file.close();
  }
}

function recordsIn(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)]
      .filter(({ name, isFile }) => isFile && RECORD.test(name))
      .map(({ name }) => `${directory}/${name}`)
      .sort();
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return [];
    throw thrown;
  }
}

function openRecord(path: string, { create }: { readonly create: boolean }): Deno.FsFile {
  return Deno.openSync(path, { read: true, write: true, create, mode: 0o600 });
}

function tryOpen(path: string): Deno.FsFile | null {
  try {
    return openRecord(path, { create: false });
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null; // Its process ended meanwhile.
    throw thrown;
  }
}

function tryLock(file: Deno.FsFile): boolean {
  return file.tryLockSync(true);
}

interface Content {
  readonly ifindex: number;
  readonly prefixes: readonly Prefix[];
}

/** @returns No prefixes for what was cut off while it was written: nothing led into that link yet. */
function readRecord(file: Deno.FsFile): Content {
  const bytes = new Uint8Array(MAX_RECORD_BYTES);
  const size = file.readSync(bytes) ?? 0;
  const [line = ""] = new TextDecoder().decode(bytes.subarray(0, size)).split("\n");
  try {
    const { boot, ifindex, prefixes } = RecordSchema.parse(JSON.parse(line));
    const led = boot === bootId() ? prefixes.map(parsePrefix) : [];
    // No vnet leads other prefixes into its link; connections to them are somebody else's.
    return { ifindex, prefixes: led.filter(isPrivatePrefix) };
  } catch {
    return { ifindex: 0, prefixes: [] };
  }
}

function isAt(file: Deno.FsFile, path: string): boolean {
  try {
    const [own, there] = [file.statSync(), Deno.statSync(path)];
    return own.ino === there.ino && own.dev === there.dev;
  } catch {
    return false;
  }
}

function bootId(): string {
  return Deno.readTextFileSync(BOOT_ID).trim();
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

function unwritable(path: string, cause: unknown): OsError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new OsError("dns-journal-unwritable", `Cannot keep a journal in "${path}": ${why}`, {
    call: "open",
    errno: "EIO",
    hint: "Run as root, and check free space and the mode of the folder",
    cause,
  });
}
