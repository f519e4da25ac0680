import type { Owner, Paths } from "../client/paths.ts";
import { UsageError } from "../error.ts";
import type { ThisMachine } from "../os/mod.ts";
import { printable } from "../printable.ts";
import { toAscii } from "./text/ascii.ts";

/** What a command may touch of the process it runs in; a test passes its own. */
export interface Context {
  /** Writes the result; for programs to read. */
  readonly stdout: (text: string) => void;
  /** Writes for people. */
  readonly stderr: (text: string) => void;
  readonly stderrIsTerminal: boolean;
  readonly stdinIsTerminal: boolean;
  readonly color: boolean;
  /** What text for people is laid out for. */
  readonly terminal: Terminal;
  readonly env: (name: string) => string | undefined;
  readonly signal: AbortSignal;
  /** The signals that whoever started this program has it ignore; a command that it becomes ignores them, too. */
  readonly ignored: () => readonly number[];
  readonly nowMs: () => number;
  /** The machine; loaded when a command first asks for it. */
  readonly machine: () => Promise<ThisMachine>;
  /** The account vnet acts for: the invoker of sudo, else whoever runs it. */
  readonly owner: Owner;
  readonly paths: Paths;
  readonly globals: Globals;
}

/** Where text is shown. */
export interface Terminal {
  readonly columns: number;
  /** Whether it has no letters but those of ASCII. */
  readonly ascii: boolean;
}

/** Options that every command takes. */
export interface Globals {
  readonly home: string | undefined;
  readonly config: string | undefined;
  readonly verbose: boolean;
  readonly debug: boolean;
  readonly quiet: boolean;
  readonly noColor: boolean;
}

/** A parsed command, ready to run. */
export type Action = (context: Context) => Promise<number>;

/** Where the file of `vnet server` lies, and of `vnet agent`, unless somebody says otherwise. */
export const SERVER_FILE = "/etc/vnet/server.yaml";
export const AGENT_FILE = "/etc/vnet/agent.yaml";

/** What says where a server's or an agent's file is. */
export type ConfigContext = Pick<Context, "env"> & {
  readonly globals: Pick<Globals, "config">;
};

/**
 * Finds the file that `--config` or VNET_CONFIG names, or else the usual one.
 *
 * @throws UsageError `file-missing` when it is not there.
 */
export function requireConfigFile(context: ConfigContext, act: string, usual: string): string {
  const named = context.globals.config ?? context.env("VNET_CONFIG");
  const file = named ?? usual;
  try {
    Deno.statSync(file);
    return file;
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) return file; // Reading it will say more.
    throw new UsageError("file-missing", `${act}: there is no file "${file}"`, {
      hint: named === undefined
        ? "Write it, or name another with --config FILE or VNET_CONFIG; `vnet help cluster` shows one"
        : "Check the path; `vnet help cluster` shows such files",
    });
  }
}

/** Tells the person at the terminal a line, unless `--quiet`. */
export function tell(context: Context, text: string): void {
  if (!context.globals.quiet) context.stderr(`${printable(text)}\n`);
}

/** Prints a text as the result. */
export function printText(context: Context, text: string): void {
  context.stdout(context.terminal.ascii ? toAscii(text) : text);
}

/** Prints one JSON document as the result. */
export function printJson(context: Context, value: unknown): void {
  context.stdout(`${JSON.stringify(value, null, 2)}\n`);
}
