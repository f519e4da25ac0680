/**
 * Unix sockets that keep message borders, carry descriptors and say who is on the other end.
 *
 * @module
 * @see unix(7)
 */
import type { MessageSocket, ReceivedMessage } from "../../machine.ts";
import type { PeerCredentials } from "../../root_machine.ts";
import {
  type Act,
  closeFd,
  cString,
  ensure,
  errnoName,
  osError,
  type Shim,
  UNSET,
} from "../shim.ts";
import { READABLE, Waiter, WRITABLE } from "../waiter.ts";

/** No message is longer than this. */
export const MESSAGE_LIMIT_BYTES = 128 * 1024;

const FDS_LIMIT = 8;

/** A connected socket; messages of up to `MESSAGE_LIMIT_BYTES`, never empty. */
export class SeqpacketSocket implements MessageSocket {
  readonly #shim: Shim;
  readonly #fd: number;
  readonly #waiter: Waiter;
  readonly #buffer = new Uint8Array(MESSAGE_LIMIT_BYTES);

  private constructor(shim: Shim, fd: number) {
    this.#shim = shim;
    this.#fd = fd;
    this.#waiter = new Waiter(shim, fd);
  }

  /**
   * Connects to a listener.
   *
   * @throws {OsError} `socket-connect-failed`.
   */
  static connect(shim: Shim, path: string): SeqpacketSocket {
    const fd = ensure(shim, shim.symbols.vnet_unix_connect(cString(path)), {
      act: `connect to "${path}"`,
      call: "connect",
      code: "socket-connect-failed",
      cases: { ECONNREFUSED: { state: "nobody listens there" } },
    });
    return new SeqpacketSocket(shim, fd);
  }

  /** Makes two sockets that are connected to each other. */
  static pair(shim: Shim): [SeqpacketSocket, SeqpacketSocket] {
    const [first, second] = socketPair(shim);
    return [new SeqpacketSocket(shim, first), new SeqpacketSocket(shim, second)];
  }

  /** Takes over a descriptor, for example one this process was started with. */
  static fromFd(shim: Shim, fd: number): SeqpacketSocket {
    return new SeqpacketSocket(shim, fd);
  }

  /**
   * Takes over a descriptor that this process was started with, so that no program it starts gets it in turn:
   * whoever kept a copy would hide this process's end from its peer.
   *
   * @throws {OsError} `socket-failed`.
   */
  static inherited(shim: Shim, fd: number): SeqpacketSocket {
    const act: Act = { act: `take over descriptor ${fd}`, call: "sendmsg", code: "socket-failed" };
    const [near, far] = socketPair(shim);
    try {
      // what arrives in a message closes on exec; what a parent left does not
      const byte = new Uint8Array(1);
      const copies = new Int32Array(1);
      const count = new Int32Array(1);
      ensure(shim, shim.symbols.vnet_unix_send(near, byte, 1, Int32Array.of(fd), 1), act);
      ensure(shim, shim.symbols.vnet_unix_receive(far, byte, 1, copies, 1, count), act);
      closeFd(shim, fd);
      return new SeqpacketSocket(shim, copies[0] ?? -1);
    } finally {
      closeFd(shim, near);
      closeFd(shim, far);
    }
  }

  /** It stays this socket's. */
  get fd(): number {
    return this.#fd;
  }

  /** Says who is on the other end. */
  peer(): PeerCredentials {
    const out = new Uint32Array(3);
    ensure(this.#shim, this.#shim.symbols.vnet_unix_peer(this.#fd, out, out.length), {
      act: "read the peer's credentials",
      call: "SO_PEERCRED",
      code: "socket-failed",
    });
    return { pid: out[0] ?? 0, uid: out[1] ?? UNSET, gid: out[2] ?? UNSET };
  }

  /**
   * Sends one message; the descriptors stay the caller's. Waits while the peer's queue is full.
   *
   * @throws {OsError} `socket-send-failed`, errno `EPIPE` when the peer has gone.
   * @throws {RangeError} If the message is empty or too long, or has more than 8 descriptors.
   */
  async send(
    bytes: Uint8Array<ArrayBuffer>,
    fds: readonly number[] = [],
    signal?: AbortSignal,
  ): Promise<void> {
    if (bytes.length === 0 || bytes.length > MESSAGE_LIMIT_BYTES || fds.length > FDS_LIMIT) {
      throw new RangeError(
        `Cannot send a message of ${bytes.length} bytes, ${fds.length} descriptors`,
      );
    }
    const act = { act: "send a message", call: "sendmsg", code: "socket-send-failed" } as const;
    for (;;) {
      if (this.#waiter.closed) throw closedError(this.#shim, act);
      const result = this.#shim.symbols.vnet_unix_send(
        this.#fd,
        bytes,
        bytes.length,
        Int32Array.from(fds),
        fds.length,
      );
      if (result >= 0) return;
      if (errnoName(this.#shim, -result) !== "EAGAIN") throw osError(this.#shim, -result, act);
      await this.#waiter.wait(WRITABLE, signal);
    }
  }

  /**
   * Waits for one message.
   *
   * @returns The message, or `null` when the peer has gone or this socket was closed.
   * @throws {OsError} `socket-receive-failed`; the signal's reason when it is aborted.
   */
  async receive(signal?: AbortSignal): Promise<ReceivedMessage | null> {
    const fds = new Int32Array(FDS_LIMIT);
    const received = new Int32Array(1);
    for (;;) {
      signal?.throwIfAborted();
      if (this.#waiter.closed) return null;
      const result = this.#shim.symbols.vnet_unix_receive(
        this.#fd,
        this.#buffer,
        this.#buffer.length,
        fds,
        fds.length,
        received,
      );
      if (result > 0) {
        return { bytes: this.#buffer.slice(0, result), fds: [...fds.subarray(0, received[0])] };
      }
      const name = result === 0 ? "" : errnoName(this.#shim, -result);
      if (result === 0 || name === "ECONNRESET") return null;
      if (name !== "EAGAIN") {
        throw osError(this.#shim, -result, {
          act: "receive a message",
          call: "recvmsg",
          code: "socket-receive-failed",
        });
      }
      if (!await this.#waiter.wait(READABLE, signal)) return null;
    }
  }

  /** Ends pending calls, then closes the socket; more than once does no harm. */
  async close(): Promise<void> {
    if (this.#waiter.closed) return;
    await this.#waiter.close();
    closeFd(this.#shim, this.#fd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A listening socket at a path. */
export class SeqpacketListener implements AsyncDisposable {
  readonly #shim: Shim;
  readonly #fd: number;
  readonly #path: string;
  readonly #waiter: Waiter;

  private constructor(shim: Shim, fd: number, path: string) {
    this.#shim = shim;
    this.#fd = fd;
    this.#path = path;
    this.#waiter = new Waiter(shim, fd);
  }

  /**
   * Listens at a path. A socket that nobody answers on is taken over; anything else there is an error. To
   * find out, one connection is made and closed: a live listener sees an empty visit.
   *
   * @throws {OsError} `socket-busy` if somebody listens there, `socket-listen-failed` else.
   */
  static listen(
    shim: Shim,
    path: string,
    { mode = 0o600, uid = UNSET, gid = UNSET }: {
      readonly mode?: number;
      readonly uid?: number;
      readonly gid?: number;
    } = {},
  ): SeqpacketListener {
    const fd = ensure(shim, shim.symbols.vnet_unix_listen(cString(path), mode, uid, gid), {
      act: `listen on "${path}"`,
      call: "bind",
      code: "socket-listen-failed",
      cases: { EADDRINUSE: { code: "socket-busy", state: "another process listens there" } },
    });
    return new SeqpacketListener(shim, fd, path);
  }

  /**
   * Waits for a connection.
   *
   * @returns The connection, or `null` once closed.
   * @throws {OsError} `socket-accept-failed`; the signal's reason when it is aborted.
   */
  async accept(signal?: AbortSignal): Promise<SeqpacketSocket | null> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.#waiter.closed) return null;
      const fd = this.#shim.symbols.vnet_unix_accept(this.#fd);
      if (fd >= 0) return SeqpacketSocket.fromFd(this.#shim, fd);
      if (errnoName(this.#shim, -fd) !== "EAGAIN") {
        throw osError(this.#shim, -fd, {
          act: "accept a connection",
          call: "accept4",
          code: "socket-accept-failed",
        });
      }
      if (!await this.#waiter.wait(READABLE, signal)) return null;
    }
  }

  /** Ends pending calls, closes the socket and removes its file. */
  async close(): Promise<void> {
    if (this.#waiter.closed) return;
    await this.#waiter.close();
    await Deno.remove(this.#path).catch(ignoreMissing);
    closeFd(this.#shim, this.#fd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Makes two connected descriptors: one to keep, one for a child. */
export function socketPair(shim: Shim): [number, number] {
  const out = new Int32Array(2);
  ensure(shim, shim.symbols.vnet_unix_pair(out, out.length), {
    act: "make a pair of sockets",
    call: "socketpair",
    code: "socket-failed",
  });
  return [out[0] ?? -1, out[1] ?? -1];
}

function closedError(shim: Shim, act: Act): Error {
  const EBADF = 9;
  return osError(shim, EBADF, { ...act, cases: { EBADF: { state: "the socket is closed" } } });
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
