/** A terminal of a host with a command on it, and somebody who looks before they type. */
import type { Host, RunOptions } from "../host/host.ts";
import type { LabProcess } from "../host/process.ts";
import { until } from "../host/wait.ts";

const SHOWN_MS = 30_000;

export class Keyboard {
  readonly #host: Host;
  readonly #keys: string;
  readonly #shown: string;
  readonly #process: LabProcess;
  /** What was seen already. */
  #seen = 0;

  private constructor(host: Host, keys: string, shown: string, process: LabProcess) {
    this.#host = host;
    this.#keys = keys;
    this.#shown = shown;
    this.#process = process;
  }

  /** @param directory A new one, which all hosts share; @param line What a shell runs on the terminal. */
  static async open(
    host: Host,
    directory: string,
    line: string,
    options: Pick<RunOptions, "user" | "env">,
  ): Promise<Keyboard> {
    const [keys, shown] = [`${directory}/keys`, `${directory}/shown`];
    await host.script(`mkdir -m 777 ${directory}\nmkfifo -m 666 ${keys}`);
    await Deno.writeTextFile(shown, "");
    await Deno.chmod(shown, 0o666);
    const script =
      `exec 3<>${keys}; exec script --quiet --return --flush --log-out ${shown} --command "$1" <&3`;
    const process = host.spawn(
      ["bash", "-c", script, "bash", `stty cols 100 rows 40; exec ${line}`],
      options,
    );
    return new Keyboard(host, keys, shown, process);
  }

  /** Waits for a text that was not seen yet. */
  async sees(pattern: RegExp): Promise<void> {
    await until(`the terminal shows ${pattern}`, SHOWN_MS, async () => {
      const found = pattern.exec((await Deno.readTextFile(this.#shown)).slice(this.#seen));
      if (found === null) return false;
      this.#seen += found.index + found[0].length;
      return true;
    });
  }

  /** Types; control keys as C escapes them. */
  async type(keys: string): Promise<void> {
    await this.#host.run(["bash", "-c", 'printf %b "$1" >"$2"', "bash", keys, this.#keys]);
  }

  /** Waits until the command has ended. @returns Its status. */
  async status(): Promise<number> {
    return (await this.#process.status).code;
  }
}
