const MAX_LINE_BYTES = 1024;
const [BACKSPACE, DELETE, KILL_LINE, END_OF_FILE] = ["\b", "\x7f", "\x15", "\x04"];

/** Lines that a person types at the terminal, wherever standard input leads. */
export class TerminalLines {
  #file: Deno.FsFile | null = null;
  #reading: Promise<string> | null = null;
  #typed = "";
  #isHidden = false;

  /** The next line. One that nobody waited for to the end is whoever's who asks next. */
  next(): Promise<string> {
    this.#reading ??= this.#read().finally(() => this.#reading = null);
    return this.#reading;
  }

  /** Shows nothing of what is typed, until the result is disposed of. What was typed so far is for nobody. */
  hide(): Disposable {
    const file = this.#open();
    file.setRaw(true, { cbreak: true });
    this.#isHidden = true;
    this.#typed = "";
    return {
      [Symbol.dispose]: () => {
        file.setRaw(false);
        this.#isHidden = false;
        this.#typed = "";
      },
    };
  }

  #open(): Deno.FsFile {
    return this.#file ??= Deno.openSync("/dev/tty", { read: true });
  }

  async #read(): Promise<string> {
    const file = this.#open();
    const buffer = new Uint8Array(MAX_LINE_BYTES);
    for (;;) {
      const count = await file.read(buffer);
      const text = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
      const line = this.#isHidden ? this.#edit(text) : text.split("\n", 1)[0] ?? "";
      if (count === null) return "";
      if (line !== null) return line;
    }
  }

  /** What the terminal itself does while it shows what is typed. @returns The line, or `null` until it is whole. */
  #edit(text: string): string | null {
    for (const sign of text) {
      if (sign === "\r" || sign === "\n" || sign === END_OF_FILE) {
        const line = this.#typed;
        this.#typed = "";
        return line;
      }
      if (sign === BACKSPACE || sign === DELETE) this.#typed = this.#typed.slice(0, -1);
      else if (sign === KILL_LINE) this.#typed = "";
      else if (this.#typed.length < MAX_LINE_BYTES) this.#typed += sign;
    }
    return null;
  }
}
