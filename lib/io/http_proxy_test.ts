import { equal, match, ok, rejects } from "node:assert/strict";
import type net from "node:net";
import { NetworkError } from "../error.ts";
import { DeadlinePassed, withDeadline } from "../wait.ts";
import { dialThrough } from "./http_proxy.ts";
import { dialTcp } from "./tcp.ts";
import { writeAll } from "./stream.ts";

const SECRET = "p:ä/ss";
const TARGET = { host: "vnet.example.com", port: 443 };
const never = new AbortController().signal;

/** A proxy that answers one request with these bytes; what it was asked. */
async function answering(
  answer: string,
  use: (port: number, asked: Promise<string>) => Promise<void>,
): Promise<void> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const asked = Promise.withResolvers<string>();
  const serving = (async () => {
    using conn = await listener.accept();
    const buffer = new Uint8Array(4096);
    let request = "";
    while (!request.endsWith("\r\n\r\n")) {
      const count = await conn.read(buffer);
      if (count === null) return;
      request += new TextDecoder().decode(buffer.subarray(0, count));
    }
    asked.resolve(request);
    await writeAll(conn, new TextEncoder().encode(answer));
    await conn.closeWrite();
    await conn.readable.pipeTo(new WritableStream(), { preventCancel: true }).catch(() => {});
  })().catch(() => {});
  await use(listener.addr.port, asked.promise);
  await serving;
}

function closed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()).destroy());
}

Deno.test("dialThrough() asks for the host by its name, and shows the credentials", async () => {
  await answering("HTTP/1.1 200 OK\r\nVia: x\r\n\r\n", async (port, asked) => {
    const credentials = { user: "CORP\\alice", password: SECRET };
    const socket = await dialThrough({ host: "127.0.0.1", port, credentials })(TARGET, never);
    const login = new TextEncoder().encode(`CORP\\alice:${SECRET}`).toBase64();
    equal(
      await asked,
      "CONNECT vnet.example.com:443 HTTP/1.1\r\nHost: vnet.example.com:443\r\n" +
        `Proxy-Authorization: Basic ${login}\r\n\r\n`,
    );
    await closed(socket);
  });
});

Deno.test("dialThrough() puts an IPv6 address in brackets, and shows no credentials it has not", async () => {
  await answering("HTTP/1.0 200\r\n\r\n", async (port, asked) => {
    const proxy = { host: "127.0.0.1", port, credentials: null };
    const socket = await dialThrough(proxy)({ host: "2001:db8::1", port: 443 }, never);
    equal(await asked, "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n");
    await closed(socket);
  });
});

Deno.test("dialThrough() says what the proxy does not do, and never a password", async (t) => {
  const cases: [name: string, answer: string, code: string, state: RegExp][] = [
    [
      "407",
      "HTTP/1.1 407 No\r\n\r\n<html>",
      "http-proxy-denied",
      /rejected the user name or password$/,
    ],
    ["401", "HTTP/1.0 401 No\r\n\r\n", "http-proxy-denied", /rejected the user name or password$/], // tinyproxy 1.11
    ["403", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", "http-proxy-refused", /403/],
    ["503", "HTTP/1.1 503 No\r\n\r\n", "http-proxy-refused", /503/],
    ["not HTTP", "SSH-2.0-x\r\n\r\n", "http-proxy-refused", /not HTTP/],
    ["nothing", "", "http-proxy-refused", /closed/],
    ["half an answer", "HTTP/1.1 200 OK\r\n", "http-proxy-refused", /closed/],
    [
      "an endless answer",
      `HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}`,
      "http-proxy-refused",
      /HTTP/,
    ],
    ["more than an answer", "HTTP/1.1 200 OK\r\n\r\nhello", "http-proxy-refused", /HTTP/],
  ];
  for (const [name, answer, code, state] of cases) {
    await t.step(name, () =>
      answering(answer, async (port) => {
        const proxy = {
          host: "127.0.0.1",
          port,
          credentials: { user: "alice", password: SECRET },
        };
        await rejects(dialThrough(proxy)(TARGET, never), (error: unknown) => {
          ok(error instanceof NetworkError);
          equal(error.code, code);
          match(error.message, state);
          match(error.message, new RegExp(`"vnet.example.com:443".*"127.0.0.1:${port}"`));
          return !`${error.message}${error.hint}`.includes(SECRET);
        });
      }));
  }
  await t.step(
    "407, and there is nothing to show",
    () =>
      answering("HTTP/1.1 407 No\r\n\r\n", async (port) => {
        const dial = dialThrough({ host: "127.0.0.1", port, credentials: null });
        await rejects(dial(TARGET, never), { message: /wants a user name and a password$/ });
      }),
  );
  await t.step("nobody there", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    await rejects(
      dialThrough({ host: "127.0.0.1", port, credentials: null })(TARGET, never),
      { code: "http-proxy-unreachable" },
    );
  });
});

Deno.test("dialThrough() waits no longer than it is told to", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = listener.accept();
  const dial = dialThrough({ host: "127.0.0.1", port: listener.addr.port, credentials: null });
  await rejects(withDeadline(50, null, (signal) => dial(TARGET, signal)), DeadlinePassed);
  (await accepting).close();
});

Deno.test("dialThrough() leaves the bytes after the answer to whoever asked", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using conn = await listener.accept();
    const buffer = new Uint8Array(4096);
    await conn.read(buffer);
    await writeAll(conn, new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
    const count = await conn.read(buffer);
    await writeAll(conn, buffer.subarray(0, count ?? 0));
    await conn.closeWrite();
  })();
  const dial = dialThrough(
    { host: "127.0.0.1", port: listener.addr.port, credentials: null },
    dialTcp,
  );
  const socket = await dial(TARGET, never);
  socket.write("ping");
  let heard = "";
  socket.on("data", (bytes) => heard += String(bytes)).resume();
  await new Promise<void>((resolve) => socket.once("end", () => resolve()));
  equal(heard, "ping");
  await serving;
  await closed(socket);
});
