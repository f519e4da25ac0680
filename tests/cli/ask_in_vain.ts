/** Asks at its terminal, gives that up, and reads there as any program does. */
import { TerminalLines } from "../../lib/cli/prompt/terminal_lines.ts";

const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
const ending = new AbortController();
const line = new TerminalLines().next(ending.signal);
setTimeout(() => ending.abort(), 200);
await line.catch(() => say("in vain"));
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  say(`standard input: ${text}`);
}
