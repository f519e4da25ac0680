/**
 * Asks the person at the terminal. Secrets never come from argv, and are never echoed.
 *
 * @module
 */
import { UsageError, VnetError } from "../error.ts";
import { printable } from "../printable.ts";
import type { Context } from "./context.ts";

const MAX_STDIN_BYTES = 8192;

/** Nothing typed may be nothing at all. */
type Text = string | undefined;

type Prompts = typeof import("@clack/prompts");

/** Asks for a secret; it is shown as dots. */
export function askSecret(context: Context, question: string): Promise<string> {
  return asText(
    ask<Text>(
      context,
      ({ password }) => password({ message: printable(question), signal: context.signal }),
    ),
  );
}

/** Asks for a line of text, again for as long as `complaint` has something against it. */
export function askText(
  context: Context,
  question: string,
  complaint: (answer: string) => string | undefined,
): Promise<string> {
  const validate = (answer: string | undefined) => complaint(answer ?? "");
  const { signal } = context;
  return asText(
    ask<Text>(context, ({ text }) => text({ message: printable(question), signal, validate })),
  );
}

/** Asks for a yes or a no; nothing typed is a no. */
export function askYesNo(context: Context, question: string): Promise<boolean> {
  const { signal } = context;
  return ask<boolean>(
    context,
    ({ confirm }) => confirm({ message: printable(question), initialValue: false, signal }),
  );
}

/** Has one of several answers chosen; the first is proposed. */
export function askChoice<T extends string>(
  context: Context,
  question: string,
  choices: readonly { readonly value: T; readonly label: string }[],
): Promise<T> {
  return ask(context, ({ select }) => {
    const options = choices.map(({ value, label }) => ({
      value: value as string,
      label: printable(label),
    }));
    return select({ message: printable(question), signal: context.signal, options });
  }) as Promise<T>;
}

/** Reads up to this many lines from standard input, without their ends. */
export async function readSecretFromStdin(lines: number): Promise<readonly string[]> {
  const buffer = new Uint8Array(MAX_STDIN_BYTES);
  let used = 0;
  while (used < buffer.length) {
    const count = await Deno.stdin.read(buffer.subarray(used));
    if (count === null) break;
    used += count;
  }
  return new TextDecoder().decode(buffer.subarray(0, used)).split(/\r?\n/).slice(0, lines);
}

async function asText(answer: Promise<Text>): Promise<string> {
  return await answer ?? "";
}

async function ask<T>(
  context: Context,
  prompt: (prompts: Prompts) => Promise<T | symbol>,
): Promise<T> {
  if (!context.stdinIsTerminal) {
    throw new UsageError("no-terminal", "Cannot ask you: standard input is no terminal", {
      hint: "Run it at a terminal; `vnet login` also takes a piped password with --password-stdin",
    });
  }
  const prompts = await import("@clack/prompts");
  const answer = await prompt(prompts);
  if (typeof answer === "symbol") throw new VnetError("cancelled", "Cancelled");
  return answer;
}
