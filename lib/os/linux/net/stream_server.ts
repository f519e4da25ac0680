/**
 * Accepting streams on a listening descriptor that somebody else opened.
 *
 * @module
 */
import net from "node:net";
import type { Duplex } from "node:stream";
import type { Descriptor } from "../../machine.ts";

/**
 * Accepts connections, each half closed on its own; the descriptor becomes the server's to close.
 *
 * @returns What ends it: no more are accepted, and it settles when the last that was there has ended.
 */
export async function acceptStreams(
  descriptor: Descriptor,
  onStream: (stream: Duplex) => void,
): Promise<{ close(): Promise<void> }> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, onStream);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ fd: descriptor }, resolve);
  await promise;
  return {
    close() {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      return closed.promise;
    },
  };
}
