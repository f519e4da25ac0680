/**
 * Waits on the loopback for a browser to come back from an identity provider (RFC 8252 section 7.3). Every user of the
 * machine can connect there, and the address that the browser is started with can be read in the list of processes. So
 * other users' programs are hung up on, where it can be told whose they are; the browser gets a cookie when it begins,
 * only whoever has that comes in at the end, and a second beginner ends it all.
 *
 * @module
 */
import { randomHex } from "../../../io/mod.ts";
import { type Endpoint, parseIp } from "../../../ip/mod.ts";
import { AuthError } from "../../../error.ts";
import type { Connection } from "../../../os/mod.ts";
import { REFUSALS } from "../../../refusal/mod.ts";
import { pause } from "../../../wait.ts";
import { OIDC_CALLBACK_PATH } from "../../../wire/mod.ts";

const MAX_HEAD_BYTES = 16_384;
/** Of one connection. */
const DEADLINE_MS = 5_000;
/** Connections at a time; the oldest gives way. */
const MAX_OPEN = 16;
const COOKIE = "vnet_login";

/** What is asked and answered, without the connection. */
interface Answer {
  readonly status: string;
  readonly headers: readonly string[];
  readonly text: string;
}

/** A request as far as it matters. */
export interface LoopbackRequest {
  readonly method: string;
  readonly target: string;
  readonly host: string | null;
  readonly cookies: readonly string[];
}

/** Where the browser goes, and what it must come back with. */
export interface Errand {
  readonly authorizationUrl: string;
  readonly state: string;
}

/** What the listener says to each request. Pure but for its memory; the connection is another's. */
export class LoopbackDesk {
  readonly token: string = randomHex(16);
  readonly #cookie = randomHex(16);
  readonly #came: PromiseWithResolvers<string> = Promise.withResolvers();
  readonly #host: string;
  #errand: Errand | null = null;
  #isBegun = false;
  #isOver = false;

  constructor(port: number) {
    this.#host = `127.0.0.1:${port}`;
    this.#came.promise.catch(() => {}); // whoever waits is told
  }

  /** The query that the browser came back with. @throws {AuthError} `oidc-intruder` */
  get came(): Promise<string> {
    return this.#came.promise;
  }

  /** @throws {TypeError} for what is no URL */
  send(errand: Errand): void {
    this.#errand = { ...errand, authorizationUrl: new URL(errand.authorizationUrl).href };
  }

  answer({ method, target, host, cookies }: LoopbackRequest): Answer {
    if (host !== this.#host) return page("421 Misdirected Request", "Nothing is here.");
    if (method !== "GET") return page("405 Method Not Allowed", "Nothing is here.");
    const isBrowser = cookies.some((cookie) => cookie === `${COOKIE}=${this.#cookie}`);
    const [path = "", query = ""] = [target.split("?")[0], target.split("?").slice(1).join("?")];
    if (path === `/${this.token}`) return this.#begin(isBrowser);
    if (path === OIDC_CALLBACK_PATH && isBrowser) return this.#end(query);
    return page("404 Not Found", "Nothing is here.");
  }

  #begin(isBrowser: boolean): Answer {
    if (this.#errand === null || this.#isOver) return page("404 Not Found", "Nothing is here.");
    if (this.#isBegun && !isBrowser) {
      this.#isOver = true;
      const act = "Cannot log in";
      this.#came.reject(
        new AuthError("oidc-intruder", `${act}: another program opened the browser's address`, {
          hint: REFUSALS["oidc-intruder"].hint,
        }),
      );
      return page("403 Forbidden", "Another program opened this address first. Log in again.");
    }
    this.#isBegun = true;
    return {
      ...page("302 Found", "To the identity provider"),
      headers: [
        `location: ${this.#errand.authorizationUrl}`,
        `set-cookie: ${COOKIE}=${this.#cookie}; HttpOnly; SameSite=Lax; Path=/`,
      ],
    };
  }

  #end(query: string): Answer {
    // Its own is the only state that counts; what anybody else sends changes nothing
    const states = new URLSearchParams(query).getAll("state");
    if (states.length !== 1 || states[0] !== this.#errand?.state) {
      return page("403 Forbidden", "This is not the login that was begun here.");
    }
    if (this.#isOver) return page("410 Gone", "This login is over.");
    this.#isOver = true;
    this.#came.resolve(query);
    return page("200 OK", "You can close this page: the terminal says how the login went.");
  }
}

/** Listens on a port of its own until it is disposed of. */
export class Loopback implements AsyncDisposable {
  readonly port: number;
  readonly #desk: LoopbackDesk;
  readonly #mayConnect: (connection: Connection) => boolean;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  readonly #serving: Promise<void>;

  /** @param mayConnect Whether a program of this machine may; nothing is read of one that may not */
  constructor(mayConnect: (connection: Connection) => boolean = () => true) {
    this.#mayConnect = mayConnect;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#desk = new LoopbackDesk(this.port);
    this.#serving = this.#serve();
  }

  /** What the browser opens. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/${this.#desk.token}`;
  }

  /** Where a browser is sent from now on, to wait for the query that it comes back with. */
  send(errand: Errand): Promise<string> {
    this.#desk.send(errand);
    return this.#desk.came;
  }

  /** Connections that are being answered still are. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const answering = new Set<Promise<void>>();
    for await (const conn of this.#listener) {
      const [source, destination] = [endpointOf(conn.remoteAddr), endpointOf(conn.localAddr)];
      if (!this.#mayConnect({ source, destination })) {
        conn.close();
        continue;
      }
      for (const oldest of this.#open) {
        if (this.#open.size < MAX_OPEN) break;
        this.#end(oldest);
      }
      this.#open.add(conn);
      const answered: Promise<void> = this.#answer(conn)
        .catch(() => {}) // who hangs up gets no answer
        .finally(() => {
          this.#end(conn);
          answering.delete(answered);
        });
      answering.add(answered);
    }
    await Promise.all(answering);
  }

  async #answer(conn: Deno.TcpConn): Promise<void> {
    const over = new AbortController();
    const late = pause(DEADLINE_MS, over.signal).then(() => this.#end(conn));
    try {
      const request = await readRequest(conn);
      if (request === null) return;
      const { status, headers, text } = this.#desk.answer(request);
      const body = new TextEncoder().encode(`${text}\n`);
      const head = [
        `HTTP/1.1 ${status}`,
        ...headers,
        "content-type: text/plain; charset=utf-8",
        `content-length: ${body.length}`,
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "connection: close",
      ].join("\r\n");
      await writeAll(conn, new TextEncoder().encode(`${head}\r\n\r\n`));
      await writeAll(conn, body);
    } finally {
      over.abort();
      await late;
    }
  }

  #end(conn: Deno.TcpConn): void {
    if (this.#open.delete(conn)) conn.close();
  }
}

function endpointOf({ hostname, port }: Deno.NetAddr): Endpoint {
  return { address: parseIp(hostname), port };
}

/** Reads a request's head. @returns `null` if it is none, or too long. */
export function parseRequest(head: string): LoopbackRequest | null {
  const [first = "", ...lines] = head.split("\r\n");
  const match = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.[01]$/.exec(first);
  if (match === null) return null;
  const fields = lines.map((line) => /^([A-Za-z-]{1,64}):(.*)$/.exec(line));
  const valuesOf = (name: string) =>
    fields.flatMap((field) => field?.[1]?.toLowerCase() === name ? [field[2]!.trim()] : []);
  const hosts = valuesOf("host");
  return {
    method: match[1]!,
    target: match[2]!,
    host: hosts.length === 1 ? hosts[0]! : null,
    cookies: valuesOf("cookie").flatMap((value) => value.split(";")).map((one) => one.trim()),
  };
}

async function readRequest(conn: Deno.TcpConn): Promise<LoopbackRequest | null> {
  const held = new Uint8Array(MAX_HEAD_BYTES);
  let size = 0;
  while (size < held.length) {
    const read = await conn.read(held.subarray(size));
    if (read === null) return null;
    size += read;
    const text = new TextDecoder("latin1").decode(held.subarray(0, size));
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) return parseRequest(text.slice(0, end));
  }
  return null;
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

function page(status: string, text: string): Answer {
  return { status, headers: [], text };
}
