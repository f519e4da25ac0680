/**
 * One program running in a host of the lab.
 *
 * @module
 */
import { TextLineStream } from "../check/text_lines.ts";
import { within } from "./wait.ts";

/** How a program ended, and everything it said. */
export interface Outcome {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

/** A program that goes on running: a server, or a client that holds a connection. */
export class LabProcess {
  readonly name: string;
  readonly #child: Deno.ChildProcess;
  readonly #lines: TextLineStream;
  #ended = false;
  #stopped = false;

  constructor(name: string, child: Deno.ChildProcess) {
    this.name = name;
    this.#child = child;
    this.#lines = new TextLineStream(child.stdout);
    child.status.finally(() => this.#ended = true);
  }

  /** The program's process id as this machine (not its host) counts. */
  get pid(): number {
    return childrenOf(this.#child.pid)[0] ?? this.#child.pid;
  }

  /** Whether the program is over. */
  get ended(): boolean {
    return this.#ended;
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  /**
   * Waits for a line of stdout that matches.
   *
   * @throws Error When the program ends or the deadline passes first; the message has what it said so far.
   */
  async line(pattern: RegExp, deadlineMs: number): Promise<RegExpMatchArray> {
    const read = async () => {
      while (true) {
        const line = await this.#lines.next();
        if (line === null) {
          throw new Error(`"${this.name}" ended without saying ${pattern}: ${this.#lines.seen()}`);
        }
        const match = line.match(pattern);
        if (match !== null) return match;
      }
    };
    return await within(`"${this.name}" says ${pattern}`, deadlineMs, read());
  }

  /** Writes to the program's stdin. */
  async write(text: string): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    try {
      await writer.write(new TextEncoder().encode(text));
    } finally {
      writer.releaseLock();
    }
  }

  /** Sends the program a signal. Who stops it stops nsenter(1) as well, which does not go on by itself. */
  signal(signal: Deno.Signal): void {
    killQuietly(this.pid, signal);
    if (signal === "SIGCONT") killQuietly(this.#child.pid, signal);
  }

  /** Ends the program and waits until it is gone. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    if (!this.#ended) killQuietly(this.pid, signal);
    await this.#child.stdin.close().catch(() => undefined);
    try {
      await within(`"${this.name}" ends on ${signal}`, 5_000, this.#child.status);
    } catch {
      if (!this.#ended) {
        killQuietly(this.pid, "SIGKILL");
        killQuietly(this.#child.pid, "SIGKILL");
      }
      await this.#child.status;
    }
    await this.#lines.close();
  }
}

/** The direct children of a process, by id. */
export function childrenOf(pid: number): number[] {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
    return text.trim().split(/\s+/).filter((word) => word !== "").map(Number);
  } catch {
    return [];
  }
}

/** Sends a signal to a process that may be gone already. */
export function killQuietly(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound) && !(thrown instanceof TypeError)) throw thrown;
  }
}
