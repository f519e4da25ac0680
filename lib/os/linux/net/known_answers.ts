/**
 * Replies that the shim gives by itself, on the thread that waits for datagrams: JavaScript hears only of the
 * queries it has not answered before.
 *
 * @module
 * @see ffi/answer.h
 */
import { ANSWER_BYTES } from "deno_tun";
import type { AnswerStore } from "../../machine.ts";
import { osError, type Shim } from "../shim.ts";

const ID_BYTES = 2;

/**
 * A bounded table from queries to their replies, byte for byte; only the first two bytes, the id, may differ.
 * Whoever fills it must clear it when any reply in it is no longer the right one.
 */
export class KnownAnswers implements AnswerStore {
  readonly #shim: Shim;
  /** The table's, for the calls of the shim that take one. */
  readonly handle: bigint;
  /** What was counted when it was freed; `null` until then. */
  #last: number | null = null;

  constructor(shim: Shim) {
    this.#shim = shim;
    this.handle = shim.symbols.vnet_answers_open();
    if (this.handle >= 0n) return;
    throw osError(shim, Number(-this.handle), {
      act: "make a table of answers",
      call: "calloc",
      code: "answers-failed",
    });
  }

  /** How many queries were answered from here. */
  get given(): number {
    return this.#last ?? Number(this.#shim.symbols.vnet_answers_given(this.handle));
  }

  /** Keeps a reply if it is not too long. The bytes are copied; when full, all others are forgotten first. */
  put(query: Uint8Array, reply: Uint8Array): void {
    const bytes = query.length + reply.length - 2 * ID_BYTES;
    if (this.#last !== null || bytes > ANSWER_BYTES) return;
    this.#shim.symbols.vnet_answers_put(
      this.handle,
      query as Uint8Array<ArrayBuffer>,
      query.length,
      reply as Uint8Array<ArrayBuffer>,
      reply.length,
    );
  }

  /** Forgets every reply: from here on each query is handed over again. */
  clear(): void {
    if (this.#last === null) this.#shim.symbols.vnet_answers_clear(this.handle);
  }

  /** Frees the table. The sockets that use it must be closed. */
  [Symbol.dispose](): void {
    if (this.#last !== null) return;
    this.#last = this.given;
    this.#shim.symbols.vnet_answers_free(this.handle);
  }
}
