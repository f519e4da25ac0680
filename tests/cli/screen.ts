/** A program at a terminal of its own: what is on the screen, and a keyboard. */
export class Screen implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #keyboard: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  text = "";
  /** All that it ever showed. */
  all = "";

  constructor(command: readonly string[]) {
    this.#process = new Deno.Command("script", {
      args: ["-qec", command.join(" "), "/dev/null"],
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keyboard = this.#process.stdin.getWriter();
    this.#reader = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  async type(text: string): Promise<void> {
    await this.#keyboard.write(new TextEncoder().encode(text));
  }

  /** Waits until it shows something, from the last thing that was waited for on. */
  async sees(what: RegExp): Promise<void> {
    for (;;) {
      const found = what.exec(this.text);
      if (found !== null) {
        this.text = this.text.slice(found.index + found[0].length);
        return;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`The screen shows no ${what}: ${this.text}`);
      this.text += value;
      this.all += value;
    }
  }

  /** Ends the program by Ctrl-C. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.type("\x03");
    while (!(await this.#reader.read()).done);
    await this.#keyboard.close().catch(() => {});
    await this.#process.status;
  }
}
