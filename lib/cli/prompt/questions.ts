/**
 * Asks the person at the terminal what connections wait for: a second factor, or another login.
 *
 * @module
 */
import type { MfaDesk } from "../../client/local/mod.ts";
import { ControlClient, loginCommand } from "../../client/mod.ts";
import { VnetError } from "../../error.ts";
import { printable } from "../../printable.ts";
import { pause, untilAborted } from "../../wait.ts";
import type { Context } from "../context.ts";
import { renderMoment } from "../text/moment.ts";
import { readTotpCode } from "../totp.ts";
import { TerminalLines } from "./terminal_lines.ts";

const RETRY_MS = 5_000;

/** A question as whoever asks it shows it. */
interface Question {
  readonly id: string;
  readonly app: string;
  readonly cluster: string;
  readonly port: number;
}

/** A login that is over, as whoever asks for the next one shows it. */
interface EndedLogin {
  readonly proxy: string;
  readonly cluster: string;
  readonly user: string;
  /** The identity provider it was made with; absent where it was a password. */
  readonly connector?: string | undefined;
}

interface News {
  readonly revision: number;
  readonly waiting: readonly Question[];
  readonly logins: readonly EndedLogin[];
}

/** Where questions wait: the daemon's, or this process's own. */
export interface QuestionSource {
  /** @param seen Answers when the revision is another one, or after a while; at once for `null`. */
  news(seen: number | null, signal: AbortSignal): Promise<News>;
  /** @throws VnetError `mfa-failed` and the like */
  approve(code: string, id: string): Promise<unknown>;
  decline(id: string): Promise<unknown>;
  /** Logs in again; not there where nobody asks for that. */
  readonly logins?: Pick<ControlClient, "logInAgain" | "declineLogin">;
}

/** The second factors that wait in this very process. */
export function questionsOf(desk: MfaDesk): QuestionSource {
  return {
    async news(seen, ending) {
      if (desk.isClosed) await untilAborted(ending);
      else if (seen !== null) await desk.changed(seen, ending);
      return { revision: desk.revision, waiting: desk.list(), logins: [] };
    },
    approve: (code, id) => desk.approve(code, id),
    decline: (id) => Promise.resolve(desk.decline(id)),
  };
}

type Terminal = Pick<Context, "machine" | "stderr" | "nowMs">;

/** Asks for all that the daemon wants to know, until the signal fires. */
export async function answerDaemon(
  context: Terminal & Pick<Context, "paths">,
  signal: AbortSignal,
): Promise<void> {
  using control = new ControlClient(context.paths.controlSocket);
  await answerAtTerminal(context, {
    news: (seen, signal) => control.mfa(seen ?? undefined, signal),
    approve: (code, id) => control.approveMfa(code, id),
    decline: (id) => control.declineMfa(id),
    logins: control,
  }, signal);
}

/** Asks for every question that comes, one after the other, until the signal fires. Silent without a terminal. */
export async function answerAtTerminal(
  context: Terminal,
  source: QuestionSource,
  signal: AbortSignal,
): Promise<void> {
  const { processes } = await context.machine();
  const terminal = new TerminalLines();
  let seen: number | null = null;
  const told = new Set<string>();
  while (!signal.aborted) {
    try {
      const { revision, waiting, logins } = await source.news(seen, signal);
      seen = revision;
      const [first] = waiting;
      const [login] = logins;
      if (first === undefined && login === undefined) continue;
      if (!await processes.holdsTerminal()) continue;
      if (first === undefined) {
        if (!await answerLogin(context, source, terminal, login, signal)) seen = null;
        continue;
      }
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
  context: Terminal,
  source: QuestionSource,
  terminal: TerminalLines,
  question: Question,
  signal: AbortSignal,
): Promise<boolean> {
  const isThere = ({ waiting }: News) => waiting.some(({ id }) => id === question.id);
  const line = await untilGone(source, isThere, terminal, signal);
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

/** @returns Whether there is nothing to ask again. */
async function answerLogin(
  context: Terminal,
  { logins, ...source }: QuestionSource,
  terminal: TerminalLines,
  login: EndedLogin | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (login === undefined || logins === undefined) return true;
  const { proxy, cluster, user } = login;
  const isThere = (news: News) => news.logins.some((one) => one.proxy === proxy);
  const next = () => untilGone(source, isThere, terminal, signal);
  if (login.connector !== undefined) {
    say(context, `The login to ${cluster} has ended. To log in again, run: ${loginCommand(login)}`);
    say(context, "An empty line leaves it at that:");
    if (await next() === null) say(context, `${cluster}: logged in elsewhere, or given up`);
    else await logins.declineLogin(proxy);
    return true;
  }
  const password = await hidden(terminal, () => {
    say(context, `The login to ${cluster} has ended.`);
    say(context, `Password of ${user} at ${proxy}? An empty line leaves it at that:`);
    return next();
  });
  if (password === null) {
    say(context, `${cluster}: logged in elsewhere, or given up`);
    return true;
  }
  if (password === "") {
    await logins.declineLogin(proxy);
    say(context, `To log in later, run: ${loginCommand(login)}`);
    return true;
  }
  try {
    let step = await logins.logInAgain({ proxy, password, totp: null });
    if (step.kind === "code") {
      const totp = await askCode(context, step.isOptional, next);
      if (totp === null) return false;
      step = await logins.logInAgain({ proxy, password, totp });
    }
    if (step.kind !== "done") return false;
    const end = renderMoment(step.expiresMs, context.nowMs());
    say(context, `Logged in to ${cluster}; the login ends ${end}`);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof VnetError)) throw thrown;
    say(context, `${thrown.message} [${thrown.code}]`);
    return false;
  }
}

/** @returns The code, nothing if there is none, or `null` once the question is no more. */
async function askCode(
  context: Terminal,
  isOptional: boolean,
  next: () => Promise<string | null>,
): Promise<string | null> {
  say(context, `Code of your authenticator?${isOptional ? " Empty if you have none:" : ""}`);
  for (;;) {
    const line = await next();
    if (line === null) return null;
    if (isOptional && line.trim() === "") return "";
    const code = readTotpCode(line);
    if (code !== null) return code;
    say(context, "A code has 6 to 8 digits:");
  }
}

async function hidden<T>(terminal: TerminalLines, act: () => Promise<T>): Promise<T> {
  using _hidden = terminal.hide();
  return await act();
}

/** A question must be seen, whatever is quiet; names and refusals are the cluster's words. */
function say(context: Terminal, text: string): void {
  context.stderr(`${printable(text)}\n`);
}

function questionText({ app, cluster, port }: Question): string {
  return `Code of your authenticator for "${app}" of ${cluster}, port ${port}? ` +
    "An empty line declines:";
}

/** @returns The line, or `null` once the question is no more. @throws The signal's reason when it is aborted. */
async function untilGone(
  source: QuestionSource,
  isThere: (news: News) => boolean,
  terminal: TerminalLines,
  signal: AbortSignal,
): Promise<string | null> {
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const gone = (async () => {
    let seen: number | null = null;
    while (!both.aborted) {
      const news: News = await source.news(seen, both);
      if (!isThere(news)) return null;
      seen = news.revision;
    }
    return null;
  })();
  const line = terminal.next(both);
  for (const promise of [gone, line]) promise.catch(() => {}); // told by the race, if it matters
  try {
    const first = await Promise.race([line, gone]);
    signal.throwIfAborted();
    return first;
  } finally {
    over.abort();
  }
}
