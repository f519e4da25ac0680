/**
 * The command line: argv in, exit status out.
 *
 * @module
 */
import { runParserSync } from "@optique/core/facade";
import { formatMessage, message } from "@optique/core/message";
import { configureLog } from "../log.ts";
import { ConfigError, describeError, UsageError, VnetError } from "../error.ts";
import { VERSION } from "../version.ts";
import { findOwner, resolvePaths } from "../client/paths.ts";
import { type Action, type Context, type Globals } from "./context.ts";
import { AlreadyTold, EXIT, statusOfCode } from "./exit.ts";
import { PARSER } from "./parser.ts";
import { describeUsage, helpHint } from "./usage.ts";

/** Thrown to leave the parser early with an exit status; everything was printed already. */
class Leave {
  constructor(readonly status: number) {}
}

/** How help is laid out. */
const FORM = {
  commandList: "top-level",
  usageLine: [{ type: "ellipsis" }],
  aboveError: "none",
  maxWidth: 100,
  colors: false,
  showDefault: true,
  showChoices: { prefix: " [", suffix: "]", label: "" },
} as const;

type Parsed = Globals & { readonly run: Action };

/** Runs `vnet` with these arguments and returns the status to exit with. */
export async function main(args: readonly string[]): Promise<number> {
  const encoder = new TextEncoder();
  const stdout = (text: string) => writeAll(Deno.stdout, encoder.encode(text));
  const stderr = (text: string) => writeAll(Deno.stderr, encoder.encode(text));
  const parsed = parse(args, stdout, stderr);
  if (parsed instanceof Leave) return parsed.status;
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
    return await parsed.run(openContext(parsed, stdout, stderr, stop.signal));
  } catch (thrown) {
    return await reportError(thrown, parsed, args, stderr);
  } finally {
    Deno.removeSignalListener("SIGINT", onSignal);
    Deno.removeSignalListener("SIGTERM", onSignal);
  }
}

function parse(
  args: readonly string[],
  stdout: (text: string) => void,
  stderr: (text: string) => void,
): Parsed | Leave {
  try {
    return runParserSync(PARSER, "vnet", [...args], {
      brief: message`Reach protected TCP apps by DNS name, with no configuration of their own.`,
      help: { command: true, option: true, onShow: (status) => leave(status) },
      version: { value: VERSION, option: true, onShow: () => leave(EXIT.done) },
      completion: { command: { names: ["completions"] }, onShow: (status) => leave(status) },
      ...FORM,
      stdout: (text) => stdout(`${text}\n`),
      stderr: () => {},
      onError: (_status, error) => {
        const text = typeof error === "string" ? error : formatMessage(error ?? message`Bad usage`);
        stderr(describeUsage(text, args, helpOf));
        return leave(EXIT.usage);
      },
    });
  } catch (thrown) {
    if (thrown instanceof Leave) return thrown;
    throw thrown;
  }
}

/** The help text of a command, empty when there is none of these words. */
function helpOf(command: readonly string[]): string {
  let text = "";
  try {
    runParserSync(PARSER, "vnet", [...command, "--help"], {
      ...FORM,
      help: { option: true, onShow: (status) => leave(status) },
      stdout: (shown) => void (text = shown),
      stderr: () => {},
      onError: (status) => leave(status),
    });
  } catch (thrown) {
    if (!(thrown instanceof Leave)) throw thrown;
  }
  return text;
}

function leave(status: number): never {
  throw new Leave(status);
}

function openContext(
  parsed: Parsed,
  stdout: (text: string) => void,
  stderr: (text: string) => void,
  signal: AbortSignal,
): Context {
  const env = (name: string) => Deno.env.get(name);
  const home = parsed.home ?? env("VNET_HOME");
  const owner = findOwner(Deno.uid() ?? 0, Deno.gid() ?? 0, env, readTextOr("/etc/passwd", ""));
  return {
    stdout,
    stderr,
    stderrIsTerminal: Deno.stderr.isTerminal(),
    stdinIsTerminal: Deno.stdin.isTerminal(),
    color: Deno.stdout.isTerminal() && !parsed.noColor && env("NO_COLOR") === undefined,
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
    stderr(`error: Cannot use "${thrown.file}" [${thrown.code}]\n`);
    for (const { path, found, expected } of thrown.mistakes) {
      stderr(`  ${path === "" ? "(document)" : path}: found ${found}, expected ${expected}\n`);
    }
  } else stderr(`error: ${describeError(thrown)}\n`);
  if (!(thrown instanceof VnetError)) {
    if (parsed.debug && thrown instanceof Error) stderr(`${thrown.stack ?? ""}\n`);
    return EXIT.failed;
  }
  const hint = thrown.hint ?? (thrown instanceof UsageError ? helpHint(args, helpOf) : null);
  if (hint !== null) stderr(`hint: ${hint}\n`);
  if (parsed.debug && thrown.cause !== undefined) stderr(`cause: ${describeError(thrown.cause)}\n`);
  return thrown instanceof UsageError ? EXIT.usage : await statusOfCode(thrown.code);
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  try {
    for (let sent = 0; sent < bytes.length;) sent += to.writeSync(bytes.subarray(sent));
  } catch (thrown) {
    // The reader of a pipe may leave before the end (`vnet apps ls | head`); that is its right.
    if (!(thrown instanceof Deno.errors.BrokenPipe)) throw thrown;
  }
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
