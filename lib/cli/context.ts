import type { Owner, Paths } from "../client/mod.ts";

/** What a command may touch of the process it runs in; a test passes its own. */
export interface Context {
  /** Writes the result; for programs to read. */
  readonly stdout: (text: string) => void;
  /** Writes for people. */
  readonly stderr: (text: string) => void;
  readonly stderrIsTerminal: boolean;
  readonly stdinIsTerminal: boolean;
  readonly color: boolean;
  readonly env: (name: string) => string | undefined;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
  /** The account vnet acts for: the invoker of sudo, else whoever runs it. */
  readonly owner: Owner;
  readonly paths: Paths;
  readonly globals: Globals;
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

/** Tells the person at the terminal, unless `--quiet`. */
export function tell(context: Context, text: string): void {
  if (!context.globals.quiet) context.stderr(`${text}\n`);
}

/** Prints one JSON document as the result. */
export function printJson(context: Context, value: unknown): void {
  context.stdout(`${JSON.stringify(value, null, 2)}\n`);
}
