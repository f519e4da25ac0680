/**
 * Files of a mount namespace that stand in the place of the machine's. A mount on a file goes when somebody outside
 * puts another file there, as programs do that rewrite resolv.conf: so it is looked after.
 *
 * @module
 * @see mount_namespaces(7), "restrictions on mount namespaces"; rename(2)
 */
import { openSync } from "node:fs";
import type { Mounts } from "../this_machine.ts";

/** It is in every root. Hidden while the place is made; nobody else is in the namespace then. */
const FOLDER = "/dev";

/** Files that nobody finds but where they are put. */
export class Covers {
  readonly #mounts: Mounts;
  /** The folder they are in; it is below the one that everybody sees. */
  readonly #place: string;

  /** @throws OsError `mount-failed` */
  constructor(mounts: Mounts) {
    this.#mounts = mounts;
    const seen = openSync(FOLDER, "r");
    mounts.tmpfs(FOLDER);
    this.#place = `/proc/self/fd/${openSync(FOLDER, "r")}`;
    // What was seen there comes back on top: with ours, that lay on it, and goes from there.
    mounts.bind(`/proc/self/fd/${seen}/.`, FOLDER, { recursive: true });
    mounts.remove(FOLDER);
  }

  /** Writes one of the files, wherever it is put. */
  write(name: string, text: string): void {
    Deno.writeTextFileSync(`${this.#place}/${name}`, text);
  }

  /**
   * Puts one of the files in the place of the machine's. One of ours that is there, or has come back with the file that
   * it was put on, makes room first.
   *
   * @param before Called when the machine's own file can be seen.
   * @throws OsError `mount-failed`
   */
  put(
    name: string,
    target: string,
    { readOnly = false, before = () => {} }: {
      readonly readOnly?: boolean;
      readonly before?: () => void;
    } = {},
  ): void {
    while (this.#isOurs(target)) this.#mounts.remove(target);
    before();
    this.#mounts.bind(`${this.#place}/${name}`, target, { readOnly });
  }

  /** Whether one of the files is what is found at a place. */
  isAt(name: string, target: string): boolean {
    const own = Deno.statSync(`${this.#place}/${name}`);
    return this.#isOurs(target) && Deno.statSync(target).ino === own.ino;
  }

  /** Takes one of the files away; where it is put it stays. */
  drop(name: string): void {
    Deno.removeSync(`${this.#place}/${name}`);
  }

  #isOurs(target: string): boolean {
    return statOrNull(target)?.dev === Deno.statSync(this.#place).dev;
  }
}

function statOrNull(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch {
    return null;
  }
}
