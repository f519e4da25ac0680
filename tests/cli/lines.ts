/** Reads what a program says, line by line. */
export class TextLineStream {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Reads on to a line that looks so. @throws when the program ends before. */
  async until(wanted: RegExp): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end !== -1) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        if (wanted.test(line)) return line;
        continue;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`It ended without a line like ${wanted}`);
      this.#rest += value;
    }
  }

  async close(): Promise<void> {
    await this.#reader.cancel();
  }
}
