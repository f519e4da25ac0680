/**
 * A network that wants a sign-in first answers in everybody's place: whoever asks the proxy's own host for a web page is
 * sent to another. No other server is asked.
 *
 * @module
 * @see RFC 8952 section 2.2, RFC 6585 section 6
 */
import { type Dialer, HeadCutOff, parseHead, readHead } from "../../../io/mod.ts";
import { formatHost, parseHost } from "../../../ip/mod.ts";
import { withDeadline } from "../../../wait.ts";
import type { Stranger } from "../driver.ts";

const PORTAL_MS = 3_000;
const MAX_HEAD_BYTES = 8 * 1024;
const HTTP_PORT = 80;

/** Asks the proxy's host for a web page, without TLS. @returns Who answers in its place; `null` if nobody does so */
export async function findPortal(
  host: string,
  dial: Dialer,
  signal: AbortSignal,
): Promise<Stranger | null> {
  try {
    return readPortal(await withDeadline(PORTAL_MS, signal, (both) => ask(host, dial, both)), host);
  } catch {
    return null; // nobody there, or nothing that can be read
  }
}

async function ask(host: string, dial: Dialer, signal: AbortSignal): Promise<string> {
  const socket = await dial({ host, port: HTTP_PORT }, signal);
  socket.on("error", () => {}); // shows as the end
  try {
    socket.write(`GET / HTTP/1.1\r\nHost: ${formatHost(host)}\r\nConnection: close\r\n\r\n`);
    return (await readHead(socket, MAX_HEAD_BYTES, signal)).head;
  } catch (thrown) {
    if (thrown instanceof HeadCutOff) return thrown.head; // half of it may say enough
    throw thrown;
  } finally {
    socket.destroy();
  }
}

/** Reads the head of an answer. @returns `null` for one that the host itself may give */
export function readPortal(head: string, host: string): Stranger | null {
  const { status = 0, fields = "" } = parseHead(head) ?? {};
  const [, location = ""] = /^location:[ \t]*(\S+)/im.exec(fields) ?? [];
  const [, written = ""] = /^https?:\/\/(?:[^/?#@]*@)?(\[[^\]]+\]|[^/?#:]+)/i.exec(location) ?? [];
  const other = parseHost(written);
  if (status === 511) return { host: other };
  if (status < 300 || status > 399 || other === null || other === host) return null;
  return { host: other };
}
