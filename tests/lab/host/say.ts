/**
 * What a story tells while it runs: every command, in the order given, on stderr.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Writes one line to stderr at once, so that a story that hangs shows where. */
export function say(line: string): void {
  Deno.stderr.writeSync(encoder.encode(`${line}\n`));
}

/** Renders a command the way a person would type it. */
export function shellText(command: readonly string[]): string {
  return command.map((word) =>
    /^[A-Za-z0-9_\/.:=@%+,\[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
  ).join(" ");
}
