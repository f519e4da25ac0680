import { equal, ok } from "node:assert/strict";
import { serveControl } from "../../lib/client/control/server.ts";
import { until, withDaemon } from "../doubles/memory_client.ts";

const PROGRAM = new URL("./answer_daemon.ts", import.meta.url).pathname;

/** A program at a terminal of its own: what is on the screen, and a keyboard. */
class Screen implements AsyncDisposable {
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

Deno.test("the terminal of vnet up asks for the next login where one is over, and shows no password", () =>
  withDaemon({}, async ({ daemon, ask, connectTo, cluster, clock, options }) => {
    await using _control = await serveControl(options.paths.controlSocket, daemon);
    await using screen = new Screen([
      ...[Deno.execPath(), "run", "-A", "--no-check", PROGRAM, options.paths.controlSocket],
    ]);
    const address = await ask("db.memory.test");
    cluster.wantsCode = true;
    clock.nowMs += cluster.lifeMs;
    const held = connectTo(address, 5432);
    await screen.sees(/The login to memory\.test has ended\./);
    await screen.sees(/Password of alice at memory\.test\?.*:/);
    await screen.type("not quite, oops\x15no\x7f\x7fwrong\r");
    await screen.sees(/User name or password is wrong \[login-failed\]/);
    await screen.sees(/Password of alice/);
    await screen.type(`${cluster.password}\r`);
    await screen.sees(/Code of your authenticator\?/);
    await screen.type("12 34\n");
    await screen.sees(/A code has 6 to 8 digits/);
    await screen.type("123456\n");
    await screen.sees(/Logged in to memory\.test; the login ends/);
    equal((await held).kind, "connected");

    // Once more, and answered from another shell.
    clock.nowMs += cluster.lifeMs;
    const again = connectTo(address, 5432);
    await screen.sees(/Password of alice/);
    await daemon.logInAgain({ proxy: "memory.test", password: cluster.password, totp: "123456" });
    await screen.sees(/memory\.test: logged in elsewhere/);
    equal((await again).kind, "connected");

    // And declined.
    clock.nowMs += cluster.lifeMs;
    const refused = connectTo(address, 5432);
    await screen.sees(/Password of alice/);
    await screen.type("\r");
    await screen.sees(/To log in later, run: vnet login memory\.test --user alice/);
    equal((await refused).kind, "refused");
    await until(() => daemon.questions.logins.list().length === 0);
    for (const typed of [cluster.password, "not quite", "nowrong"]) {
      ok(!screen.all.includes(typed), `the screen shows "${typed}"`);
    }
  }));
