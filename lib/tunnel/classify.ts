/**
 * Decides by its first bytes what a connection to the proxy's one port is.
 *
 * @module
 */
import { parseAppServerName } from "../identity/mod.ts";
import { APP_PROTOCOL, decodePreface, PREFACE_MAX_BYTES } from "./address.ts";
import { CLIENT_HELLO_MAX_BYTES, ClientHelloReader } from "./client_hello.ts";

/** What a connection is. Everything but `more` is final. */
export type ConnectionKind =
  | { readonly kind: "more" }
  /** To be relayed to an agent of this app, ClientHello and all. */
  | { readonly kind: "app"; readonly ticket: string; readonly appId: string }
  /** An agent's answer to a `dial`; the line is `bytes` long. */
  | { readonly kind: "data-channel"; readonly ticket: string; readonly bytes: number }
  /** TLS for the web API. */
  | { readonly kind: "web"; readonly serverName: string | null }
  /** Clear-text HTTP: worth a word of explanation before it is closed. */
  | { readonly kind: "http" }
  | { readonly kind: "bad" };

const TLS_HANDSHAKE = 0x16;
const PREFACE_START = 0x56; // "V"
const HTTP_START = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|CONNECT|PATCH|TRACE|PRI) /;
const HTTP_START_MAX_BYTES = 8;

/** The most bytes anybody may send before it is known what they are. */
export const FIRST_BYTES_MAX = CLIENT_HELLO_MAX_BYTES;

/**
 * Takes a connection's first bytes in pieces and keeps them, because whoever gets the connection next needs them.
 */
export class Classifier {
  #bytes = new Uint8Array(1024);
  #length = 0;
  #hello: ClientHelloReader | null = null;
  #state: ConnectionKind = { kind: "more" };

  /** Everything pushed so far; valid until the next push. */
  get received(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  push(piece: Uint8Array): ConnectionKind {
    if (this.#state.kind !== "more" || piece.length === 0) return this.#state;
    this.#keep(piece);
    this.#state = this.#judge(piece);
    if (this.#state.kind === "more" && this.#length >= FIRST_BYTES_MAX) {
      this.#state = { kind: "bad" };
    }
    return this.#state;
  }

  #keep(piece: Uint8Array): void {
    const needed = this.#length + piece.length;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.received);
      this.#bytes = grown;
    }
    this.#bytes.set(piece, this.#length);
    this.#length = needed;
  }

  #judge(piece: Uint8Array): ConnectionKind {
    switch (this.#bytes[0]) {
      case TLS_HANDSHAKE:
        return this.#judgeHello(piece);
      case PREFACE_START: {
        const progress = decodePreface(this.received.subarray(0, PREFACE_MAX_BYTES));
        return progress.kind === "preface" ? { ...progress, kind: "data-channel" } : progress;
      }
      default: {
        const start = String.fromCharCode(...this.received.subarray(0, HTTP_START_MAX_BYTES));
        if (HTTP_START.test(start)) return { kind: "http" };
        const begun = start.length < HTTP_START_MAX_BYTES && /^[A-Z]+$/.test(start);
        return { kind: begun ? "more" : "bad" };
      }
    }
  }

  #judgeHello(piece: Uint8Array): ConnectionKind {
    this.#hello ??= new ClientHelloReader();
    const progress = this.#hello.push(piece);
    if (progress.kind !== "hello") return progress;
    const { serverName, protocols } = progress.hello;
    const address = serverName === null ? null : parseAppServerName(serverName);
    if (address === null) return { kind: "web", serverName };
    // A name of ours with another protocol is a mistake, and no business of the web API.
    return protocols.includes(APP_PROTOCOL) ? { kind: "app", ...address } : { kind: "bad" };
  }
}
