import { closeSync, constants, openSync, readSync } from "node:fs";
import { pause } from "../../wait.ts";

const MAX_LINE_BYTES = 1024;
/** How often the terminal is asked while a question waits: a person does not notice it. */
const LOOK_MS = 50;
const [BACKSPACE, DELETE, KILL_LINE, END_OF_FILE] = ["\b", "\x7f", "\x15", "\x04"];

/** Lines that a person types at the terminal, wherever standard input leads. */
export class TerminalLines {
  #typed = "";
  #isHidden = false;

  /**
   * The next line; the terminal is read only while somebody waits, so that what is typed later is for the program that
   * reads there then.
   *
   * @returns The line; empty at the end of input.
   * @throws The signal's reason when it is aborted.
   */
  async next(signal: AbortSignal): Promise<string> {
    const terminal = openSync("/dev/tty", constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const buffer = new Uint8Array(MAX_LINE_BYTES);
      const decoder = new TextDecoder();
      for (;;) {
        signal.throwIfAborted();
        const count = readThere(terminal, buffer);
        if (count === 0) return "";
        const text = decoder.decode(buffer.subarray(0, count ?? 0), { stream: true });
        const line = this.#isHidden ? this.#edit(text) : text.split("\n", 1)[0] ?? "";
        if (count === null) await pause(LOOK_MS, signal);
        else if (line !== null) return line;
      }
    } finally {
      closeSync(terminal);
    }
  }

  /** Shows nothing of what is typed, until the result is disposed of. What was typed so far is for nobody. */
  hide(): Disposable {
    const terminal = Deno.openSync("/dev/tty", { read: true });
    terminal.setRaw(true, { cbreak: true });
    this.#isHidden = true;
    this.#typed = "";
    return {
      [Symbol.dispose]: () => {
        terminal.setRaw(false);
        terminal.close();
        this.#isHidden = false;
        this.#typed = "";
      },
    };
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

/** Reads what is there. @returns How many bytes, 0 at the end of input, `null` if nothing is there yet. */
function readThere(terminal: number, buffer: Uint8Array): number | null {
  try {
    return readSync(terminal, buffer);
  } catch (thrown) {
    if (thrown instanceof Error && Reflect.get(thrown, "code") === "EAGAIN") return null;
    throw thrown;
  }
}
