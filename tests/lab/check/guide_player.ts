/**
 * A reader who types the pages: every block that is marked to be run, where its mark says, and holds what is printed
 * against the page. What a page can only show an example of (a pin, an id, a token) the reader takes from what was
 * printed before.
 *
 * @module
 */
import { match } from "node:assert/strict";
import { type Answer, type Command, commandsOf, type MarkedBlock } from "../../docs/marks.ts";
import { differenceOf } from "../../docs/output.ts";
import type { Host } from "../host/host.ts";
import type { LabProcess } from "../host/process.ts";
import { here } from "../host/paths.ts";
import { say, shellText } from "../host/say.ts";

/** Somebody at a shell. */
export interface Place {
  readonly host: Host;
  /** Default root. */
  readonly user?: string;
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Tells that a command that goes on running is ready. */
export type Ready = (command: string, process: LabProcess, log: string) => Promise<void>;

const COMMAND_DEADLINE_MS = 60_000;
/** What a shell keeps from one command to the next. */
const KEPT = /^(export|cd) /;

export class GuidePlayer {
  readonly #places: Readonly<Record<string, Place>>;
  readonly #logOf: (name: string) => string;
  readonly #ready: Ready;
  readonly #deadlineMs: number;
  readonly #kept = new Map<string, string[]>();
  readonly #learnt = new Map<string, string>();
  #played = 0;

  constructor(
    places: Readonly<Record<string, Place>>,
    logOf: (name: string) => string,
    ready: Ready,
    deadlineMs = COMMAND_DEADLINE_MS,
  ) {
    this.#deadlineMs = deadlineMs;
    this.#places = places;
    this.#logOf = logOf;
    this.#ready = ready;
  }

  /** How many blocks were run or written. */
  get played(): number {
    return this.#played;
  }

  /** Does what a block says; throws where the page is wrong. */
  async play(block: MarkedBlock): Promise<void> {
    const { mark } = block;
    if (mark === null || mark.kind === "not run") return;
    const place = this.#places[mark.place];
    if (place === undefined) throw new Error(`Nobody is at "${mark.place}"`);
    this.#played++;
    if (mark.kind === "file") return await this.#write(place, mark.path, block.text);
    for (const command of commandsOf(block)) {
      const text = this.#filledIn(command.text);
      const where = `${block.page}:${command.line}: ${command.text}`;
      if (KEPT.test(text)) {
        this.#kept.set(mark.place, [...this.#kept.get(mark.place) ?? [], text]);
      } else if (mark.stays) await this.#start(mark.place, place, text);
      else {
        const printed = await this.#type(mark.place, place, text, mark.types, mark.status, where);
        say(printed.trimEnd());
        this.#learn(command, printed);
        const difference = command.output === null ? null : differenceOf(command.output, printed);
        if (difference !== null) throw new Error(`${where}: ${difference}`);
      }
    }
  }

  async #write(place: Place, path: string, text: string): Promise<void> {
    say(`${place.host.name}# cat > ${path}`);
    await place.host.run(["sh", "-euc", 'mkdir -p "$(dirname "$1")"; cat > "$1"', "sh", path], {
      stdin: `${this.#filledIn(text)}\n`,
      quiet: true,
    });
  }

  async #start(name: string, place: Place, text: string): Promise<void> {
    const log = this.#logOf(`guide-${name}`);
    const process = place.host.spawn(["sh", "-euc", this.#script(name, place, `exec ${text}`)], {
      log,
      env: place.env ?? {},
    });
    await this.#ready(text, process, log);
  }

  async #type(
    name: string,
    place: Place,
    text: string,
    types: Answer | null,
    status: number,
    where: string,
  ): Promise<string> {
    const options = {
      ...(place.user === undefined ? {} : { user: place.user }),
      env: place.env ?? {},
      timeoutMs: this.#deadlineMs,
      expect: "any",
      quiet: true,
    } as const;
    say(`${place.user ?? "root"}@${place.host.name}$ ${text}`);
    const script = this.#script(name, place, text);
    const { code, stdout } = types === "password"
      ? await this.#typeOnTerminal(place, script, options)
      : await place.host.run(["sh", "-euc", `exec 2>&1\n${script}`], {
        ...options,
        stdin: types === null ? "" : `${this.#value(types)}\n`,
      });
    if (code !== status) throw new Error(`${where}: ended with ${code}, not ${status}:\n${stdout}`);
    return stdout;
  }

  async #typeOnTerminal(place: Place, script: string, options: Parameters<Host["run"]>[1]) {
    const answers = [
      { on: "Password of", type: this.#value("password") },
      { on: "Code of your authenticator", type: "" },
    ];
    // Who types may not be able to run the Deno of the tests: root has the terminal, and steps down inside.
    const { user, ...others } = options ?? {};
    const identity = user === undefined
      ? []
      : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups"];
    const command = shellText([...identity, "sh", "-euc", script]);
    return await place.host.run(["deno", "run", "-A", here("tools/terminal.ts")], {
      ...others,
      stdin: JSON.stringify({ command, answers }),
    });
  }

  #script(name: string, place: Place, text: string): string {
    return [`cd '${place.directory}'`, ...this.#kept.get(name) ?? [], text].join("\n");
  }

  /** Notes what a reader would: the first of each. */
  #learn({ text }: Command, printed: string): void {
    const note = (what: string, pattern: RegExp) => {
      const value = pattern.exec(printed)?.[1];
      if (value !== undefined && !this.#learnt.has(what)) this.#learnt.set(what, value);
    };
    if (text.includes("ctl status")) note("pin", /(sha256:[0-9a-f]{64})/);
    if (text.includes("tokens add")) note("token", /^(\S{20,})$/m);
    if (text.includes("users add alice")) note("password", /^(\S{12,})$/m);
    if (text.includes("agents ls")) note("agent", /^(\S+) +rack-7 /m);
    if (text.includes("ctl lock")) note("lock", /lock\/(\S+)/);
  }

  /** A page's text with what the reader knows better. */
  #filledIn(text: string): string {
    return text
      .replaceAll(/sha256:(…|(0123456789abcdef){4})/g, () => this.#value("pin"))
      .replaceAll(/(?<=\bagent )ID\b/g, () => this.#value("agent"))
      .replaceAll(/(?<=\block\/)NAME\b/g, () => this.#value("lock"));
  }

  #value(what: string): string {
    const value = this.#learnt.get(what);
    match(value ?? "", /./, `Nothing printed has told the ${what} before it is needed`);
    return value!;
  }
}
