/**
 * Lines of a program's output, as they come.
 *
 * @module
 */

const KEPT_LINES = 200;

/** Reads a byte stream line by line; keeps the last lines for error messages. */
export class TextLineStream {
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #seen: string[] = [];
  #rest = "";
  #ended = false;
  #pending: Promise<ReadableStreamReadResult<string>> | null = null;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** @returns The next line without its newline, or `null` at the end. */
  async next(): Promise<string | null> {
    while (true) {
      const newline = this.#rest.indexOf("\n");
      if (newline >= 0) return this.#take(newline);
      if (this.#ended) return this.#rest === "" ? null : this.#take(this.#rest.length);
      this.#pending ??= this.#reader.read();
      const { value, done } = await this.#pending;
      this.#pending = null;
      if (done) this.#ended = true;
      else this.#rest += value;
    }
  }

  /** The last lines read, for people. */
  seen(): string {
    return this.#seen.join("\n");
  }

  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => undefined);
  }

  #take(length: number): string {
    const line = this.#rest.slice(0, length);
    this.#rest = this.#rest.slice(length + 1);
    this.#seen.push(line);
    if (this.#seen.length > KEPT_LINES) this.#seen.shift();
    return line;
  }
}
