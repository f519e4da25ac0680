/**
 * A D-Bus client, as small as talking to systemd-resolved, systemd-networkd and NetworkManager allows:
 * calls with a deadline, signals, and calls answered (what a service of our own needs).
 *
 * @module
 * @see D-Bus Specification 0.43, "Authentication Protocol", "Message Bus"
 */
import { DbusError, disconnected, unreachable } from "./error.ts";
import { decodeMessage, encodeMessage, type Message, messageLength } from "./message.ts";
import type { DbusValue } from "./value.ts";

/** Whom to call, and what. */
interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
  readonly timeoutMs?: number;
}

/** One property of one object. */
interface PropertyName {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly property: string;
}

/** What a service of our own answers a call with. */
export interface Answer {
  readonly signature: string;
  readonly body: readonly DbusValue[];
}

interface DbusOptions {
  readonly socket: string;
  readonly timeoutMs?: number;
  readonly onSignal?: (signal: Message) => void;
  /** Answers calls addressed to us; a thrown {@link DbusError} is sent as such. */
  readonly onCall?: (call: Message) => Promise<Answer>;
}

const BUS = "org.freedesktop.DBus";
const CALL_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 2_000;
const PENDING_LIMIT = 64;
const AUTH_LINE_LIMIT_BYTES = 4_096;

interface Waiting {
  readonly resolve: (body: readonly DbusValue[]) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A connection to a message bus. */
export class Dbus implements AsyncDisposable {
  readonly #connection: Deno.UnixConn;
  readonly #options: DbusOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closed = Promise.withResolvers<void>();
  #input = new Uint8Array(0);
  #serial = 0;
  #writes: Promise<void> = Promise.resolve();
  #end: Error | null = null;
  #pump: Promise<void> = Promise.resolve();
  #uniqueName = "";

  /**
   * Connects as the user of this process and says hello.
   *
   * @throws OsError `dbus-unreachable`
   */
  static async connect(options: DbusOptions): Promise<Dbus> {
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
    let connection: Deno.UnixConn;
    try {
      connection = await Deno.connect({ transport: "unix", path: options.socket });
    } catch (cause) {
      throw unreachable(options.socket, cause);
    }
    const bus = new Dbus(connection, options);
    const timer = setTimeout(() => bus.#shut(new Error("no answer in time")), timeoutMs);
    try {
      await bus.#authenticate();
      bus.#pump = bus.#read();
      const [name] = await bus.call({ ...busCall("Hello"), timeoutMs });
      bus.#uniqueName = String(name);
      return bus;
    } catch (cause) {
      await bus.close();
      throw unreachable(options.socket, cause);
    } finally {
      clearTimeout(timer);
    }
  }

  private constructor(connection: Deno.UnixConn, options: DbusOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Our unique name on the bus, like ":1.42". */
  get uniqueName(): string {
    return this.#uniqueName;
  }

  /** Settles when the connection has ended, whoever ended it. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /**
   * Calls a method.
   *
   * @returns The reply's values.
   * @throws DbusError the other side's error; `org.freedesktop.DBus.Error.NoReply` when none came in time
   */
  call(call: Call): Promise<readonly DbusValue[]> {
    if (this.#end !== null) return Promise.reject(disconnected(this.#end));
    if (this.#waiting.size >= PENDING_LIMIT) {
      return Promise.reject(
        new DbusError(`${BUS}.Error.LimitsExceeded`, "too many calls in flight"),
      );
    }
    const serial = this.#nextSerial();
    const bytes = encodeMessage({
      ...emptyMessage("call", serial),
      path: call.path,
      interface: call.interface,
      member: call.member,
      destination: call.destination,
      signature: call.signature ?? "",
      body: call.body ?? [],
    });
    const { promise, resolve, reject } = Promise.withResolvers<readonly DbusValue[]>();
    const timer = setTimeout(() => {
      this.#waiting.delete(serial);
      reject(new DbusError(`${BUS}.Error.NoReply`, `no answer to ${call.member} in time`));
    }, call.timeoutMs ?? CALL_TIMEOUT_MS);
    this.#waiting.set(serial, { resolve, reject, timer });
    this.#queue(bytes);
    return promise;
  }

  /** Reads one property. */
  async property(name: PropertyName, timeoutMs?: number): Promise<DbusValue> {
    const [value] = await this.call({
      destination: name.destination,
      path: name.path,
      interface: `${BUS}.Properties`,
      member: "Get",
      signature: "ss",
      body: [name.interface, name.property],
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    if (typeof value !== "object" || !("signature" in value)) {
      throw new DbusError(`${BUS}.Error.InvalidSignature`, `${name.property} is not a variant`);
    }
    return value.value;
  }

  /** Says whether somebody owns a name now. */
  async hasOwner(name: string): Promise<boolean> {
    const [owned] = await this.call({ ...busCall("NameHasOwner"), signature: "s", body: [name] });
    return owned === true;
  }

  /** Lists the names whose owner the bus would start when called. */
  async activatable(): Promise<readonly string[]> {
    const [names] = await this.call(busCall("ListActivatableNames"));
    return Array.isArray(names) ? names.map(String) : [];
  }

  /** Asks for signals that match a rule. @see D-Bus Specification, "Match Rules" */
  async addMatch(rule: string): Promise<void> {
    await this.call({ ...busCall("AddMatch"), signature: "s", body: [rule] });
  }

  /** Takes a name for a service of our own. @throws DbusError when it is taken */
  async requestName(name: string): Promise<void> {
    const doNotQueue = 4;
    const [reply] = await this.call({
      ...busCall("RequestName"),
      signature: "su",
      body: [name, doNotQueue],
    });
    if (reply !== 1) throw new DbusError(`${BUS}.Error.AddressInUse`, `name "${name}" is taken`);
  }

  /** Sends a signal. */
  emit(signal: Pick<Message, "path" | "interface" | "member" | "signature" | "body">): void {
    this.#send({ ...emptyMessage("signal", this.#nextSerial()), noReply: true, ...signal });
  }

  /** Ends the connection; calls in flight fail. */
  async close(): Promise<void> {
    this.#shut(new Error("closed"));
    await this.#pump;
    await this.#writes;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #authenticate(): Promise<void> {
    const uid = String(Deno.uid() ?? 0);
    const hex = [...uid].map((digit) => digit.charCodeAt(0).toString(16)).join("");
    await this.#write(new TextEncoder().encode(`\0AUTH EXTERNAL ${hex}\r\n`));
    let end: number;
    while ((end = this.#input.indexOf(0x0a)) < 0) {
      if (this.#input.length > AUTH_LINE_LIMIT_BYTES) throw new Error("endless greeting");
      if (!await this.#fill()) throw this.#end ?? new Error("connection closed");
    }
    const line = new TextDecoder().decode(this.#input.subarray(0, end)).trim();
    this.#input = this.#input.slice(end + 1);
    if (!line.startsWith("OK ")) throw new Error(`not let in: ${line}`);
    await this.#write(new TextEncoder().encode("BEGIN\r\n"));
  }

  async #read(): Promise<void> {
    while (this.#end === null) {
      const length = messageLength(this.#input);
      if (length === "bad") return this.#shut(new Error("not a D-Bus message"));
      if (length === null || this.#input.length < length) {
        if (!await this.#fill()) return;
        continue;
      }
      const message = decodeMessage(this.#input.subarray(0, length));
      this.#input = this.#input.slice(length);
      if (message === null) return this.#shut(new Error("malformed D-Bus message"));
      this.#deliver(message);
    }
  }

  async #fill(): Promise<boolean> {
    const chunk = new Uint8Array(16_384);
    let size: number | null;
    try {
      size = await this.#connection.read(chunk);
    } catch (error) {
      size = null;
      this.#shut(error instanceof Error ? error : new Error(String(error)));
    }
    if (size === null) {
      this.#shut(new Error("connection closed"));
      return false;
    }
    const joined = new Uint8Array(this.#input.length + size);
    joined.set(this.#input);
    joined.set(chunk.subarray(0, size), this.#input.length);
    this.#input = joined;
    return true;
  }

  #deliver(message: Message): void {
    switch (message.type) {
      case "return":
      case "error":
        return this.#answerArrived(message);
      case "signal":
        return this.#options.onSignal?.(message);
      case "call":
        void this.#serve(message);
        return;
      default:
        message.type satisfies never;
    }
  }

  #answerArrived(message: Message): void {
    const waiting = this.#waiting.get(message.replySerial ?? 0);
    if (waiting === undefined) return;
    this.#waiting.delete(message.replySerial ?? 0);
    clearTimeout(waiting.timer);
    if (message.type === "return") return waiting.resolve(message.body);
    const text = message.body[0];
    const name = message.errorName ?? `${BUS}.Error.Failed`;
    waiting.reject(new DbusError(name, typeof text === "string" ? text : ""));
  }

  async #serve(call: Message): Promise<void> {
    const reply = { destination: call.sender, replySerial: call.serial };
    try {
      const unknown = () => Promise.reject(new DbusError(`${BUS}.Error.UnknownMethod`, ""));
      const answer = await (this.#options.onCall ?? unknown)(call);
      if (call.noReply) return;
      this.#send({ ...emptyMessage("return", this.#nextSerial()), ...reply, ...answer });
    } catch (error) {
      if (call.noReply) return;
      const errorName = error instanceof DbusError ? error.errorName : `${BUS}.Error.Failed`;
      const text = error instanceof Error ? error.message.slice(0, 500) : "failed";
      const body = { signature: "s", body: [text] };
      this.#send({ ...emptyMessage("error", this.#nextSerial()), ...reply, errorName, ...body });
    }
  }

  #send(message: Message): void {
    this.#queue(encodeMessage(message));
  }

  #queue(bytes: Uint8Array): void {
    this.#writes = this.#writes.then(() => this.#write(bytes)).catch((error) => this.#shut(error));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length && this.#end === null;) {
      sent += await this.#connection.write(bytes.subarray(sent));
    }
  }

  #shut(reason: Error): void {
    if (this.#end !== null) return;
    this.#end = reason;
    this.#connection.close();
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(disconnected(reason));
    }
    this.#waiting.clear();
    this.#closed.resolve();
  }

  #nextSerial(): number {
    this.#serial = (this.#serial % 0xffff_ffff) + 1;
    return this.#serial;
  }
}

/** Tells whether a value is a list of structs of a certain width, as an `a(...)` must be. */
export function isRows(value: DbusValue | undefined, width: number): value is DbusValue[][] {
  return Array.isArray(value) && value.every((row) => Array.isArray(row) && row.length >= width);
}

function busCall(member: string): Call {
  return { destination: BUS, path: "/org/freedesktop/DBus", interface: BUS, member };
}

function emptyMessage(type: Message["type"], serial: number): Message {
  return {
    type,
    serial,
    noReply: false,
    path: null,
    interface: null,
    member: null,
    errorName: null,
    replySerial: null,
    destination: null,
    sender: null,
    signature: "",
    body: [],
  };
}
