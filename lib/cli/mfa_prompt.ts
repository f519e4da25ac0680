/**
 * Asks the person at the terminal for the second factor that a connection waits for.
 *
 * @module
 */
import type { MfaDesk } from "../client/local/mod.ts";
import { VnetError } from "../error.ts";
import { printable } from "../printable.ts";
import { pause } from "../wait.ts";
import type { Context } from "./context.ts";
import { readTotpCode } from "./totp.ts";

const RETRY_MS = 5_000;
/** As long as a timer can be. */
const FOREVER_MS = 2 ** 31 - 1;
const MAX_LINE_BYTES = 256;

/** A question as whoever asks it shows it. */
interface Question {
  readonly id: string;
  readonly app: string;
  readonly cluster: string;
  readonly port: number;
}

/** Where questions wait: the daemon's, or this process's own. */
export interface QuestionSource {
  /** @param seen Answers when the revision is another one, or after a while; at once for `null`. */
  news(seen: number | null, signal: AbortSignal): Promise<{
    readonly revision: number;
    readonly waiting: readonly Question[];
  }>;
  /** @throws VnetError `mfa-failed` and the like */
  approve(code: string, id: string): Promise<unknown>;
  decline(id: string): Promise<unknown>;
}

/** The questions that wait in this very process. */
export function questionsOf(desk: MfaDesk): QuestionSource {
  return {
    async news(seen, ending) {
      if (desk.isClosed) await pause(FOREVER_MS, ending);
      else if (seen !== null) await desk.changed(seen, ending);
      return { revision: desk.revision, waiting: desk.list() };
    },
    approve: (code, id) => desk.approve(code, id),
    decline: (id) => Promise.resolve(desk.decline(id)),
  };
}

/** Asks for every question that comes, one after the other, until the signal fires. Silent without a terminal. */
export async function answerAtTerminal(
  context: Context,
  source: QuestionSource,
  signal: AbortSignal,
): Promise<void> {
  const { processes } = await context.machine();
  const terminal = new TerminalLines();
  let seen: number | null = null;
  const told = new Set<string>();
  while (!signal.aborted) {
    try {
      const { revision, waiting } = await source.news(seen, signal);
      seen = revision;
      const [first] = waiting;
      if (first === undefined || !await processes.holdsTerminal()) continue;
      if (!told.has(first.id)) say(context, questionText(first));
      told.add(first.id);
      if (await answer(context, source, terminal, first, signal)) continue;
      seen = null;
    } catch {
      // Whoever is asked may be gone for a moment; ending is another's to notice.
      await pause(RETRY_MS, signal);
      seen = null;
    }
  }
}

/** @returns Whether there is nothing to ask again. */
async function answer(
  context: Context,
  source: QuestionSource,
  terminal: TerminalLines,
  question: Question,
  signal: AbortSignal,
): Promise<boolean> {
  const line = await untilGone(source, question, terminal.next(), signal);
  if (line === null) {
    say(context, `${question.app}: answered elsewhere, or given up`);
    return true;
  }
  const code = readTotpCode(line);
  if (line.trim() === "") {
    await source.decline(question.id);
    say(context, `${question.app}: declined`);
    return true;
  }
  if (code === null) {
    say(context, "A code has 6 to 8 digits; an empty line declines:");
    return false;
  }
  try {
    await source.approve(code, question.id);
    say(context, `${question.app}: approved`);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof VnetError)) throw thrown;
    say(context, `${thrown.message} [${thrown.code}]`);
    return false;
  }
}

/** A question must be seen, whatever is quiet; names and refusals are the cluster's words. */
function say(context: Context, text: string): void {
  context.stderr(`${printable(text)}\n`);
}

function questionText({ app, cluster, port }: Question): string {
  return `Code of your authenticator for "${app}" of ${cluster}, port ${port}? ` +
    "An empty line declines:";
}

/** @returns The line, or `null` once the question is no more. */
async function untilGone(
  source: QuestionSource,
  { id }: Question,
  line: Promise<string>,
  signal: AbortSignal,
): Promise<string | null> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const gone = (async () => {
    let seen: number | null = null;
    while (!both.aborted) {
      const { revision, waiting } = await source.news(seen, both);
      if (!waiting.some((question) => question.id === id)) return null;
      seen = revision;
    }
    return null;
  })();
  gone.catch(() => {}); // told by the race, if it matters
  try {
    return await Promise.race([line, gone]);
  } finally {
    over.abort();
  }
}

/** Lines that a person types at the terminal, wherever standard input leads. */
class TerminalLines {
  #file: Deno.FsFile | null = null;
  #reading: Promise<string> | null = null;

  /** The next line. One that nobody waited for to the end is whoever's who asks next. */
  next(): Promise<string> {
    this.#reading ??= this.#read().finally(() => this.#reading = null);
    return this.#reading;
  }

  async #read(): Promise<string> {
    this.#file ??= await Deno.open("/dev/tty", { read: true });
    const buffer = new Uint8Array(MAX_LINE_BYTES);
    const count = await this.#file.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0)).split("\n", 1)[0] ?? "";
  }
}
