/**
 * Reads what a TLS client says before anything is encrypted: the server name and the protocols it offers.
 * Knows nothing of certificates or keys, and never answers.
 *
 * @module
 * @see RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3, RFC 7301
 */

/** The two things of a ClientHello that decide where a connection goes. */
export interface ClientHello {
  /** Lower case, without a trailing dot; `null` if the client named none. */
  readonly serverName: string | null;
  /** In the client's order of preference; empty if it offered none. */
  readonly protocols: readonly string[];
}

/** What is known after some bytes. `bad` is final, and so is `hello`. */
type HelloProgress =
  | { readonly kind: "more" }
  | { readonly kind: "hello"; readonly hello: ClientHello }
  | { readonly kind: "bad" };

/** All a client may send before its ClientHello is complete, record headers included. */
export const CLIENT_HELLO_MAX_BYTES = 16_384;

const RECORD_HEADER_BYTES = 5;
const CONTENT_TYPE_HANDSHAKE = 22;
const HANDSHAKE_HEADER_BYTES = 4;
const HANDSHAKE_CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
/** The first byte of every version since SSL 3.0. */
const VERSION_MAJOR = 3;

/** Fields of the ClientHello (RFC 8446 section 4.1.2); a vector's size counts the bytes of its length. */
const LEGACY_VERSION_BYTES = 2;
const RANDOM_BYTES = 32;
const SESSION_ID_LENGTH_BYTES = 1;
const SESSION_ID_MAX_BYTES = 32;
const CIPHER_SUITES_LENGTH_BYTES = 2;
const CIPHER_SUITE_BYTES = 2;
const COMPRESSION_LENGTH_BYTES = 1;
const EXTENSIONS_LENGTH_BYTES = 2;
const EXTENSION_TYPE_BYTES = 2;
const EXTENSION_LENGTH_BYTES = 2;

/** The server name extension (RFC 6066 section 3). */
const SERVER_NAMES_LENGTH_BYTES = 2;
const NAME_TYPE_BYTES = 1;
const NAME_TYPE_HOST_NAME = 0;
const HOST_NAME_LENGTH_BYTES = 2;
const HOST_NAME_MAX_BYTES = 255;

/** The ALPN extension (RFC 7301 section 3.1). */
const PROTOCOLS_LENGTH_BYTES = 2;
const PROTOCOL_LENGTH_BYTES = 1;

const MORE: HelloProgress = { kind: "more" };
const BAD: HelloProgress = { kind: "bad" };

/**
 * Takes the bytes of a connection as they come, in pieces of any size, and says when the ClientHello is whole.
 * Each byte is looked at once, however small the pieces; at most {@link CLIENT_HELLO_MAX_BYTES} are taken.
 */
export class ClientHelloReader {
  readonly #message = new Uint8Array(CLIENT_HELLO_MAX_BYTES);
  readonly #header = new Uint8Array(RECORD_HEADER_BYTES);
  #messageBytes = 0;
  #headerBytes = 0;
  #recordLeft = 0;
  #seenBytes = 0;
  #state: HelloProgress = MORE;

  /** Takes the next piece; bytes after a complete ClientHello are ignored. */
  push(bytes: Uint8Array): HelloProgress {
    let at = 0;
    while (this.#state.kind === "more" && at < bytes.length) {
      at += this.#recordLeft === 0 ? this.#takeHeader(bytes, at) : this.#takeBody(bytes, at);
    }
    return this.#state;
  }

  #takeHeader(bytes: Uint8Array, at: number): number {
    const taken = Math.min(RECORD_HEADER_BYTES - this.#headerBytes, bytes.length - at);
    this.#header.set(bytes.subarray(at, at + taken), this.#headerBytes);
    this.#headerBytes += taken;
    const [type, major, , high = 0, low = 0] = this.#header;
    if (type !== CONTENT_TYPE_HANDSHAKE) this.#state = BAD;
    if (this.#headerBytes > 1 && major !== VERSION_MAJOR) this.#state = BAD;
    if (this.#headerBytes < RECORD_HEADER_BYTES) return taken;
    this.#headerBytes = 0;
    this.#recordLeft = (high << 8) | low;
    this.#seenBytes += RECORD_HEADER_BYTES;
    const fits = this.#seenBytes + this.#recordLeft <= CLIENT_HELLO_MAX_BYTES;
    if (this.#recordLeft === 0 || !fits) this.#state = BAD;
    return taken;
  }

  #takeBody(bytes: Uint8Array, at: number): number {
    const taken = Math.min(this.#recordLeft, bytes.length - at);
    this.#message.set(bytes.subarray(at, at + taken), this.#messageBytes);
    this.#messageBytes += taken;
    this.#seenBytes += taken;
    this.#recordLeft -= taken;
    if (this.#message[0] !== HANDSHAKE_CLIENT_HELLO) {
      this.#state = BAD;
    } else if (this.#messageBytes >= HANDSHAKE_HEADER_BYTES) {
      this.#judge();
    }
    return taken;
  }

  #judge(): void {
    const [, high = 0, middle = 0, low = 0] = this.#message;
    const end = HANDSHAKE_HEADER_BYTES + ((high << 16) | (middle << 8) | low);
    if (end > CLIENT_HELLO_MAX_BYTES) {
      this.#state = BAD;
    } else if (this.#messageBytes >= end) {
      const hello = decodeClientHello(this.#message.subarray(HANDSHAKE_HEADER_BYTES, end));
      this.#state = hello === null ? BAD : { kind: "hello", hello };
    }
  }
}

/**
 * Decodes the body of a ClientHello, without the handshake header.
 *
 * @returns `null` if a length does not fit, a list is empty, or an extension that matters is given twice.
 */
export function decodeClientHello(body: Uint8Array): ClientHello | null {
  const reader = new Reader(body);
  reader.take(LEGACY_VERSION_BYTES + RANDOM_BYTES);
  const sessionId = reader.vector(SESSION_ID_LENGTH_BYTES);
  const cipherSuites = reader.vector(CIPHER_SUITES_LENGTH_BYTES);
  const compression = reader.vector(COMPRESSION_LENGTH_BYTES);
  if (reader.failed || sessionId.length > SESSION_ID_MAX_BYTES) return null;
  if (cipherSuites.length === 0 || cipherSuites.length % CIPHER_SUITE_BYTES !== 0) return null;
  if (compression.length === 0) return null;
  if (reader.left === 0) return { serverName: null, protocols: [] }; // TLS 1.2 without extensions
  const extensions = new Reader(reader.vector(EXTENSIONS_LENGTH_BYTES));
  if (reader.failed || reader.left !== 0) return null;

  let serverName: string | null = null;
  let protocols: readonly string[] | null = null;
  while (extensions.left > 0) {
    const type = extensions.number(EXTENSION_TYPE_BYTES);
    const content = extensions.vector(EXTENSION_LENGTH_BYTES);
    if (extensions.failed) return null;
    if (type === EXTENSION_SERVER_NAME) {
      if (serverName !== null) return null;
      serverName = decodeServerName(content);
      if (serverName === null) return null;
    } else if (type === EXTENSION_ALPN) {
      if (protocols !== null) return null;
      protocols = decodeProtocols(content);
      if (protocols === null) return null;
    }
  }
  return { serverName, protocols: protocols ?? [] };
}

/** The one host_name of the list; other name types do not exist (RFC 6066), so they make it bad. */
function decodeServerName(content: Uint8Array): string | null {
  const outer = new Reader(content);
  const list = new Reader(outer.vector(SERVER_NAMES_LENGTH_BYTES));
  const type = list.number(NAME_TYPE_BYTES);
  const name = list.vector(HOST_NAME_LENGTH_BYTES);
  if (outer.failed || outer.left !== 0 || list.failed || list.left !== 0) return null;
  if (type !== NAME_TYPE_HOST_NAME) return null;
  if (name.length === 0 || name.length > HOST_NAME_MAX_BYTES) return null;
  const text = String.fromCharCode(...name).toLowerCase();
  return /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/.test(text) ? text.replace(/\.$/, "") : null;
}

function decodeProtocols(content: Uint8Array): readonly string[] | null {
  const outer = new Reader(content);
  const list = new Reader(outer.vector(PROTOCOLS_LENGTH_BYTES));
  if (outer.failed || outer.left !== 0 || list.left === 0) return null;
  const protocols: string[] = [];
  while (list.left > 0) {
    const name = list.vector(PROTOCOL_LENGTH_BYTES);
    if (list.failed || name.length === 0) return null;
    protocols.push(String.fromCharCode(...name));
  }
  return protocols;
}

/** Walks over bytes; a read past the end sets `failed` and gives zeros, so that callers check once. */
class Reader {
  failed = false;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(count: number): Uint8Array {
    if (count > this.left) {
      this.failed = true;
      this.#at = this.#bytes.length;
      return new Uint8Array(0);
    }
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  number(width: number): number {
    return this.take(width).reduce((value, byte) => value * 256 + byte, 0);
  }

  vector(lengthWidth: number): Uint8Array {
    return this.take(this.number(lengthWidth));
  }
}
