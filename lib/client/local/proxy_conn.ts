/**
 * One connection to `vnet proxy`: SOCKS5 or HTTP CONNECT, told apart by the first byte.
 *
 * @module
 */
import { AuthError, UsageError, VnetError } from "../../error.ts";
import { writeAll } from "../../io/mod.ts";
import { connectionAnswer } from "../../refusal/mod.ts";
import {
  CONNECT_HEAD_MAX_BYTES,
  encodeConnectReply,
  encodeSocksReply,
  readConnect,
  readSocksGreeting,
  readSocksRequest,
  SOCKS_REPLY,
  type SocksReply,
} from "../../tunnel/mod.ts";
import { orAborted, withDeadline } from "../../wait.ts";
import type { AppWay } from "./app_way.ts";
import { noteEnd, openApp } from "./forward.ts";
import { PrefixedConn } from "./prefixed_conn.ts";

const REQUEST_MS = 10_000;
const SOCKS5 = 5;
const SOCKS4 = 4;
/** SOCKS4's "request rejected or failed". */
const SOCKS4_REJECTED = Uint8Array.of(0, 0x5b, 0, 0, 0, 0, 0, 0);

/** What a client wants of the proxy, and how it is told what came of it. */
interface Wanted {
  readonly host: string;
  readonly port: number;
  readonly isAddress: boolean;
  /** What came after the request. */
  readonly rest: Uint8Array;
  readonly yes: Uint8Array<ArrayBuffer>;
  readonly no: (error: VnetError) => Uint8Array<ArrayBuffer>;
}

/**
 * Serves one connection to its end.
 *
 * @throws VnetError why nothing was opened; the client was told
 */
export async function serveProxyConn(
  conn: Deno.Conn,
  way: AppWay,
  signal: AbortSignal,
): Promise<void> {
  const wanted = await withDeadline(
    REQUEST_MS,
    signal,
    (both) => orAborted(readWanted(conn), both),
  );
  if (wanted === null) return;
  const { host, port, rest } = wanted;
  try {
    if (wanted.isAddress) throw addressError(host);
    const opened = await openApp(way, { name: host, cluster: null }, port, signal);
    await writeAll(conn, wanted.yes).catch((thrown) => {
      opened.flow.abort();
      throw thrown;
    });
    noteEnd(opened, await opened.flow.splice(new PrefixedConn(conn, rest), signal));
  } catch (thrown) {
    if (!(thrown instanceof VnetError)) throw thrown;
    await writeAll(conn, wanted.no(thrown));
    throw thrown;
  }
}

/** @returns `null` if the client was told that this is nothing the proxy does, or has gone. */
async function readWanted(conn: Deno.Conn): Promise<Wanted | null> {
  const input = new Input(conn);
  const first = await input.first();
  if (first === SOCKS5) return await readSocks(input, conn);
  if (first === SOCKS4) {
    await writeAll(conn, SOCKS4_REJECTED);
    return null;
  }
  return first === null ? null : await readHttp(input, conn);
}

async function readSocks(input: Input, conn: Deno.Conn): Promise<Wanted | null> {
  const greeting = await input.until(readSocksGreeting);
  if (greeting === null) return null;
  await writeAll(conn, greeting.reply);
  if (greeting.kind === "bad") return null;
  input.skip(greeting.length);
  const request = await input.until(readSocksRequest);
  if (request?.kind === "bad") await writeAll(conn, request.reply);
  if (request?.kind !== "connect") return null;
  input.skip(request.length);
  const { host, isAddress, port } = request;
  return {
    ...{ host, isAddress, port },
    rest: input.bytes,
    yes: encodeSocksReply(SOCKS_REPLY.succeeded),
    no: (error) => encodeSocksReply(socksReplyOf(error)),
  };
}

async function readHttp(input: Input, conn: Deno.Conn): Promise<Wanted | null> {
  const request = await input.until(readConnect);
  if (request === null) return null;
  if (request.kind !== "connect") {
    await writeAll(
      conn,
      request.kind === "other" ? encodeConnectReply(501, ONLY_CONNECT) : encodeConnectReply(400),
    );
    return null;
  }
  input.skip(request.length);
  const { host, port } = request.to;
  return {
    ...{ host, port },
    isAddress: /^[\d.]+$/.test(host) || host.includes(":"),
    rest: input.bytes,
    yes: encodeConnectReply(200),
    no: (error) => encodeConnectReply(httpStatusOf(error), textOf(error)),
  };
}

const ONLY_CONNECT = "This proxy takes CONNECT and SOCKS5 only.\n" +
  "For plain HTTP use socks5h://, or have the client tunnel (curl --proxytunnel).\n";

/** What was read and not used. */
class Input {
  readonly #conn: Deno.Conn;
  bytes: Uint8Array = new Uint8Array(0);

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async first(): Promise<number | null> {
    while (this.bytes.length === 0) if (!await this.#more()) return null;
    return this.bytes[0] ?? null;
  }

  /** Reads on until it can be judged. @returns `null` if the client left before. */
  async until<T extends { readonly kind: string }>(
    judge: (bytes: Uint8Array) => T,
  ): Promise<Exclude<T, { readonly kind: "more" }> | null> {
    for (;;) {
      const judged = judge(this.bytes);
      if (judged.kind !== "more") return judged as Exclude<T, { readonly kind: "more" }>;
      if (!await this.#more()) return null;
    }
  }

  skip(count: number): void {
    this.bytes = this.bytes.subarray(count);
  }

  async #more(): Promise<boolean> {
    const room = new Uint8Array(CONNECT_HEAD_MAX_BYTES);
    const count = await this.#conn.read(room);
    if (count === null) return false;
    const both = new Uint8Array(this.bytes.length + count);
    both.set(this.bytes);
    both.set(room.subarray(0, count), this.bytes.length);
    this.bytes = both;
    return true;
  }
}

function addressError(host: string): VnetError {
  return new UsageError("name-needed", `Cannot connect to ${host}: the proxy takes names only`, {
    hint: "Let the proxy resolve names: socks5h:// in place of socks5://",
  });
}

function socksReplyOf(error: VnetError): SocksReply {
  if (error instanceof AuthError) return SOCKS_REPLY.notAllowed;
  return connectionAnswer(error.code) === "rst" ? SOCKS_REPLY.refused : SOCKS_REPLY.hostUnreachable;
}

function httpStatusOf(error: VnetError): number {
  if (error.code === "app-unknown") return 404;
  if (error.code === "setup-timeout") return 504;
  return error instanceof AuthError ? 403 : 502;
}

function textOf({ message, code, hint }: VnetError): string {
  return `${message} [${code}]\n${hint === null ? "" : `${hint}\n`}`;
}
