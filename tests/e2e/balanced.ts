/**
 * A load balancer's end of a connection: what it says before it, by the PROXY protocol, so that a test can come from
 * any address there is.
 *
 * @module
 */
import net from "node:net";
import { encodeIp, type HostPort, parseIp } from "../../lib/ip/mod.ts";
import type { Dialer } from "../../lib/io/mod.ts";

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

/** Where load balancers of tests are, on loopback. */
export const BALANCER = "127.0.0.2";

/** The header of version 2 for a TCP connection from this address. */
export function proxyHeader(address: string, port = 40_000): Uint8Array {
  const from = encodeIp(parseIp(address));
  const rest = [...from, ...new Uint8Array(from.length), port >> 8, port & 255, 1, 187];
  return Uint8Array.of(
    ...SIGNATURE,
    0x21,
    from.length === 4 ? 0x11 : 0x21,
    0,
    rest.length,
    ...rest,
  );
}

/** Connects to the proxy from an address of this host. */
export async function connectFrom(local: string, to: HostPort): Promise<net.Socket> {
  const socket = net.connect({ ...to, localAddress: local, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("connect", resolve);
  socket.once("error", reject);
  await promise;
  // What ends it later shows as its end
  socket.on("error", () => {});
  return socket;
}

/** Connects to the proxy as a balancer that says `header`. */
export async function connectBalanced(header: Uint8Array, to: HostPort): Promise<net.Socket> {
  const socket = await connectFrom(BALANCER, to);
  socket.write(header);
  return socket;
}

/** Dials as if from another address; `to` is where the proxy really is. */
export function dialFrom(address: string, to: HostPort): Dialer {
  return () => connectBalanced(proxyHeader(address), to);
}

/** Waits for the end of a connection. @returns What came before it. */
export async function readToEnd(socket: net.Socket): Promise<string> {
  let text = "";
  socket.on("data", (bytes: Uint8Array) => text += new TextDecoder().decode(bytes));
  if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return text;
}
