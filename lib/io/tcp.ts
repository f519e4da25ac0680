import net from "node:net";
import type { HostPort } from "../ip/mod.ts";

/** Opens the TCP connection below a TLS session; `dialThrough` makes one that goes through an HTTP proxy. */
export interface Dialer {
  (address: HostPort, signal: AbortSignal): Promise<net.Socket>;
  /** The HTTP proxy it goes through, as `host:port`. */
  readonly via?: string;
}

/** A connection that is silent for this long is probed; the kernel gives it up ten minutes later. */
const KEEPALIVE_MS = 60_000;

/** Opens a TCP connection with Nagle's algorithm off and keepalive on. */
export const dialTcp: Dialer = async (address, signal) => {
  signal.throwIfAborted();
  const socket = net.connect({
    host: address.host,
    port: address.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  socket.once("connect", resolve);
  socket.once("error", reject);
  try {
    await promise;
    socket.off("error", reject);
    return socket;
  } catch (thrown) {
    socket.on("error", () => {}); // an error after the abort has nobody to go to
    socket.destroy();
    throw thrown;
  } finally {
    signal.removeEventListener("abort", abort);
  }
};
