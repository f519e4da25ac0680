/**
 * Sockets of messages in memory: borders are kept, descriptors travel along, and an end that nobody holds is gone.
 *
 * @module
 */
import { OsError } from "../../../lib/error.ts";
import type { Descriptor, MessageSocket, ReceivedMessage } from "../../../lib/os/mod.ts";
import type { Descriptors, Thing } from "./descriptors.ts";
import { Queue } from "./queue.ts";

interface Message {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly things: readonly Thing[];
}

/** One end of a pair. */
export class MessageEnd implements Thing {
  readonly what = "message socket";
  readonly inbox = new Queue<Message>();
  readonly #descriptors: Descriptors;
  peer: MessageEnd | null = null;

  constructor(descriptors: Descriptors) {
    this.#descriptors = descriptors;
  }

  static pair(descriptors: Descriptors): [MessageEnd, MessageEnd] {
    const near = new MessageEnd(descriptors);
    const far = new MessageEnd(descriptors);
    near.peer = far;
    far.peer = near;
    return [near, far];
  }

  end(): void {
    this.peer?.inbox.end();
    if (this.peer !== null) this.peer.peer = null;
    this.peer = null;
    this.inbox.end();
    for (const { things } of this.inbox.takeNow()) {
      for (const thing of things) this.#descriptors.drop(thing);
    }
  }
}

/** A socket that holds one end. */
export class MemoryMessages implements MessageSocket {
  readonly #descriptors: Descriptors;
  readonly #descriptor: Descriptor;
  readonly #end: MessageEnd;
  readonly #closing = new AbortController();

  constructor(descriptors: Descriptors, descriptor: Descriptor) {
    this.#descriptors = descriptors;
    this.#descriptor = descriptor;
    this.#end = descriptors.get(descriptor, MessageEnd);
  }

  async send(
    bytes: Uint8Array<ArrayBuffer>,
    descriptors: readonly Descriptor[] = [],
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted();
    const { peer } = this.#end;
    if (peer === null || this.#closing.signal.aborted) {
      throw new OsError("socket-send-failed", "Cannot send a message: the peer is gone (EPIPE)", {
        call: "sendmsg",
        errno: "EPIPE",
      });
    }
    const things = descriptors.map((descriptor) => this.#descriptors.find(descriptor));
    for (const thing of things) this.#descriptors.use(thing);
    peer.inbox.put({ bytes: bytes.slice(), things });
    await Promise.resolve();
  }

  async receive(signal?: AbortSignal): Promise<ReceivedMessage | null> {
    signal?.throwIfAborted();
    const closing = this.#closing.signal;
    const until = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    const message = await this.#end.inbox.take(until).catch((thrown) => {
      if (closing.aborted) return null;
      throw thrown;
    });
    if (message === null) return null;
    const fds = message.things.map((thing) => this.#descriptors.add(thing));
    for (const thing of message.things) this.#descriptors.drop(thing);
    return { bytes: message.bytes, fds };
  }

  close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort();
      this.#descriptors.close(this.#descriptor);
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
