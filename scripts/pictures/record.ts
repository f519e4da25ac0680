/**
 * Records commands typed in the shell of `vnet demo --shell`.
 *
 * @module
 */
import type { Cast, Piece } from "./cast.ts";

/** The time of one typed letter; what is printed comes at the time it came. */
const LETTER_MS = 45;
/** Between a command's last line and the next prompt. */
const PAUSE_MS = 900;
const MAX_RECORDING_MS = 60_000;
/** What the shell prints when a command is done; never part of the picture. */
const DONE = "recording: done";

/**
 * Types each command in a demo of its own and keeps what it prints.
 *
 * @param vnet The program, an absolute path.
 * @throws {Error} The demo ended before the last command did, or took a minute.
 */
export async function record(
  vnet: string,
  commands: readonly string[],
  title: string,
): Promise<Cast> {
  const demo = new Deno.Command(vnet, {
    args: ["demo", "--shell"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    env: { SHELL: "/bin/sh", PS1: "", LC_ALL: "C.UTF-8", COLUMNS: "100" },
    signal: AbortSignal.timeout(MAX_RECORDING_MS),
  }).spawn();
  const keys = demo.stdin.getWriter();
  const lines = demo.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  const pieces: Piece[] = [];
  try {
    await type(keys, `echo "${DONE}"`);
    await printed(lines);
    let atMs = 500;
    for (const command of commands) {
      pieces.push({ atMs, text: "$ " });
      for (const letter of command) pieces.push({ atMs: atMs += LETTER_MS, text: letter });
      const startedMs = performance.now();
      await type(keys, `{ ${command}; } 2>&1; echo "${DONE}"`);
      const text = await printed(lines);
      atMs += Math.max(LETTER_MS, Math.round(performance.now() - startedMs));
      pieces.push({ atMs, text: `\n${text}` });
      atMs += PAUSE_MS;
    }
  } finally {
    await keys.close();
    for (let rest = await lines.next(); rest.done !== true;) rest = await lines.next();
    await demo.status;
  }
  const all = pieces.map(({ text }) => text).join("").split("\n");
  return {
    width: Math.max(...all.map((line) => [...line].length)),
    height: all.length - 1,
    title,
    pieces,
  };
}

async function type(
  keys: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>,
  line: string,
): Promise<void> {
  await keys.write(new TextEncoder().encode(`${line}\n`));
}

/** Reads until the last command is done. @returns What it printed, whole lines. */
async function printed(lines: AsyncIterator<string>): Promise<string> {
  let text = "";
  while (!text.endsWith(`${DONE}\n`)) {
    const next = await lines.next();
    if (next.done === true) throw new Error(`The demo ended early: ${text}`);
    text += next.value;
  }
  return text.slice(0, -`${DONE}\n`.length);
}
