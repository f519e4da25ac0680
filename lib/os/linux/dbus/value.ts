/**
 * D-Bus values as bytes, by their signatures. Little-endian out, either order in.
 *
 * A value and its signature: `y n q i u` number · `x t` bigint · `d` number · `b` boolean · `s o g` string ·
 * `v` {@link Variant} · `ay` Uint8Array · other arrays and structs as arrays · dicts as Map.
 *
 * @module
 * @see D-Bus Specification 0.43, "Type System", "Marshaling"
 */

export type DbusValue =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | Variant
  | readonly DbusValue[]
  | ReadonlyMap<DbusValue, DbusValue>;

/** A value that carries its own type. */
export interface Variant {
  readonly signature: string;
  readonly value: DbusValue;
}

/** Nesting the specification allows: 32 arrays, 32 structs. */
const DEPTH_LIMIT = 64;

const ALIGN: Readonly<Record<string, number>> = {
  ...{ y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, h: 4, s: 4, o: 4, a: 4 },
  ...{ x: 8, t: 8, d: 8, "(": 8, "{": 8 },
};

/** Splits a signature into its complete types. @returns `null` when it is none. */
export function splitSignature(signature: string): string[] | null {
  const parts: string[] = [];
  for (let at = 0; at < signature.length;) {
    const end = endOfType(signature, at, 0);
    if (end === null) return null;
    parts.push(signature.slice(at, end));
    at = end;
  }
  return parts;
}

function endOfType(signature: string, start: number, depth: number): number | null {
  if (depth > DEPTH_LIMIT) return null;
  const code = signature[start];
  if (code === undefined) return null;
  if (code === "a") return endOfType(signature, start + 1, depth + 1);
  if (code !== "(" && code !== "{") return "ybnqiuxtdsogvh".includes(code) ? start + 1 : null;
  const close = code === "(" ? ")" : "}";
  let at = start + 1;
  let members = 0;
  while (signature[at] !== close) {
    const end = endOfType(signature, at, depth + 1);
    if (end === null) return null;
    at = end;
    members++;
  }
  // An empty struct would be an array element without size; a dict entry is a pair below an array.
  if (members === 0) return null;
  if (code === "{" && (members !== 2 || signature[start - 1] !== "a")) return null;
  return at + 1;
}

const encoder = new TextEncoder();

/** Writes values one after the other. */
export class DbusWriter {
  #buffer = new Uint8Array(256);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  align(size: number): void {
    this.#take((size - (this.#length % size)) % size);
  }

  put(signature: string, value: DbusValue): void {
    const code = signature[0] as string;
    this.align(ALIGN[code] ?? 1);
    switch (code) {
      case "y":
        return this.#at(1).setUint8(this.#length - 1, value as number);
      case "n":
      case "q":
        return void this.#at(2).setUint16(this.#length - 2, value as number, true);
      case "b":
        return void this.#at(4).setUint32(this.#length - 4, value ? 1 : 0, true);
      case "i":
      case "u":
      case "h":
        return void this.#at(4).setUint32(this.#length - 4, value as number, true);
      case "x":
      case "t":
        return void this.#at(8).setBigUint64(this.#length - 8, value as bigint, true);
      case "d":
        return void this.#at(8).setFloat64(this.#length - 8, value as number, true);
      case "s":
      case "o":
      case "g":
        return this.#text(value, code);
      case "v":
        this.put("g", (value as Variant).signature);
        return this.put((value as Variant).signature, (value as Variant).value);
      case "a":
        return this.#array(signature.slice(1), value);
      case "(":
      case "{":
        return (splitSignature(signature.slice(1, -1)) as string[])
          .forEach((part, i) => this.put(part, (value as readonly DbusValue[])[i] as DbusValue));
      default:
        throw new TypeError(`Unknown D-Bus type "${signature}"`);
    }
  }

  #text(value: DbusValue, code: string): void {
    if (typeof value !== "string") throw new TypeError(`D-Bus type "${code}" wants a string`);
    const bytes = encoder.encode(value);
    this.put(code === "g" ? "y" : "u", bytes.length);
    this.#append(bytes);
    this.#take(1);
  }

  #array(element: string, value: DbusValue): void {
    const lengthAt = this.#take(4);
    this.align(ALIGN[element[0] as string] ?? 1);
    const start = this.#length;
    if (value instanceof Uint8Array) this.#append(value);
    else for (const item of value as Iterable<DbusValue>) this.put(element, item);
    this.#view.setUint32(lengthAt, this.#length - start, true);
  }

  /** Taking room may move the buffer, so it comes first. */
  #append(bytes: Uint8Array): void {
    const start = this.#take(bytes.length);
    this.#buffer.set(bytes, start);
  }

  #at(size: number): DataView {
    this.#take(size);
    return this.#view;
  }

  /** Makes room, zeroed, and returns where it begins. */
  #take(size: number): number {
    const start = this.#length;
    this.#length += size;
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length));
      larger.set(this.#buffer);
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    return start;
  }
}

/** Bytes that are not what they should be; never leaves the folder. */
export class BadMessage extends Error {}

function bad(what: string): never {
  throw new BadMessage(what);
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Reads values one after the other; what does not fit is a {@link BadMessage}. */
export class DbusReader {
  offset = 0;
  #depth = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(bytes: Uint8Array, little: boolean) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = little;
  }

  align(size: number): void {
    this.#skip((size - (this.offset % size)) % size);
  }

  get(signature: string): DbusValue {
    if (++this.#depth > DEPTH_LIMIT) bad("depth");
    const value = this.#get(signature);
    this.#depth--;
    return value;
  }

  #get(signature: string): DbusValue {
    const code = signature[0] as string;
    this.align(ALIGN[code] ?? bad("type"));
    switch (code) {
      case "y":
        return this.#view.getUint8(this.#skip(1));
      case "n":
        return this.#view.getInt16(this.#skip(2), this.#little);
      case "q":
        return this.#view.getUint16(this.#skip(2), this.#little);
      case "b":
        return this.#boolean();
      case "i":
        return this.#view.getInt32(this.#skip(4), this.#little);
      case "u":
      case "h":
        return this.#view.getUint32(this.#skip(4), this.#little);
      case "x":
        return this.#view.getBigInt64(this.#skip(8), this.#little);
      case "t":
        return this.#view.getBigUint64(this.#skip(8), this.#little);
      case "d":
        return this.#view.getFloat64(this.#skip(8), this.#little);
      case "s":
      case "o":
        return this.#text(this.#view.getUint32(this.#skip(4), this.#little));
      case "g":
        return this.#text(this.#view.getUint8(this.#skip(1)));
      case "v":
        return this.#variant();
      case "a":
        return this.#array(signature.slice(1));
      default:
        return (splitSignature(signature.slice(1, -1)) as string[]).map((part) => this.get(part));
    }
  }

  #boolean(): boolean {
    const value = this.#view.getUint32(this.#skip(4), this.#little);
    return value > 1 ? bad("boolean") : value === 1;
  }

  #text(length: number): string {
    const start = this.#skip(length);
    if (this.#view.getUint8(this.#skip(1)) !== 0) bad("unterminated string");
    try {
      return decoder.decode(this.#bytes.subarray(start, start + length));
    } catch {
      return bad("not UTF-8");
    }
  }

  #variant(): Variant {
    const signature = this.get("g") as string;
    if (splitSignature(signature)?.length !== 1) bad("variant");
    return { signature, value: this.get(signature) };
  }

  #array(element: string): DbusValue {
    const length = this.#view.getUint32(this.#skip(4), this.#little);
    this.align(ALIGN[element[0] as string] ?? bad("type"));
    const start = this.offset;
    const end = start + length;
    if (end > this.#bytes.length) bad("array length");
    if (element === "y") return this.#bytes.slice(start, this.#skip(length) + length);
    const items: DbusValue[] = [];
    while (this.offset < end) items.push(this.get(element));
    if (this.offset !== end) bad("array length");
    return element[0] === "{" ? new Map(items as [DbusValue, DbusValue][]) : items;
  }

  /** Steps over bytes that must be there, and returns where they began. */
  #skip(size: number): number {
    const start = this.offset;
    if (start + size > this.#bytes.length) bad("truncated");
    this.offset = start + size;
    return start;
  }
}
