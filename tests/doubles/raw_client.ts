/**
 * A client of the helper that says what it likes, as a daemon does that is not its user's any more.
 *
 * @module
 */
import type { Descriptor, MessageSocket, Sockets } from "../../lib/os/mod.ts";
import {
  HELPER_PROTOCOL,
  type HelperError,
  type HelperReply,
  type HelperRequest,
} from "../../lib/wire/mod.ts";

export type RawRequest = HelperRequest extends infer R
  ? R extends unknown ? Omit<R, "v" | "id"> : never
  : never;

export class RawClient implements Disposable {
  readonly #socket: MessageSocket;
  readonly #sockets: Pick<Sockets, "close">;
  readonly #kept: Descriptor[] = [];
  #id = 0;

  /** @param sockets Closes the descriptors that come with answers. */
  constructor(socket: MessageSocket, sockets: Pick<Sockets, "close">) {
    this.#socket = socket;
    this.#sockets = sockets;
  }

  /** @returns What it was refused with; the value if it was not. */
  async ask(request: RawRequest): Promise<HelperError | { readonly value: unknown }> {
    const id = ++this.#id;
    const message = JSON.stringify({ v: HELPER_PROTOCOL, id, ...request });
    await this.#socket.send(new TextEncoder().encode(message));
    for (;;) {
      const received = await this.#socket.receive();
      if (received === null) throw new TypeError("The helper hung up");
      this.#kept.push(...received.fds);
      const reply: HelperReply = JSON.parse(new TextDecoder().decode(received.bytes));
      if ("error" in reply) return reply.error;
      if ("ok" in reply) return { value: reply.ok };
    }
  }

  /** Closes the descriptors that came with answers: a link lasts no longer than its TUN is open. */
  [Symbol.dispose](): void {
    for (const fd of this.#kept.splice(0)) this.#sockets.close(fd);
  }

  /** @returns What it was refused with; `null` if it was not. */
  async codeOf(request: RawRequest): Promise<string | null> {
    const answer = await this.ask(request);
    return "code" in answer ? answer.code : null;
  }
}

/** Asks for a link with just IPv4. */
export function openRequest(range: string): RawRequest {
  const self = range.replace(/\d+\/\d+$/, "1");
  return { op: "open", link: null, ipv4: { self, range }, ipv6: null };
}

/** Asks for just these routes, and leaves the resolver alone. */
export function applyRequest(...routes: readonly string[]): RawRequest {
  return { op: "apply", routes: [...routes], dns: null };
}
