/**
 * Starting programs with another identity, in other namespaces, with chosen descriptors; and the logs they append to.
 *
 * @module
 */
import type { Descriptor } from "./machine.ts";

/** The processes of this machine. */
export interface Processes {
  /**
   * Starts a program.
   *
   * @returns Its process id; collect it with `wait`.
   * @throws OsError `spawn-failed` with the step that failed; `command-unknown` if there is no such program.
   */
  spawn(options: SpawnOptions): number;
  /**
   * Waits until a child of ours ends, and collects it.
   *
   * @throws OsError `process-unknown` if it is not our child; the signal's reason when it is aborted.
   */
  wait(pid: number, signal?: AbortSignal): Promise<ExitReason>;
  /**
   * Gives up for good what this process has no use for: core dumps, being looked into by its own user's other programs,
   * and dangerous system calls; starting programs too, unless `programs` says that it must.
   *
   * @throws OsError `harden-failed`; what the machine has of it is in force.
   */
  harden(options: { readonly programs: boolean }): void;
  /** Whether somebody's process still runs; one that only waits to be collected does not. */
  isRunning(pid: number): Promise<boolean>;
  /** Whether this process may read its terminal: it has one, and stands in its foreground. */
  holdsTerminal(): Promise<boolean>;
  /** Moves what a log holds into its old file when it is too much. @returns Whether it was. */
  trimLog(path: string): Promise<boolean>;
  /** Trims logs whenever they grow, until the signal aborts. They must be there already. */
  keepLogs(paths: readonly string[], signal: AbortSignal): Promise<void>;
}

/** What a child's descriptor is: a number of ours, /dev/null, the same as ours, or a file to append to. */
export type Stdio = Descriptor | "null" | "inherit" | { readonly append: string };

/** What to start and how. */
export interface SpawnOptions {
  /** A path, or a name to look up in the PATH of `env`. */
  readonly command: string;
  readonly args?: readonly string[];
  /** The whole environment; ours if not given. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** With a user id, the supplementary groups of that user are taken on. */
  readonly uid?: number;
  readonly gid?: number;
  readonly stdin?: Stdio;
  readonly stdout?: Stdio;
  readonly stderr?: Stdio;
  /** Become descriptor 3, 4, … of the child; they stay open here. At most 13. */
  readonly descriptors?: readonly Descriptor[];
  readonly newSession?: boolean;
  readonly namespaces?: {
    readonly net?: boolean;
    readonly mount?: boolean;
    /** A namespace in which the present user is root, or still itself. */
    readonly user?: "root" | "self";
  };
  readonly noNewPrivileges?: boolean;
  /** Of our capabilities, those that it and what it starts may ever have; all of them if not given. */
  readonly capabilities?: readonly Capability[];
  /** Kill the child when the thread that started it ends. */
  readonly dieWithParent?: boolean;
}

/** A part of root's power. @see capabilities(7) */
export type Capability =
  | "chown"
  | "dac-read-search"
  | "net-admin"
  | "net-bind-service"
  | "net-raw"
  | "sys-ptrace";

/** How a process ended. */
export type ExitReason = { readonly code: number } | { readonly signal: number };
