/**
 * Changes to files that survive being cut off: whoever reads sees the old bytes or the new ones, and what was
 * said to be written is on the disk.
 *
 * @module
 * @see rename(2), fsync(2)
 */
import { basename, dirname } from "node:path/posix";
import { errnoOf } from "../../errno.ts";

/** Permission bits and owners of a file. */
export interface Owner {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Called before every act on the disk, with its name; a test ends the process there. */
export type StepHook = (step: string) => void;

/** Writes, links and removes, each durable when it returns. */
export class Disk {
  readonly #step: StepHook;

  constructor(step: StepHook = () => {}) {
    this.#step = step;
  }

  /** Puts a new file in the place of whatever has this name, by renaming. */
  async replace(path: string, bytes: Uint8Array, owner: Owner): Promise<void> {
    const temporary = temporaryOf(path);
    await this.#unlink(temporary);
    this.#step(`create ${temporary}`);
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    this.#step(`write ${temporary}`);
    await writeAll(file, bytes);
    this.#step(`chown ${temporary}`);
    await Deno.chown(temporary, owner.uid, owner.gid);
    this.#step(`chmod ${temporary}`);
    await Deno.chmod(temporary, owner.mode);
    this.#step(`sync ${temporary}`);
    await file.sync();
    await this.#rename(temporary, path);
  }

  /**
   * Writes over a file without ever making it empty or shorter than what is to be read: padded with newlines to
   * the old size first, cut afterwards. For bind-mounted files, which rename(2) cannot replace.
   */
  async rewrite(path: string, bytes: Uint8Array): Promise<void> {
    using file = await Deno.open(path, { read: true, write: true });
    const { size } = await file.stat();
    const padded = new Uint8Array(Math.max(size, bytes.length)).fill(0x0a);
    padded.set(bytes);
    this.#step(`write ${path}`);
    await writeAll(file, padded);
    this.#step(`truncate ${path}`);
    await file.truncate(bytes.length);
    this.#step(`sync ${path}`);
    await file.sync();
    this.#step(`written ${path}`);
  }

  /** Puts a symbolic link in the place of whatever has this name. */
  async link(path: string, target: string): Promise<void> {
    const temporary = temporaryOf(path);
    await this.#unlink(temporary);
    this.#step(`symlink ${temporary}`);
    await Deno.symlink(target, temporary);
    await this.#rename(temporary, path);
  }

  /** Removes a file; its not being there is fine. */
  async remove(path: string): Promise<void> {
    this.#step(`remove ${path}`);
    await this.#unlink(path);
    this.#step(`sync ${dirname(path)}`);
    await syncDirectory(dirname(path));
    this.#step(`removed ${path}`);
  }

  /**
   * Finds out whether a file could be replaced, by really making one beside it: mode bits alone say "writable"
   * of a read-only mount.
   *
   * @returns `null` when it could, else why not, as an errno name.
   */
  async probe(path: string): Promise<string | null> {
    const probe = probeOf(path);
    try {
      this.#step(`probe ${probe}`);
      await Deno.writeFile(probe, new Uint8Array(0), { mode: 0o600 });
      this.#step(`remove ${probe}`);
      await this.#unlink(probe);
      return null;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** Removes what acts that were cut off left beside a file. */
  async sweep(path: string): Promise<void> {
    await this.#unlink(temporaryOf(path));
    await this.#unlink(probeOf(path));
  }

  async #unlink(path: string): Promise<void> {
    try {
      await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #rename(from: string, to: string): Promise<void> {
    this.#step(`rename ${to}`);
    try {
      await Deno.rename(from, to);
    } catch (error) {
      await this.#unlink(from);
      throw error;
    }
    this.#step(`sync ${dirname(to)}`);
    await syncDirectory(dirname(to));
    this.#step(`renamed ${to}`);
  }
}

/** Fixed names, so that a repair finds them. */
function temporaryOf(path: string): string {
  return `${dirname(path)}/.${basename(path)}.vnet-tmp`;
}

function probeOf(path: string): string {
  return `${dirname(path)}/.${basename(path)}.vnet-probe`;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await file.write(bytes.subarray(sent));
}

async function syncDirectory(path: string): Promise<void> {
  using directory = await Deno.open(path, { read: true });
  await directory.sync();
}
