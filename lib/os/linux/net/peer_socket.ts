/**
 * A socket of messages whose peer is not trusted: no descriptor that the peer sends gets into this process.
 *
 * @module
 * @see ffi/peer_linux.c
 */
import { encodeIp } from "../../../ip/mod.ts";
import type {
  GuardOptions,
  PeerCredentials,
  PeerMessage,
  PeerSocket as Port,
} from "../../root_machine.ts";
import { type Act, closeFd, cString, ensure, errnoName, osError, type Shim } from "../shim.ts";
import { READABLE, Waiter } from "../waiter.ts";
import { MESSAGE_LIMIT_BYTES, SeqpacketSocket } from "./seqpacket.ts";

const RECEIVE: Act = {
  act: "receive a message",
  call: "recvmsg",
  code: "socket-receive-failed",
  cases: { EMSGSIZE: { state: "it is too long" } },
};

const GUARD: Act = {
  act: "guard a listener",
  call: "SO_ATTACH_FILTER",
  code: "listener-guard-failed",
  cases: {
    ENOTSOCK: { state: "it is no socket" },
    E2BIG: { state: "it is more than one descriptor" },
    EINVAL: { state: "it is no socket that listens" },
    EPIPE: { state: "whoever was to do it was killed" },
  },
};

/** One end of a pair, or an accepted connection. */
export class PeerSocket implements Port {
  readonly #shim: Shim;
  readonly #socket: SeqpacketSocket;
  readonly #waiter: Waiter;
  readonly #buffer = new Uint8Array(MESSAGE_LIMIT_BYTES);

  private constructor(shim: Shim, socket: SeqpacketSocket) {
    this.#shim = shim;
    this.#socket = socket;
    this.#waiter = new Waiter(shim, socket.fd);
  }

  /** Takes over a descriptor that this process was started with. @throws {OsError} `socket-failed` */
  static inherited(shim: Shim, fd: number): PeerSocket {
    return new PeerSocket(shim, SeqpacketSocket.inherited(shim, fd));
  }

  peer(): PeerCredentials {
    return this.#socket.peer();
  }

  async send(
    bytes: Uint8Array<ArrayBuffer>,
    fds: readonly number[] = [],
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#socket.send(bytes, fds, signal);
  }

  async receive(signal?: AbortSignal): Promise<PeerMessage | null> {
    const carries = new Uint32Array(1);
    for (;;) {
      signal?.throwIfAborted();
      if (this.#waiter.closed) return null;
      const result = this.#shim.symbols.vnet_peer_receive(
        this.#socket.fd,
        this.#buffer,
        this.#buffer.length,
        carries,
      );
      if (result > 0) return { bytes: this.#buffer.slice(0, result), carries: carries[0] !== 0 };
      const name = result === 0 ? "" : errnoName(this.#shim, -result);
      if (result === 0 || name === "ECONNRESET") return null;
      if (name !== "EAGAIN") throw osError(this.#shim, -result, RECEIVE);
      if (!await this.#waiter.wait(READABLE, signal)) return null;
    }
  }

  async guardCarried(
    ifindexes: readonly number[],
    { source, congestion = "cubic", signal }: GuardOptions & { readonly signal?: AbortSignal },
  ): Promise<void> {
    const links = Uint32Array.from(ifindexes);
    const from = source === undefined ? null : encodeIp(source);
    const report = ensure(
      this.#shim,
      this.#shim.symbols.vnet_peer_guard(
        this.#socket.fd,
        links,
        links.length,
        from,
        from?.length ?? 0,
        cString(congestion),
      ),
      GUARD,
    );
    try {
      await this.#outcome(report, signal);
    } finally {
      closeFd(this.#shim, report);
    }
  }

  /** Ends pending calls, then the connection; more than once does no harm. */
  async close(): Promise<void> {
    if (this.#waiter.closed) return;
    await this.#waiter.close();
    const hold = this.#shim.symbols.vnet_peer_leave(this.#socket.fd);
    await this.#socket.close();
    if (hold > 0) closeFd(this.#shim, hold);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Waits for the word of the process that has the descriptor; its end nobody waits for. */
  async #outcome(report: number, signal: AbortSignal | undefined): Promise<void> {
    const waiter = new Waiter(this.#shim, report);
    const outcome = new Int32Array(1);
    try {
      for (;;) {
        const result = this.#shim.symbols.vnet_peer_outcome(report, outcome);
        if (result >= 0) break;
        if (errnoName(this.#shim, -result) !== "EAGAIN") throw osError(this.#shim, -result, GUARD);
        await waiter.wait(READABLE, signal);
      }
      ensure(this.#shim, outcome[0] ?? 0, GUARD);
    } finally {
      await waiter.close();
    }
  }
}
