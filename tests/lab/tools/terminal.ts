/**
 * Runs a command on a terminal of its own, as a person would, and answers what it asks:
 * `{"command":"…","answers":[{"on":"Password of","type":"…"}]}` on stdin, what the terminal showed on stdout, and
 * the command's exit status. Secrets are in nobody's arguments.
 */
interface Task {
  readonly command: string;
  readonly answers: readonly { readonly on: string; readonly type: string }[];
}

const ENTER = "\r";

const { command, answers } = JSON.parse(await new Response(Deno.stdin.readable).text()) as Task;
const terminal = new Deno.Command("script", {
  // Without a terminal around it, the new one would be 0 columns wide.
  args: [
    "--quiet",
    "--return",
    "--flush",
    "--command",
    `stty cols 100 rows 40\n${command}`,
    "/dev/null",
  ],
  stdin: "piped",
  stdout: "piped",
}).spawn();
const keyboard = terminal.stdin.getWriter();
const asked = [...answers];
let shown = "";
let unread = "";
for await (const part of terminal.stdout.pipeThrough(new TextDecoderStream())) {
  shown += part;
  unread += part;
  const next = asked.findIndex(({ on }) => unread.includes(on));
  if (next === -1) continue;
  const [{ type }] = asked.splice(next, 1) as [Task["answers"][number]];
  unread = "";
  await keyboard.write(new TextEncoder().encode(`${type}${ENTER}`));
}
const { code } = await terminal.status;
await keyboard.close().catch(() => undefined);
await Deno.stdout.write(new TextEncoder().encode(shown.replaceAll("\r", "")));
Deno.exit(code);
