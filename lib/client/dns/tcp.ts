/**
 * DNS over one TCP connection: questions are read as they come, each answer leaves when it is ready.
 *
 * @module
 * @see RFC 7766 section 6.2.1.1
 */
import { frameMessage, FrameSplitter, REPLY_MAX_BYTES } from "../../dns/mod.ts";
import type { Responder } from "./udp.ts";
import type { TcpClient } from "./tcp_server.ts";

const QUERY_MAX_BYTES = 4096;
/** With so many answers owed, nothing more is read until one has left. */
const MAX_OWED = 64;

/** Serves one client until it is done, or says what is no message. */
export async function serveDnsStream(client: TcpClient, answer: Responder): Promise<void> {
  const splitter = new FrameSplitter({ maxBytes: QUERY_MAX_BYTES });
  const owed = new Set<Promise<void>>();
  const out = new Uint8Array(REPLY_MAX_BYTES);
  const owe = (reply: Promise<Uint8Array>) => {
    const sent = reply.then((bytes) => client.write(frameMessage(bytes))).catch(() => {
      // The client went away: its connection ends by itself.
    }).finally(() => owed.delete(sent));
    owed.add(sent);
  };
  for (let chunk = await client.read(); chunk !== null; chunk = await client.read()) {
    const messages = splitter.push(chunk);
    if (messages === null) break;
    for (const message of messages) {
      while (owed.size >= MAX_OWED) await Promise.race(owed);
      const written = answer(message, out, () => {
        const { promise, resolve } = Promise.withResolvers<Uint8Array>();
        owe(promise);
        return resolve;
      });
      if (written > 0) owe(Promise.resolve(out.slice(0, written)));
    }
    client.setPartial(splitter.isPartial);
  }
  await Promise.all(owed);
}
