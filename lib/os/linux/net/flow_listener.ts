/**
 * The listeners where the kernel's own TCP ends the connections that the packet thread lets through.
 *
 * @module
 */
import { type Endpoint, formatIp, type IpAddress, parseIp } from "../../../ip/mod.ts";
import type { Descriptor, FlowListener, LocalConn } from "../../machine.ts";
import type { Shim } from "../shim.ts";
import { findListener } from "./sockets.ts";

/** A burst of connections is let through faster than it is accepted. */
const BACKLOG = 4096;

/** Listens on an address of the link, on a free port. @throws OsError `listener-unknown`; what `Deno.listen` throws */
export function listenFlows(shim: Shim, address: IpAddress): FlowListener {
  const where = { hostname: formatIp(address), port: 0, tcpBacklog: BACKLOG };
  const listener = Deno.listen(where);
  try {
    const { port } = listener.addr;
    return new TcpFlowListener(listener, findListener(shim, { address, port }));
  } catch (thrown) {
    listener.close();
    throw thrown;
  }
}

class TcpFlowListener implements FlowListener {
  readonly port: number;
  readonly descriptor: Descriptor;
  readonly #listener: Deno.TcpListener;
  #closed = false;

  constructor(listener: Deno.TcpListener, descriptor: Descriptor) {
    this.#listener = listener;
    this.port = listener.addr.port;
    this.descriptor = descriptor;
  }

  async accept(): Promise<LocalConn> {
    return new TcpLocalConn(await this.#listener.accept());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }
}

class TcpLocalConn implements LocalConn {
  readonly remote: Endpoint;
  readonly #conn: Deno.TcpConn;

  constructor(conn: Deno.TcpConn) {
    const { hostname, port } = conn.remoteAddr;
    this.remote = { address: parseIp(hostname), port };
    this.#conn = conn;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}
