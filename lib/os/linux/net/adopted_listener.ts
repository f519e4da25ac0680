/**
 * A listener of flows that another process opened: the kernel's own TCP ends connections at it in another network
 * namespace than this process's. The runtime takes no listener over but as Node's.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Endpoint, parseIp } from "../../../ip/mod.ts";
import type { Descriptor, FlowListener, LocalConn } from "../../machine.ts";
import { localEndpoint } from "./datagram.ts";
import type { Shim } from "../shim.ts";
import { acceptStreams } from "./stream_server.ts";

/** Accepted and taken by nobody yet; more are closed. */
const MAX_WAITING = 4096;

/** Takes over a listening descriptor, which becomes the listener's to close. */
export async function adoptFlows(shim: Shim, descriptor: Descriptor): Promise<FlowListener> {
  const { port } = localEndpoint(shim, descriptor);
  return await AdoptedListener.open(descriptor, port);
}

class AdoptedListener implements FlowListener {
  readonly port: number;
  readonly descriptor: Descriptor;
  readonly #accepted: LocalConn[] = [];
  #server: { close(): Promise<void> } | null = null;
  #wake: (() => void) | null = null;
  #closed = false;

  private constructor(descriptor: Descriptor, port: number) {
    this.descriptor = descriptor;
    this.port = port;
  }

  static async open(descriptor: Descriptor, port: number): Promise<AdoptedListener> {
    const listener = new AdoptedListener(descriptor, port);
    listener.#server = await acceptStreams(descriptor, (stream) => listener.#take(stream));
    return listener;
  }

  async accept(): Promise<LocalConn> {
    while (!this.#closed) {
      const conn = this.#accepted.shift();
      if (conn !== undefined) return conn;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    throw new Deno.errors.BadResource("The listener is closed");
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void this.#server?.close();
    for (const conn of this.#accepted.splice(0)) conn.close();
    this.#notify();
  }

  #take(stream: Duplex): void {
    const conn = streamConn(stream as Socket);
    if (conn === null || this.#closed || this.#accepted.length >= MAX_WAITING) {
      stream.on("error", () => {}); // It is closed, and nobody asks why it broke.
      stream.destroy();
      return;
    }
    this.#accepted.push(conn);
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

/** @returns `null` for a connection that is gone already. */
function streamConn(socket: Socket): StreamConn | null {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return null;
  return new StreamConn(socket, { address: parseIp(remoteAddress), port: remotePort });
}

/** A Node stream as a local half, with back pressure both ways. */
class StreamConn implements LocalConn {
  readonly remote: Endpoint;
  readonly #socket: Socket;
  #rest: Uint8Array = new Uint8Array();
  #ended = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket, remote: Endpoint) {
    this.#socket = socket;
    this.remote = remote;
    socket.on("readable", () => this.#notify());
    socket.on("end", () => this.#end(null));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(null));
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const bytes = this.#socket.read() as Uint8Array | null;
      if (bytes !== null) {
        this.#rest = bytes;
        break;
      }
      if (this.#failure !== null) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onClose = () => reject(this.#failure ?? new Error("The connection is closed"));
    if (this.#socket.destroyed) onClose();
    else {
      this.#socket.once("close", onClose);
      // Until it has left, the bytes are the caller's to keep.
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    }
    await promise.finally(() => this.#socket.off("close", onClose));
    return bytes.length;
  }

  async closeWrite(): Promise<void> {
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once("close", () => resolve());
    this.#socket.end(() => resolve());
    await promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #end(failure: Error | null): void {
    this.#ended = true;
    this.#failure ??= failure;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
