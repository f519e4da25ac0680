/**
 * A file of lines that is written for as long as the server runs, while others rotate it.
 *
 * @module
 */

/**
 * Appends lines, and keeps the file open. Before each write it looks whether the path still names that file: one that
 * was renamed or removed is let go, and the path is opened anew.
 */
export class AuditFile {
  readonly #path: string;
  #open: { readonly file: Deno.FsFile; readonly info: Deno.FileInfo } | null = null;
  /** Whether the file may end in the middle of a line. */
  #isTorn = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Rejects when not all of it was written; what was then is a line of its own. One call at a time. */
  async append(lines: string): Promise<void> {
    const file = await this.#current();
    const bytes = new TextEncoder().encode(this.#isTorn ? `\n${lines}` : lines);
    this.#isTorn = true;
    try {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      this.#isTorn = false;
    } catch (thrown) {
      this.close();
      throw thrown;
    }
  }

  close(): void {
    this.#open?.file.close();
    this.#open = null;
  }

  async #current(): Promise<Deno.FsFile> {
    if (this.#open !== null) {
      const named = await Deno.stat(this.#path).catch(() => null);
      const { file, info } = this.#open;
      if (named !== null && named.dev === info.dev && named.ino === info.ino) return file;
      this.close();
    }
    const file = await Deno.open(this.#path, { append: true, create: true, mode: 0o600 });
    const info = await file.stat();
    this.#open = { file, info };
    if (info.size === 0) this.#isTorn = false;
    return file;
  }
}
