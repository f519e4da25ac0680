/**
 * Puts a text on the clipboard of whoever sits at the terminal.
 *
 * @module
 */
import { VnetError } from "../error.ts";
import type { Context } from "./context.ts";

interface Program {
  readonly name: string;
  readonly args: readonly string[];
  /** The variable that says that its display is there. */
  readonly display: string;
}

const PROGRAMS: readonly Program[] = [
  { name: "wl-copy", args: [], display: "WAYLAND_DISPLAY" },
  { name: "xclip", args: ["-selection", "clipboard"], display: "DISPLAY" },
  { name: "xsel", args: ["--input", "--clipboard"], display: "DISPLAY" },
];

/**
 * Copies by a program of the desktop, else through the terminal (OSC 52), which works over ssh too.
 *
 * @returns The way it went, for people.
 * @throws VnetError `clipboard-missing`
 */
export async function copy(context: Context, text: string): Promise<string> {
  for (const { name, args, display } of PROGRAMS) {
    if (context.env(display) === undefined) continue;
    if (await pipeTo(name, args, text)) return name;
  }
  if (context.stderrIsTerminal) {
    context.stderr(`\x1b]52;c;${new TextEncoder().encode(text).toBase64()}\x07`);
    return "the terminal (OSC 52)";
  }
  throw new VnetError("clipboard-missing", "Cannot copy: there is no clipboard here", {
    hint: "Install wl-copy, xclip or xsel, or run it at a terminal that knows OSC 52",
  });
}

/** @returns Whether the program is there and took it. */
async function pipeTo(name: string, args: readonly string[], text: string): Promise<boolean> {
  try {
    const child = new Deno.Command(name, {
      args: [...args],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
    return (await child.status).success;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound || thrown instanceof Deno.errors.BrokenPipe) {
      return false;
    }
    throw thrown;
  }
}
