import { writeAll } from "../../io/mod.ts";
import type { FlowConn } from "../cluster/driver.ts";
import { HELD_MAX_BYTES, HostGuard, type HostNames, type HostVerdict } from "../../tunnel/mod.ts";

const HELD_BYTES = 4096;
/** How long half a request may keep the app waiting, and what may be half a request. */
const HELD_MS = 5_000;
const UNCERTAIN_MS = 500;
/** How long, and how much of it, a refused program may go on sending before its connection is cut. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 1_048_576;
const NO_BYTES = new Uint8Array(0);

type HostHold = Extract<HostVerdict, { readonly kind: "hold" }>;
type HostRefusal = Extract<HostVerdict, { readonly kind: "refuse" }>;

/**
 * A program's connection whose requests are looked at before they go on: a plain HTTP request for a foreign host
 * never reaches the app. The first of a connection is answered here. A later one ends the connection, once the app has
 * nothing more to say to those before it; clients ask again over a new one, and get their answer there. Bytes to the
 * program, bodies, and every other protocol flow at once.
 */
export class GuardedConn implements FlowConn {
  readonly #conn: FlowConn;
  readonly #guard: HostGuard;
  readonly #heldMs: number;
  readonly #uncertainMs: number;
  readonly #lingerMs: number;
  /** From `#from` to `#to` is what was read and not passed on; of that, `#readyBytes` may go on. */
  #buffer = NO_BYTES;
  #from = 0;
  #to = 0;
  #readyBytes = 0;
  /** After what is held, so much need not be looked at. */
  #freeBytes = 0;
  /** A read into the buffer that a deadline has overtaken. */
  #reading: Promise<number | null> | null = null;
  #deadline: Deadline | null = null;
  #isPassing = false;
  #ended = false;
  #refusal: HostRefusal | null = null;
  #linger: Deadline | null = null;

  constructor(
    conn: FlowConn,
    names: HostNames,
    { heldMs = HELD_MS, uncertainMs = UNCERTAIN_MS, lingerMs = LINGER_MS } = {},
  ) {
    this.#conn = conn;
    this.#guard = new HostGuard(names);
    this.#heldMs = heldMs;
    this.#uncertainMs = uncertainMs;
    this.#lingerMs = lingerMs;
  }

  /** Why the program was turned away; `null` if it was not. */
  get refusal(): { readonly host: string | null } | null {
    return this.#refusal;
  }

  /** @throws HostRefused once the program has been answered. */
  read(into: Uint8Array): Promise<number | null> {
    const isFree = this.#isPassing && this.#isEmpty && !this.#ended;
    return isFree ? this.#conn.read(into) : this.#readGuarded(into);
  }

  async #readGuarded(into: Uint8Array): Promise<number | null> {
    while (this.#readyBytes === 0) {
      if (this.#ended) return null;
      if (this.#isEmpty) {
        const isFree = this.#isPassing || this.#freeBytes > 0;
        const count = await (isFree ? this.#readFree(into) : this.#readFresh(into));
        if (count !== 0) return count;
      } else {
        await this.#take();
      }
      if (this.#refusal !== null) {
        await this.#turnAway(this.#refusal);
        throw new HostRefused();
      }
    }
    const count = Math.min(this.#readyBytes, into.length);
    into.set(this.#buffer.subarray(this.#from, this.#from + count));
    this.#from += count;
    this.#readyBytes -= count;
    // There are many connections, and most of them are idle.
    if (this.#from === this.#to && this.#reading === null) this.#hold(NO_BYTES);
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#refusal === null) return await this.#conn.write(bytes);
    if (this.#refusal.reply !== null) return bytes.length;
    const count = await this.#conn.write(bytes);
    this.#linger?.start(this.#lingerMs);
    return count;
  }

  async closeWrite(): Promise<void> {
    if (this.#refusal === null) return await this.#conn.closeWrite();
    if (this.#refusal.reply !== null) return;
    this.#linger?.start(0);
    await this.#conn.closeWrite();
  }

  close(): void {
    this.#deadline?.stop();
    this.#linger?.stop();
    this.#conn.close();
  }

  /** Nothing waits, and nothing is being read to wait. */
  get #isEmpty(): boolean {
    return this.#from === this.#to && this.#reading === null;
  }

  /** What need not be looked at goes on as it comes. */
  async #readFree(into: Uint8Array): Promise<number | null> {
    if (this.#isPassing) return await this.#conn.read(into);
    const count = await this.#conn.read(into.subarray(0, this.#freeBytes));
    if (count === null) this.#ended = true;
    else this.#freeBytes -= count;
    return count;
  }

  /** Reads right into the caller's bytes, and keeps for itself only what may not go on yet. */
  async #readFresh(into: Uint8Array): Promise<number | null> {
    const count = await this.#conn.read(into);
    if (count === null) {
      this.#ended = true;
      return null;
    }
    const read = into.subarray(0, count);
    const verdict = this.#guard.judge(read);
    if (verdict.kind === "hold" && verdict.readyBytes < count) {
      this.#hold(read.subarray(verdict.readyBytes));
    }
    this.#follow(verdict.kind === "hold" ? { ...verdict, readyBytes: 0 } : verdict);
    return verdict.kind === "hold" ? verdict.readyBytes : verdict.kind === "pass" ? count : 0;
  }

  /** Reads some more, and decides. */
  async #take(): Promise<void> {
    const count = await this.#readMore();
    if (typeof count === "number") this.#to += count;
    else if (count === null) this.#ended = true;
    const held = this.#buffer.subarray(this.#from, this.#to);
    if (this.#isPassing) this.#readyBytes = held.length;
    else {this.#follow(
        typeof count === "number" ? this.#guard.judge(held) : this.#guard.judgeLast(held),
      );}
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

  #follow(verdict: HostVerdict): void {
    switch (verdict.kind) {
      case "hold":
        this.#readyBytes = verdict.readyBytes;
        this.#freeBytes = verdict.freeBytes;
        return this.#setDeadline(verdict);
      case "pass":
        this.#readyBytes = this.#to - this.#from;
        this.#isPassing = true;
        return this.#setDeadline(null);
      case "refuse":
        this.#refusal = verdict;
        return this.#setDeadline(null);
      default:
        return verdict satisfies never;
    }
  }

  /** Makes these bytes what is held. */
  #hold(bytes: Uint8Array): void {
    this.#buffer = bytes.length === 0
      ? NO_BYTES
      : new Uint8Array(bytes.length < HELD_BYTES ? HELD_BYTES : HELD_MAX_BYTES);
    this.#buffer.set(bytes);
    this.#from = 0;
    this.#to = bytes.length;
  }

  /** Moves what is held to the front, and grows with it. */
  #makeRoom(): void {
    const held = this.#buffer.subarray(this.#from, this.#to);
    if (held.length === this.#buffer.length) return this.#hold(held);
    this.#buffer.set(held);
    this.#from = 0;
    this.#to = held.length;
  }

  /** Half a request has one deadline, however slowly it grows. */
  #setDeadline(hold: HostHold | null): void {
    const isHolding = hold !== null && hold.readyBytes < this.#to - this.#from;
    const ms = !isHolding ? null : hold.certain ? this.#heldMs : this.#uncertainMs;
    if (ms !== null && this.#deadline?.ms === ms && hold?.readyBytes === 0) return;
    this.#deadline?.stop();
    this.#deadline = ms === null ? null : new Deadline(ms);
  }

  /**
   * Answers, or waits until the app has said all it has to say; reads on meanwhile, for closing with bytes unread would
   * take back from the program what it was told.
   */
  async #turnAway({ reply }: HostRefusal): Promise<void> {
    if (reply !== null) {
      await writeAll(this.#conn, reply);
      await this.#conn.closeWrite();
    }
    const linger = this.#linger = new Deadline(this.#lingerMs);
    const rest = new Uint8Array(HELD_BYTES);
    let drained = 0;
    while (drained < LINGER_BYTES) {
      this.#reading ??= this.#conn.read(rest);
      const count = await Promise.race([this.#reading, linger.promise]);
      if (count === null && reply === null) await linger.promise;
      if (count === null || count === "late") break;
      this.#reading = null;
      drained += count;
    }
    this.#reading?.catch(() => {}); // it ends when the connection is closed
    linger.stop();
  }
}

/** A promise that is kept when the time is over. */
class Deadline {
  readonly ms: number;
  readonly #late = Promise.withResolvers<"late">();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.ms = ms;
    this.start(ms);
  }

  get promise(): Promise<"late"> {
    return this.#late.promise;
  }

  /** Begins anew. */
  start(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#late.resolve("late"), ms);
  }

  stop(): void {
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
