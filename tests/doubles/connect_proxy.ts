/**
 * A small HTTP proxy: opens connections by `CONNECT`, if it is shown the right credentials, to wherever its table says
 * a name is. As a program it serves `ADDRESS PORT USER:PASSWORD`, opens whatever it is asked for, and prints `ready`.
 *
 * @module
 */
import { parseHostPort } from "../../lib/config/mod.ts";
import { relay, writeAll } from "../../lib/io/mod.ts";

export interface ConnectProxyOptions {
  /** `user:password`; without, anybody may. */
  readonly login?: string;
  /** Where `host:port` really is; what is not in it is refused with 403. Without, it is where it says. */
  readonly hosts?: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
  /** Where it listens; a free port on loopback if not given. */
  readonly listen?: { readonly hostname: string; readonly port: number };
  /** What it shows when it is spoken to by TLS; without, it is spoken to in the clear. */
  readonly identity?: { readonly certificatePem: string; readonly privateKeyPem: string };
}

export class ConnectProxy implements AsyncDisposable {
  readonly #options: ConnectProxyOptions;
  readonly #listener: Deno.Listener<Deno.TcpConn | Deno.TlsConn, Deno.NetAddr>;
  readonly #closing = new AbortController();
  readonly #serving = new Set<Promise<unknown>>();
  readonly #accepting: Promise<void>;
  /** The heads of the requests it got. */
  readonly heads: string[] = [];

  constructor(options: ConnectProxyOptions) {
    this.#options = options;
    const { listen = { hostname: "127.0.0.1", port: 0 }, identity } = options;
    this.#listener = identity === undefined ? Deno.listen(listen) : Deno.listenTls({
      ...listen,
      cert: identity.certificatePem,
      key: identity.privateKeyPem,
      alpnProtocols: ["http/1.1"],
    });
    this.#accepting = this.#acceptAll();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Its URL, as the variables hold it. */
  url(login?: string): string {
    const scheme = this.#options.identity === undefined ? "http" : "https";
    return `${scheme}://${login === undefined ? "" : `${login}@`}127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#listener.close();
    await this.#accepting;
    await Promise.allSettled(this.#serving);
  }

  async #acceptAll(): Promise<void> {
    for await (const conn of this.#listener) {
      const serving = this.#serve(conn).catch(() => {}).finally(() => {
        this.#serving.delete(serving);
        try {
          conn.close();
        } catch {
          // the relay has
        }
      });
      this.#serving.add(serving);
    }
  }

  async #serve(conn: Deno.TcpConn | Deno.TlsConn): Promise<void> {
    if ("setNoDelay" in conn) conn.setNoDelay(true);
    const head = await readHead(conn);
    this.heads.push(head);
    const { login, hosts } = this.#options;
    const [, target = ""] = /^CONNECT (\S+) HTTP\/1\.1\r\n/.exec(head) ?? [];
    const shown = /^proxy-authorization: Basic (\S+)\r$/im.exec(head)?.[1];
    const say = (status: string) =>
      writeAll(conn, new TextEncoder().encode(`HTTP/1.1 ${status}\r\n\r\n`));
    if (login !== undefined && shown !== btoa(login)) {
      return await say(
        '407 Who are you\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0',
      );
    }
    const real = hosts === undefined ? parseHostPort(target, null) : hosts[target] ?? null;
    if (real === null) return await say("403 Forbidden\r\nContent-Length: 0");
    const far = await Deno.connect({ hostname: real.host, port: real.port });
    far.setNoDelay(true);
    await say("200 Connection established\r\nVia: a double");
    await relay(conn, far, { signal: this.#closing.signal });
  }
}

async function readHead(conn: Deno.Conn): Promise<string> {
  let head = "";
  const byte = new Uint8Array(1);
  while (!head.endsWith("\r\n\r\n") && await conn.read(byte) !== null) {
    head += String.fromCharCode(byte[0] ?? 0);
  }
  return head;
}

if (import.meta.main) {
  const [hostname = "127.0.0.1", port = "0", login = ""] = Deno.args;
  const _serving = new ConnectProxy({ login, listen: { hostname, port: Number(port) } });
  await Deno.stdout.write(new TextEncoder().encode("ready\n"));
}
