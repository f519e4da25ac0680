import { writeAll } from "../../io/mod.ts";
import type { FlowConn } from "../cluster/driver.ts";
import { HELD_MAX_BYTES, HostGuard, type HostNames, type HostVerdict } from "../../tunnel/mod.ts";

const FIRST_READ_BYTES = 4096;
/** How long half a request may keep the app waiting. */
const HELD_MS = 5_000;
/** How long, and how much of it, a refused program may go on sending before its connection is cut. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 1_048_576;

type HostRefusal = Extract<HostVerdict, { readonly kind: "refuse" }>;

/**
 * A program's connection whose first bytes are looked at before they go on: a plain HTTP request for a foreign host
 * is answered here and never reaches the app. Bytes to the program, and those of every other protocol, flow at once.
 */
export class GuardedConn implements FlowConn {
  readonly #conn: FlowConn;
  readonly #guard: HostGuard;
  readonly #heldMs: number;
  /** From `#from` to `#to` is what was read and not passed on; of that, `#readyBytes` may go on. */
  #buffer = new Uint8Array(FIRST_READ_BYTES);
  #from = 0;
  #to = 0;
  #readyBytes = 0;
  /** A read into the buffer that a deadline has overtaken. */
  #reading: Promise<number | null> | null = null;
  #deadline: PromiseWithResolvers<"late"> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPassing = false;
  #ended = false;
  #refusal: HostRefusal | null = null;

  constructor(conn: FlowConn, names: HostNames, { heldMs = HELD_MS } = {}) {
    this.#conn = conn;
    this.#guard = new HostGuard(names);
    this.#heldMs = heldMs;
  }

  /** Why the program was turned away; `null` if it was not. */
  get refusal(): { readonly host: string | null } | null {
    return this.#refusal;
  }

  /** @throws HostRefused once the program has been answered. */
  read(into: Uint8Array): Promise<number | null> {
    const isEmpty = this.#from === this.#to && this.#reading === null && !this.#ended;
    return this.#isPassing && isEmpty ? this.#conn.read(into) : this.#readGuarded(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#refusal === null ? this.#conn.write(bytes) : Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    return this.#refusal === null ? this.#conn.closeWrite() : Promise.resolve();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#conn.close();
  }

  async #readGuarded(into: Uint8Array): Promise<number | null> {
    while (this.#readyBytes === 0) {
      if (this.#ended) return null;
      await this.#take();
      if (this.#refusal !== null) {
        await this.#turnAway(this.#refusal);
        throw new HostRefused();
      }
    }
    const count = Math.min(this.#readyBytes, into.length);
    into.set(this.#buffer.subarray(this.#from, this.#from + count));
    this.#from += count;
    this.#readyBytes -= count;
    if (this.#isPassing && this.#from === this.#to && this.#reading === null) this.#forget();
    return count;
  }

  /** Reads some more, and decides. */
  async #take(): Promise<void> {
    const count = await this.#readMore();
    if (typeof count === "number") this.#to += count;
    else if (count === null) this.#ended = true;
    if (this.#isPassing) this.#readyBytes = this.#to - this.#from;
    else this.#decide(typeof count === "number");
  }

  async #readMore(): Promise<number | null | "late"> {
    if (this.#reading === null) {
      this.#makeRoom();
      this.#reading = this.#conn.read(this.#buffer.subarray(this.#to));
      this.#reading.catch(() => {}); // told to whoever awaits it next
    }
    const first = this.#deadline === null
      ? await this.#reading
      : await Promise.race([this.#reading, this.#deadline.promise]);
    if (first !== "late") this.#reading = null;
    return first;
  }

  #decide(mayGrow: boolean): void {
    const held = this.#buffer.subarray(this.#from, this.#to);
    let verdict: HostVerdict = mayGrow ? this.#guard.judge(held) : this.#guard.judgeLast(held);
    if (verdict.kind === "hold" && verdict.readyBytes === 0 && held.length >= HELD_MAX_BYTES) {
      verdict = this.#guard.judgeLast(held);
    }
    switch (verdict.kind) {
      case "hold":
        this.#readyBytes = verdict.readyBytes;
        return this.#setDeadline(verdict.readyBytes < held.length);
      case "pass":
        this.#readyBytes = held.length;
        this.#isPassing = true;
        return this.#setDeadline(false);
      case "refuse":
        this.#refusal = verdict;
        return this.#setDeadline(false);
      default:
        return verdict satisfies never;
    }
  }

  /** Moves what is held to the front, and grows with it. */
  #makeRoom(): void {
    const held = this.#buffer.subarray(this.#from, this.#to);
    if (held.length === this.#buffer.length) this.#buffer = new Uint8Array(HELD_MAX_BYTES);
    this.#buffer.set(held);
    this.#from = 0;
    this.#to = held.length;
  }

  /** There are many connections, and each is decided but once. */
  #forget(): void {
    this.#buffer = new Uint8Array(0);
    this.#from = 0;
    this.#to = 0;
  }

  /** Half a request has one deadline, however slowly it grows. */
  #setDeadline(isHolding: boolean): void {
    if (isHolding === (this.#deadline !== null)) return;
    clearTimeout(this.#timer);
    this.#deadline = null;
    if (!isHolding) return;
    const deadline = Promise.withResolvers<"late">();
    this.#timer = setTimeout(() => deadline.resolve("late"), this.#heldMs);
    this.#deadline = deadline;
  }

  /** Answers, and reads on for a while: closing with bytes unread would take the answer back from the program. */
  async #turnAway(refusal: HostRefusal): Promise<void> {
    await writeAll(this.#conn, refusal.reply);
    await this.#conn.closeWrite();
    const late = Promise.withResolvers<"late">();
    this.#timer = setTimeout(() => late.resolve("late"), LINGER_MS);
    let drained = 0;
    while (drained < LINGER_BYTES) {
      this.#reading ??= this.#conn.read(this.#buffer);
      const count = await Promise.race([this.#reading, late.promise]);
      if (count === null || count === "late") break;
      this.#reading = null;
      drained += count;
    }
    this.#reading?.catch(() => {}); // it ends when the connection is closed
    clearTimeout(this.#timer);
  }
}

/** The program was answered, and its connection is of no more use. */
class HostRefused extends Error {
  override readonly name = "HostRefused";

  constructor() {
    super("The request is for another host");
  }
}
