/**
 * UDP in batches: one system call receives or sends many datagrams, into buffers made once.
 *
 * @module
 * @see recvmmsg(2)
 */
import { encodeIp, type Endpoint, formatEndpoint } from "../../../ip/mod.ts";
import { type DatagramBatch, ENDPOINT_BYTES, readEndpoint } from "../../datagram_batch.ts";
import type { AnswerStore, DatagramSocket } from "../../machine.ts";
import { closeFd, ensure, errnoName, osError, type Shim } from "../shim.ts";
import { READABLE, Waiter, WRITABLE } from "../waiter.ts";

/** A UDP socket, bound to one endpoint. */
export class UdpSocket implements DatagramSocket {
  readonly #shim: Shim;
  readonly #waiter: Waiter;
  /** The descriptor, to pass on to another process; it stays this socket's. */
  readonly fd: number;
  readonly localEndpoint: Endpoint;
  #emptyErrno = 0;
  #known: AnswerStore | null = null;

  private constructor(shim: Shim, fd: number) {
    this.#shim = shim;
    this.fd = fd;
    this.#waiter = new Waiter(shim, fd);
    this.localEndpoint = localEndpoint(shim, fd);
  }

  /**
   * Binds a socket; port 0 lets the kernel choose.
   *
   * @throws {OsError} `udp-bind-failed`, `udp-busy` if the endpoint is taken.
   */
  static bind(shim: Shim, endpoint: Endpoint): UdpSocket {
    return new UdpSocket(shim, udpBind(shim, endpoint));
  }

  /** Takes over a bound, nonblocking descriptor. */
  static fromFd(shim: Shim, fd: number): UdpSocket {
    return new UdpSocket(shim, fd);
  }

  /**
   * Has queries in the table answered by the shim from here on; only the others are received. The table must live
   * until the socket is closed.
   */
  answerFrom(known: AnswerStore): void {
    this.#known = known;
  }

  /**
   * Receives what is there without waiting. Errors of earlier sends (an ICMP answer) are skipped.
   *
   * @returns The number of datagrams, 0 if there is none.
   */
  tryReceive(batch: DatagramBatch): number {
    if (this.#waiter.closed) return 0;
    for (let skipped = 0;; skipped++) {
      const result = this.#receiveOnce(batch);
      if (result >= 0) return result;
      if (this.#isEmpty(-result)) return 0;
      if (skipped >= batch.count) this.#failReceiving(-result);
      this.#skipSoft(-result);
    }
  }

  /**
   * Waits for at least one datagram.
   *
   * @returns The number received, or 0 once closed.
   * @throws {OsError} `udp-receive-failed`; the signal's reason when it is aborted.
   */
  async receive(batch: DatagramBatch, signal?: AbortSignal): Promise<number> {
    for (;;) {
      signal?.throwIfAborted();
      const received = this.tryReceive(batch);
      if (received > 0) return received;
      const waited = await this.#waitFor(batch, signal);
      if (waited !== 0) return waited ?? 0;
    }
  }

  #receiveOnce({ data, slotBytes, endpoints, lengths, count }: DatagramBatch): number {
    const { symbols } = this.#shim;
    return this.#known === null
      ? symbols.vnet_udp_receive(this.fd, data, slotBytes, endpoints, lengths, count)
      : symbols.vnet_answers_receive(
        this.#known.handle,
        this.fd,
        data,
        slotBytes,
        endpoints,
        lengths,
        count,
      );
  }

  /** @returns How many were received meanwhile, 0 to look oneself, `null` once closed. */
  async #waitFor(batch: DatagramBatch, signal?: AbortSignal): Promise<number | null> {
    const known = this.#known;
    if (known === null) return await this.#waiter.wait(READABLE, signal) ? 0 : null;
    const { data, slotBytes, endpoints, lengths, count } = batch;
    const result = await this.#waiter.waitBy((wake) =>
      this.#shim.symbols.vnet_answers_wait(
        known.handle,
        this.fd,
        data,
        slotBytes,
        endpoints,
        lengths,
        count,
        wake,
      ), signal);
    if (result === null || result >= 0) return result;
    this.#skipSoft(-result);
    return 0;
  }

  /** An ICMP answer to something sent earlier is no reason to stop. */
  #skipSoft(errno: number): void {
    if (!SOFT_ERRORS.has(errnoName(this.#shim, errno))) this.#failReceiving(errno);
  }

  #failReceiving(errno: number): never {
    throw osError(this.#shim, errno, {
      act: "receive datagrams",
      call: "recvmmsg",
      code: "udp-receive-failed",
    });
  }

  /**
   * Sends the first slots of a batch without waiting; what the kernel will not take is lost, as UDP may be.
   *
   * @returns The number of datagrams the kernel took.
   */
  trySend(batch: DatagramBatch, count: number = batch.count): number {
    let start = 0;
    let sent = 0;
    while (start < count && !this.#waiter.closed) {
      const result = this.#sendFrom(batch, start, count);
      if (result >= 0) sent += result;
      else if (errnoName(this.#shim, -result) === "EAGAIN") break;
      // the first datagram cannot be sent (no route, ICMP answer): the others still can
      start += Math.max(result, 1);
    }
    return sent;
  }

  /** Sends the first slots of a batch, waiting while the kernel's buffer is full. */
  async send(batch: DatagramBatch, count: number = batch.count): Promise<number> {
    const sent = this.trySend(batch, count);
    if (sent > 0 || count === 0 || !await this.#waiter.wait(WRITABLE)) return sent;
    return this.trySend(batch, count);
  }

  /** Whether an errno is EAGAIN, whose number is looked up once: a busy socket says it all the time. */
  #isEmpty(errno: number): boolean {
    if (errno === this.#emptyErrno) return true;
    if (errnoName(this.#shim, errno) !== "EAGAIN") return false;
    this.#emptyErrno = errno;
    return true;
  }

  #sendFrom(batch: DatagramBatch, start: number, end: number): number {
    return this.#shim.symbols.vnet_udp_send(
      this.fd,
      batch.data.subarray(start * batch.slotBytes),
      batch.slotBytes,
      batch.endpoints.subarray(start * ENDPOINT_BYTES),
      batch.lengths.subarray(start),
      end - start,
    );
  }

  /** Ends pending calls, then closes the socket. */
  async close(): Promise<void> {
    if (this.#waiter.closed) return;
    await this.#waiter.close();
    closeFd(this.#shim, this.fd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What a UDP socket says about datagrams sent earlier. */
const SOFT_ERRORS: ReadonlySet<string> = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"]);

/**
 * Binds a UDP socket and returns the bare descriptor, to pass to another process.
 *
 * @throws {OsError} `udp-bind-failed`, `udp-busy` if the endpoint is taken.
 */
export function udpBind(shim: Shim, endpoint: Endpoint): number {
  const bytes = encodeIp(endpoint.address);
  return ensure(shim, shim.symbols.vnet_udp_bind(bytes, bytes.length, endpoint.port), {
    act: `listen on UDP ${formatEndpoint(endpoint)}`,
    call: "bind",
    code: "udp-bind-failed",
    cases: {
      EADDRINUSE: { code: "udp-busy", state: "another process listens there" },
      EACCES: { code: "udp-bind-denied", hint: "Ports below 1024 need privilege" },
    },
  });
}

/**
 * Listens on TCP and returns the bare descriptor, for `node:net` `server.listen({ fd })`.
 *
 * @throws {OsError} `tcp-listen-failed`, `tcp-busy` if the endpoint is taken.
 */
export function tcpListen(shim: Shim, endpoint: Endpoint, backlog = 511): number {
  const bytes = encodeIp(endpoint.address);
  return ensure(
    shim,
    shim.symbols.vnet_tcp_listen(bytes, bytes.length, endpoint.port, backlog),
    {
      act: `listen on TCP ${formatEndpoint(endpoint)}`,
      call: "listen",
      code: "tcp-listen-failed",
      cases: {
        EADDRINUSE: { code: "tcp-busy", state: "another process listens there" },
        EACCES: { code: "tcp-listen-denied", hint: "Ports below 1024 need privilege" },
      },
    },
  );
}

/** Says where a socket is bound. */
export function localEndpoint(shim: Shim, fd: number): Endpoint {
  const out = new Uint8Array(ENDPOINT_BYTES);
  ensure(shim, shim.symbols.vnet_socket_local(fd, out, out.length), {
    act: `find the endpoint of descriptor ${fd}`,
    call: "getsockname",
    code: "socket-failed",
  });
  return readEndpoint(new DataView(out.buffer), 0);
}
