/**
 * The command line: argv in, exit status out.
 *
 * @module
 */
import { formatMessage } from "@optique/core/message";
import { parseSync } from "@optique/core/parser";
import { configureLog } from "../log.ts";
import { ConfigError, describeError, UsageError, VnetError } from "../error.ts";
import { printable, printableLines } from "../printable.ts";
import { VERSION } from "../version.ts";
import { findOwner, resolvePaths } from "../client/paths.ts";
import { ignoredSignals } from "./ignored_signals.ts";
import { isAsciiOnly, toAscii } from "./text/ascii.ts";
import type { Action, Context, Globals, Terminal } from "./context.ts";
import { AlreadyTold, EXIT, statusOfCode } from "./exit.ts";
import { commandsBelow, optionsOf, renderHelp } from "./grammar/help.ts";
import { PARSER } from "./grammar/parser.ts";
import { describeUnknown, describeUsage, helpHint, readWords } from "./grammar/usage.ts";

const TREE = { commandsBelow, optionsOf, helpOf };

type Parsed = Globals & { readonly run: Action };

/** Runs `vnet` with these arguments and returns the status to exit with. */
export async function main(args: readonly string[]): Promise<number> {
  const terminal = findTerminal();
  const encoder = new TextEncoder();
  const stdout = (text: string) => writeAll(Deno.stdout, encoder.encode(text));
  const stderr = (text: string) =>
    writeAll(Deno.stderr, encoder.encode(terminal.ascii ? toAscii(text) : text));
  const parsed = parse(args, terminal, stdout, stderr);
  if (typeof parsed === "number") return parsed;
  const status = readTextOr("/proc/self/status", ""); // before the listeners below change it
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
  try {
    await configureLog({
      level: parsed.debug ? "debug" : parsed.verbose ? "info" : "warning",
      form: Deno.stderr.isTerminal() ? "text" : "json",
      write: stderr,
    });
    return await parsed.run({
      ...openContext(parsed, terminal, stdout, stderr, stop.signal),
      ignored: () => ignoredSignals(status),
    });
  } catch (thrown) {
    return await reportError(thrown, parsed, args, stderr);
  } finally {
    Deno.removeSignalListener("SIGINT", onSignal);
    Deno.removeSignalListener("SIGTERM", onSignal);
  }
}

/** @returns The status to end with where there is nothing to run: help was shown, or an error told. */
function parse(
  args: readonly string[],
  terminal: Terminal,
  stdout: (text: string) => void,
  stderr: (text: string) => void,
): Parsed | number {
  // The script of `vnet completions` passes any words on, and they mean nothing yet.
  const options = args[0] === "completions" ? [] : args.slice(0, endOfOptions(args));
  if (args.length === 0 || options.some((arg) => arg === "-h" || arg === "--help")) {
    const words = readWords(options, TREE);
    if (words.unknown === null) stdout(renderHelp(words.command, terminal));
    else stderr(describeUnknown(words));
    return words.unknown === null ? EXIT.done : EXIT.usage;
  }
  if (options.includes("--version")) {
    stdout(`${VERSION}\n`);
    return EXIT.done;
  }
  const parsed = parseSync(PARSER, args);
  if (parsed.success) return parsed.value;
  stderr(describeUsage(formatMessage(parsed.error), args, TREE));
  return EXIT.usage;
}

/** Help as it is laid out where nobody says how wide the terminal is. */
function helpOf(command: readonly string[]): string {
  return renderHelp(command, { columns: 80, ascii: true });
}

function endOfOptions(args: readonly string[]): number {
  const end = args.indexOf("--");
  return end === -1 ? args.length : end;
}

/** Finds what text for people is laid out for; 80 columns where nobody says otherwise. */
function findTerminal(): Terminal {
  const env = (name: string) => Deno.env.get(name);
  return { columns: Number(env("COLUMNS")) || consoleColumns() || 80, ascii: isAsciiOnly(env) };
}

function consoleColumns(): number {
  try {
    return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : 0;
  } catch {
    return 0;
  }
}

function openContext(
  parsed: Parsed,
  terminal: Terminal,
  stdout: (text: string) => void,
  stderr: (text: string) => void,
  signal: AbortSignal,
): Omit<Context, "ignored"> {
  const env = (name: string) => Deno.env.get(name);
  const home = parsed.home ?? env("VNET_HOME");
  const owner = findOwner(Deno.uid() ?? 0, Deno.gid() ?? 0, env, readTextOr("/etc/passwd", ""));
  return {
    stdout,
    stderr,
    stderrIsTerminal: Deno.stderr.isTerminal(),
    stdinIsTerminal: Deno.stdin.isTerminal(),
    color: Deno.stdout.isTerminal() && !parsed.noColor && env("NO_COLOR") === undefined,
    terminal,
    env,
    signal,
    nowMs: () => Date.now(),
    machine: async () => (await import("../os/mod.ts")).thisMachine(),
    owner,
    paths: resolvePaths({
      home: home === undefined ? undefined : absolute(home),
      owner,
      env,
      ownEnvironment: owner.uid === Deno.uid(),
      isDirectory,
    }),
    globals: parsed,
  };
}

async function reportError(
  thrown: unknown,
  parsed: Parsed,
  args: readonly string[],
  stderr: (text: string) => void,
): Promise<number> {
  if (thrown instanceof AlreadyTold) return thrown.status;
  if (thrown instanceof ConfigError) {
    stderr(`error: Cannot use "${printable(thrown.file)}" [${thrown.code}]\n`);
    for (const { path, found, expected } of thrown.mistakes) {
      const what = `${path === "" ? "(document)" : path}: found ${found}, expected ${expected}`;
      stderr(`  ${printable(what)}\n`);
    }
  } else stderr(`error: ${printable(describeError(thrown))}\n`);
  if (!(thrown instanceof VnetError)) {
    if (parsed.debug && thrown instanceof Error) stderr(`${printableLines(thrown.stack ?? "")}\n`);
    return EXIT.failed;
  }
  const hint = thrown.hint ?? (thrown instanceof UsageError ? helpHint(args, TREE) : null);
  if (hint !== null) stderr(`hint: ${printable(hint)}\n`);
  if (parsed.debug && thrown.cause !== undefined) {
    stderr(`cause: ${printable(describeError(thrown.cause))}\n`);
  }
  return thrown instanceof UsageError ? EXIT.usage : await statusOfCode(thrown.code);
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let sent = 0; sent < bytes.length;) sent += to.writeSync(bytes.subarray(sent));
  } catch (thrown) {
    // The reader of a pipe may leave before the end (`vnet apps ls | head`); that is its right.
    if (!(thrown instanceof Deno.errors.BrokenPipe) && !isHungUp(thrown)) throw thrown;
  }
}

/** Whether a write failed because its terminal was closed. */
function isHungUp(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === "EIO";
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function readTextOr(path: string, otherwise: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return otherwise;
  }
}
