/**
 * A shell that waits for this process to end. Should it be killed, the shell runs the repair in its stead.
 *
 * @module
 */
import { getLogger } from "../log.ts";
import { closeFd, SeqpacketSocket, type Shim, socketPair, spawn, waitProcess } from "../os/mod.ts";

const log = getLogger("helper");

/** The program that repairs, with its arguments. */
export interface GuardCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Reads one byte at a time, as a shell does from what it cannot seek; "d" says that all is well. */
const SCRIPT = 'read -r word; [ "$word" = d ] || exec "$@"';

/** A waiting shell. */
export class Guard implements AsyncDisposable {
  readonly #socket: SeqpacketSocket;
  readonly #end: Promise<unknown>;

  private constructor(socket: SeqpacketSocket, end: Promise<unknown>) {
    this.#socket = socket;
    this.#end = end;
  }

  /** Starts a guard; `null` where there is no shell to be one. */
  static start(shim: Shim, repair: GuardCommand): Guard | null {
    const [own, theirs] = socketPair(shim);
    try {
      const pid = spawn(shim, {
        command: "/bin/sh",
        args: ["-c", SCRIPT, "vnet-guard", repair.command, ...repair.args],
        env: repair.env,
        cwd: "/",
        stdin: theirs,
        stdout: "null",
        newSession: true,
      });
      return new Guard(SeqpacketSocket.fromFd(shim, own), waitProcess(shim, pid));
    } catch (thrown) {
      closeFd(shim, own);
      log.warning("Nobody guards this process", { error: String(thrown) });
      return null;
    } finally {
      closeFd(shim, theirs);
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
