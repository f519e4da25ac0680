/**
 * A shell that waits for this process to end. Should it be killed, the shell runs the repair in its stead. Where there
 * is no shell, the repair itself waits: it is larger, but a root with nothing else in it has it.
 *
 * @module
 */
import { getLogger } from "../log.ts";
import type { MessageSocket, RootMachine } from "../os/mod.ts";

const log = getLogger("helper");

/** The program that repairs, with its arguments. */
export interface GuardCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Reads one byte at a time, as a shell does from what it cannot seek; "d" says that all is well. */
const SCRIPT = 'read -r word; [ "$word" = d ] || exec "$@"';

/** The letter that says so. */
const DONE = "d".charCodeAt(0);

/** A waiting shell, or what stands in for one. */
export class Guard implements AsyncDisposable {
  readonly #socket: MessageSocket;
  readonly #end: Promise<unknown>;

  private constructor(socket: MessageSocket, end: Promise<unknown>) {
    this.#socket = socket;
    this.#end = end;
  }

  /** Starts a guard; `null` where there cannot be one. */
  static start(
    { sockets, processes }: Pick<RootMachine, "sockets" | "processes">,
    repair: GuardCommand,
  ): Guard | null {
    const [own, theirs] = sockets.messagePair();
    const start = (command: string, args: readonly string[]) =>
      processes.spawn({
        command,
        args,
        env: repair.env,
        cwd: "/",
        stdin: theirs,
        stdout: "null",
        newSession: true,
      });
    try {
      const pid = hasShell()
        ? start("/bin/sh", ["-c", SCRIPT, "vnet-guard", repair.command, ...repair.args])
        : start(repair.command, [...repair.args, "--guard"]);
      return new Guard(sockets.adoptMessages(own), processes.wait(pid));
    } catch (thrown) {
      sockets.close(own);
      log.warning("Cannot start the guard of this process", { error: String(thrown) });
      return null;
    } finally {
      sockets.close(theirs);
    }
  }

  /** Sends the guard away: there is nothing to repair. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      for (const byte of "d\n") await this.#socket.send(new TextEncoder().encode(byte));
    } catch (thrown) {
      log.warning("The guard went away by itself", { error: String(thrown) });
    }
    await this.#socket.close();
    await this.#end;
  }
}

/**
 * Waits, as the guard, for the process at the other end of standard input.
 *
 * @returns Whether it ended without a word, and there is something to repair.
 */
export async function waitAsGuard(
  input: { read(into: Uint8Array): Promise<number | null> },
): Promise<boolean> {
  const byte = new Uint8Array(1);
  const count = await input.read(byte).catch(() => null);
  return count !== 1 || byte[0] !== DONE;
}

function hasShell(): boolean {
  try {
    return Deno.statSync("/bin/sh").isFile;
  } catch {
    return false;
  }
}
