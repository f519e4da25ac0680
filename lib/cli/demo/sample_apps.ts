/**
 * The demo's apps: a web page, an echo, and a small key-value database that speaks enough RESP2 for `redis-cli`.
 *
 * @module
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */

const MAX_COMMAND_BYTES = 65_536;
const MAX_KEYS = 1024;

/** A sample app that runs until it is closed. */
export interface SampleApp extends AsyncDisposable {
  readonly port: number;
}

/** What the web page says; the demo looks for it. */
export const GREETING = "Hello from a private network, through vnet\n";

/** Serves one page over HTTP on loopback. */
export function serveWeb(): SampleApp {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(GREETING, { headers: { "content-type": "text/plain" } }),
  );
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Sends back what it gets, and ends its side when the client ends its own. */
export function serveEcho(): SampleApp {
  return serveTcp(async (conn) => {
    await conn.readable.pipeTo(conn.writable);
  });
}

/** Serves PING, ECHO, SET, GET, DEL and QUIT over RESP2, in memory. */
export function serveDatabase(): SampleApp {
  const store = new Map<string, string>();
  return serveTcp(async (conn) => {
    const decoder = new TextDecoder();
    const encoder = new TextEncoder();
    const writer = conn.writable.getWriter();
    let text = "";
    for await (const chunk of conn.readable) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MAX_COMMAND_BYTES) break;
      for (let taken = takeCommand(text); taken !== null; taken = takeCommand(text)) {
        text = taken.rest;
        await writer.write(encoder.encode(answer(taken.words, store)));
      }
    }
    await writer.close();
  });
}

function serveTcp(serve: (conn: Deno.TcpConn) => Promise<void>): SampleApp {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  const accept = (async () => {
    for await (const conn of listener) {
      open.add(conn);
      void serve(conn).catch(() => {}).finally(() => close(conn));
    }
  })();
  const close = (conn: Deno.TcpConn) => {
    open.delete(conn);
    try {
      conn.close();
    } catch {
      // The streams closed it already.
    }
  };
  return {
    port: (listener.addr as Deno.NetAddr).port,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accept;
      for (const conn of [...open]) close(conn);
    },
  };
}

/**
 * Takes one command off the front of what was received: a RESP array of bulk strings, or an inline line.
 *
 * @returns The words and what is left, or `null` while the command is not complete.
 */
function takeCommand(text: string): { words: readonly string[]; rest: string } | null {
  const end = text.indexOf("\r\n");
  if (end < 0) return null;
  const first = text.slice(0, end);
  if (!first.startsWith("*")) {
    return { words: first.split(/\s+/).filter((word) => word !== ""), rest: text.slice(end + 2) };
  }
  const words: string[] = [];
  let at = end + 2;
  for (let left = Number(first.slice(1)); left > 0; left--) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const length = Number(text.slice(at + 1, lineEnd));
    const from = lineEnd + 2;
    if (!Number.isInteger(length) || length < 0) return { words: [], rest: "" };
    if (text.length < from + length + 2) return null;
    words.push(text.slice(from, from + length));
    at = from + length + 2;
  }
  return { words, rest: text.slice(at) };
}

function answer(words: readonly string[], store: Map<string, string>): string {
  const [command = "", key = "", value = ""] = words;
  switch (command.toUpperCase()) {
    case "PING":
      return "+PONG\r\n";
    case "ECHO":
      return bulk(key);
    case "SET":
      if (store.size >= MAX_KEYS && !store.has(key)) return "-ERR database is full\r\n";
      store.set(key, value);
      return "+OK\r\n";
    case "GET":
      return bulk(store.get(key) ?? null);
    case "DEL":
      return `:${store.delete(key) ? 1 : 0}\r\n`;
    case "COMMAND":
      return "*0\r\n";
    case "QUIT":
      return "+OK\r\n";
    default:
      return "-ERR unknown command\r\n";
  }
}

function bulk(value: string | null): string {
  return value === null ? "$-1\r\n" : `$${value.length}\r\n${value}\r\n`;
}
