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
   * @returns Its process id; collect it with `wait`. 0 for an orphan.
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
   * and dangerous system calls; starting programs too, unless `programs` says that it must, and mounting, unless
   * `mounts` does.
   *
   * @throws OsError `harden-failed`; what the machine has of it is in force.
   */
  harden(options: { readonly programs: boolean; readonly mounts?: boolean }): void;
  /** Whether somebody's process still runs; one that only waits to be collected does not. */
  isRunning(pid: number): Promise<boolean>;
  /** Whether this process may read its terminal: it has one, and stands in its foreground. */
  holdsTerminal(): Promise<boolean>;
  /** Moves what a log holds into its old file when it is too much. @returns Whether it was. */
  trimLog(path: string): Promise<boolean>;
  /** Trims logs whenever they grow, until the signal aborts. They must be there already. */
  keepLogs(paths: readonly string[], signal: AbortSignal): Promise<void>;
}

/** Becoming a command, and following one. */
export interface Commands {
  /** Waits until somebody's process has ended. @throws OsError `process-unknown`; the signal's reason */
  ended(pid: number, signal?: AbortSignal): Promise<void>;
  /**
   * Opens the namespaces of a process, for `become`; they are the caller's to close.
   *
   * @param hasUser Whether it has a user namespace of its own.
   * @throws OsError `namespaces-lost`
   */
  hold(pid: number, hasUser: boolean): HeldNamespaces;
  /**
   * Becomes a command in namespaces: number, parent, terminal, group and directory of this process are then the
   * command's. In a user namespace it has no privilege, and gets none.
   *
   * @throws OsError `command-unknown`, `run-failed`: then this process is what it was.
   */
  become(command: Command, namespaces: HeldNamespaces): never;
  /** Says where a command would be found. @throws OsError `command-unknown` */
  find(name: string): string;
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
  /** Be nobody's child: whoever started it is not told of its end, and need not wait for it. */
  readonly orphan?: boolean;
  /** Ignore what the keys and the end of a terminal send. */
  readonly deaf?: boolean;
}

/** A program with its arguments, as somebody typed them. */
export interface Command {
  /** A path, or a name to look up in PATH. */
  readonly name: string;
  readonly args: readonly string[];
  /** The signals that it ignores from the beginning, though this process does not. */
  readonly ignored: readonly number[];
}

/** Namespaces of a process, with its root and its directory in them, held open. */
export interface HeldNamespaces {
  /** `null`: it has none of its own. */
  readonly user: Descriptor | null;
  readonly net: Descriptor;
  readonly mount: Descriptor;
  readonly root: Descriptor;
  readonly directory: Descriptor;
}

/** A part of root's power. @see capabilities(7) */
export type Capability =
  | "chown"
  | "dac-read-search"
  | "net-admin"
  | "net-bind-service"
  | "net-raw"
  | "sys-admin"
  | "sys-ptrace";

/** How a process ended. */
export type ExitReason = { readonly code: number } | { readonly signal: number };
