/**
 * The D-Bus message: a header of typed fields, a body of values. Nothing of sockets.
 *
 * @module
 * @see D-Bus Specification 0.43, "Message Protocol"
 */
import {
  BadMessage,
  DbusReader,
  type DbusValue,
  DbusWriter,
  splitSignature,
  type Variant,
} from "./value.ts";

type MessageType = "call" | "return" | "error" | "signal";

/** One message; what a kind of message does not have is `null`. */
export interface Message {
  readonly type: MessageType;
  readonly serial: number;
  readonly noReply: boolean;
  readonly path: string | null;
  readonly interface: string | null;
  readonly member: string | null;
  readonly errorName: string | null;
  readonly replySerial: number | null;
  readonly destination: string | null;
  readonly sender: string | null;
  readonly signature: string;
  readonly body: readonly DbusValue[];
}

/** Far above anything resolved or NetworkManager says, far below what would hurt. */
const MESSAGE_LIMIT_BYTES = 1 << 20;

const TYPES: readonly MessageType[] = ["call", "return", "error", "signal"];
const NO_REPLY = 1;
const FIXED_HEADER_BYTES = 16;
/** Encodes a message. @throws TypeError when a value does not fit its signature: our own slip. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const body = new DbusWriter();
  const parts = splitSignature(message.signature);
  if (parts === null || parts.length !== message.body.length) {
    throw new TypeError(`D-Bus body does not fit signature "${message.signature}"`);
  }
  parts.forEach((part, i) => body.put(part, message.body[i] as DbusValue));
  const head = new DbusWriter();
  head.put("y", 0x6c);
  head.put("y", TYPES.indexOf(message.type) + 1);
  head.put("y", message.noReply ? NO_REPLY : 0);
  head.put("y", 1);
  head.put("u", body.length);
  head.put("u", message.serial);
  head.put("a(yv)", headerFields(message));
  head.align(8);
  const out = new Uint8Array(head.length + body.length);
  out.set(head.bytes(), 0);
  out.set(body.bytes(), head.length);
  return out;
}

/**
 * Tells how long the message at the start of a buffer is.
 *
 * @returns Bytes, or `null` when fewer than 16 are there, or `"bad"` when no message begins like this.
 */
export function messageLength(bytes: Uint8Array): number | null | "bad" {
  if (bytes.length < FIXED_HEADER_BYTES) return null;
  const order = bytes[0];
  if (order !== 0x6c && order !== 0x42) return "bad";
  const view = new DataView(bytes.buffer, bytes.byteOffset, FIXED_HEADER_BYTES);
  const little = order === 0x6c;
  const fields = view.getUint32(12, little);
  const length = FIXED_HEADER_BYTES + fields + (-fields & 7) + view.getUint32(4, little);
  return length > MESSAGE_LIMIT_BYTES ? "bad" : length;
}

/** Decodes exactly one message. @returns `null` when the bytes are none. */
export function decodeMessage(bytes: Uint8Array): Message | null {
  const length = messageLength(bytes);
  if (length !== bytes.length) return null;
  const type = TYPES[(bytes[1] as number) - 1];
  if (type === undefined) return null;
  const reader = new DbusReader(bytes, bytes[0] === 0x6c);
  try {
    reader.offset = 8;
    const serial = reader.get("u") as number;
    const fields = new Map<number, DbusValue>();
    for (const field of reader.get("a(yv)") as [number, Variant][]) {
      fields.set(field[0], field[1].value);
    }
    reader.align(8);
    const text = (code: number) => {
      const value = fields.get(code);
      return typeof value === "string" ? value : null;
    };
    const signature = text(8) ?? "";
    const reply = fields.get(5);
    return {
      type,
      serial,
      noReply: ((bytes[2] as number) & NO_REPLY) !== 0,
      path: text(1),
      interface: text(2),
      member: text(3),
      errorName: text(4),
      replySerial: typeof reply === "number" ? reply : null,
      destination: text(6),
      sender: text(7),
      signature,
      body: (splitSignature(signature) ?? badSignature()).map((part) => reader.get(part)),
    };
  } catch (error) {
    if (error instanceof BadMessage) return null;
    throw error;
  }
}

function headerFields(message: Message): DbusValue[] {
  const fields: DbusValue[] = [];
  const add = (code: number, signature: string, value: string | number | null) => {
    if (value !== null && value !== "") fields.push([code, { signature, value }]);
  };
  add(1, "o", message.path);
  add(2, "s", message.interface);
  add(3, "s", message.member);
  add(4, "s", message.errorName);
  add(5, "u", message.replySerial);
  add(6, "s", message.destination);
  add(8, "g", message.signature);
  return fields;
}

function badSignature(): never {
  throw new BadMessage("signature");
}
