import { equal, match, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import tls from "node:tls";
import { CompanyCa } from "../../tests/doubles/company_ca.ts";
import { NetworkError, VnetError } from "../error.ts";
import type { MoreAuthorities } from "./x509/trust.ts";
import { DeadlinePassed, pause, withDeadline } from "../wait.ts";
import { dialThrough } from "./http_proxy.ts";
import { dialTcp } from "./tcp.ts";
import { TlsStream, writeAll } from "./stream.ts";
import { createTlsContext, startTlsClient } from "./tls.ts";

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
    const socket = await dialThrough({ scheme: "http", host: "127.0.0.1", port, credentials })(
      TARGET,
      never,
    );
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
    const proxy = { scheme: "http", host: "127.0.0.1", port, credentials: null } as const;
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
    [
      "407 for others than Basic",
      "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
      "http-proxy-denied",
      /wants a login by Negotiate or NTLM, vnet knows Basic only$/,
    ],
    [
      "403",
      "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
      "http-proxy-refused",
      /does not allow connections to vnet.example.com:443 \(403\)$/,
    ],
    [
      "503",
      "HTTP/1.1 503 No\r\n\r\n",
      "http-proxy-refused",
      /cannot reach vnet.example.com:443 \(503\)$/,
    ],
    [
      "503 of Squid for a name",
      "HTTP/1.1 503 No\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n",
      "http-proxy-refused",
      /cannot resolve "vnet.example.com" \(503\)$/,
    ],
    [
      "502 with RFC 9209",
      'HTTP/1.1 502 No\r\nProxy-Status: x; error=dns_error; rcode="NXDOMAIN"\r\n\r\n',
      "http-proxy-refused",
      /cannot resolve/,
    ],
    ["504", "HTTP/1.1 504 No\r\n\r\n", "http-proxy-refused", /gets no answer/],
    [
      "a redirect",
      "HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\n\r\n",
      "http-proxy-refused",
      /302/,
    ],
    [
      "a web server",
      "HTTP/1.1 405 No\r\n\r\n",
      "http-proxy-refused",
      /does not know CONNECT \(405\)/,
    ],
    [
      "huge headers",
      `HTTP/1.1 403 No\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
      "http-proxy-refused",
      /HTTP/,
    ],
    ["not HTTP", "SSH-2.0-x\r\n\r\n", "http-proxy-refused", /not HTTP/],
    ["nothing", "", "http-proxy-refused", /closed/],
    ["half an answer", "HTTP/1.1 200 OK\r\n", "http-proxy-refused", /closed/],
    [
      "an endless answer",
      `HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}`,
      "http-proxy-refused",
      /HTTP/,
    ],
    ["more than an answer", "HTTP/1.1 200 OK\r\n\r\nhello", "http-proxy-refused", /says more/],
  ];
  for (const [name, answer, code, state] of cases) {
    await t.step(name, () =>
      answering(answer, async (port) => {
        const proxy = {
          scheme: "http",
          host: "127.0.0.1",
          port,
          credentials: { user: "alice", password: SECRET },
        } as const;
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
        const dial = dialThrough({ scheme: "http", host: "127.0.0.1", port, credentials: null });
        await rejects(dial(TARGET, never), { message: /wants a user name and a password$/ });
      }),
  );
  await t.step("nobody there", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    await rejects(
      dialThrough({ scheme: "http", host: "127.0.0.1", port, credentials: null })(TARGET, never),
      { code: "http-proxy-unreachable", message: /cannot be reached: connection refused$/ },
    );
  });
});

Deno.test("dialThrough() waits no longer than it is told to", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = listener.accept();
  const dial = dialThrough({
    scheme: "http",
    host: "127.0.0.1",
    port: listener.addr.port,
    credentials: null,
  });
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
    { scheme: "http", host: "127.0.0.1", port: listener.addr.port, credentials: null },
    { dial: dialTcp },
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

Deno.test("dialThrough() does not wait for an answer that comes byte by byte for longer than it is told to", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using conn = await listener.accept();
    for (;;) {
      await writeAll(conn, new TextEncoder().encode("H"));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })().catch(() => {});
  const proxy = {
    scheme: "http",
    host: "127.0.0.1",
    port: listener.addr.port,
    credentials: null,
  } as const;
  await rejects(
    withDeadline(100, null, (signal) => dialThrough(proxy)(TARGET, signal)),
    DeadlinePassed,
  );
  await serving;
});

/** A TLS server on loopback that does this with each connection once TLS is done. */
async function tlsServing(
  act: (socket: tls.TLSSocket) => void,
  use: (port: number, more: MoreAuthorities) => Promise<void>,
  names = ["127.0.0.1"],
): Promise<void> {
  const ca = await CompanyCa.create();
  const { certificatePem, privateKeyPem } = await ca.issue(names);
  const server = tls.createServer({ cert: certificatePem, key: privateKeyPem }, (socket) => {
    socket.on("error", () => {});
    act(socket);
  });
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => void sockets.add(socket));
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as net.AddressInfo;
    await use(port, () => Promise.resolve([ca.certificatePem]));
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

Deno.test("dialThrough() speaks TLS to an https:// proxy, and verifies it", async (t) => {
  const asked: string[] = [];
  const proxying = (socket: tls.TLSSocket) =>
    void socket.once("data", (head) => {
      asked.push(String(head));
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(socket);
    });
  const proxyOn = (port: number) => ({
    scheme: "https" as const,
    host: "127.0.0.1",
    port,
    credentials: { user: "alice", password: SECRET },
  });
  await t.step("its authority is known", () =>
    tlsServing(proxying, async (port, authorities) => {
      const socket = await dialThrough(proxyOn(port), { authorities })(TARGET, never);
      match(asked.at(-1) ?? "", /^CONNECT vnet.example.com:443 [^]*Proxy-Authorization: Basic /);
      socket.write("ping");
      socket.resume();
      equal(String((await once(socket, "data"))[0]), "ping");
      await closed(socket);
    }));
  const refused = async (
    trusting: Parameters<typeof dialThrough>[1],
    port: number,
    code: string,
    message: RegExp,
  ) => {
    const before = asked.length;
    await rejects(dialThrough(proxyOn(port), trusting)(TARGET, never), (error: unknown) => {
      ok(error instanceof VnetError);
      equal(error.code, code);
      match(error.message, message);
      return !`${error.message}${error.hint}`.includes(SECRET);
    });
    equal(asked.length, before, "it was told nothing");
  };
  await t.step(
    "its authority is not",
    () =>
      tlsServing(proxying, (port) =>
        refused(
          {},
          port,
          "http-proxy-untrusted",
          /the HTTP proxy's certificate was issued by "Corp Root CA"/,
        )),
  );
  await t.step("it has another name", () =>
    tlsServing(
      proxying,
      (port, authorities) =>
        refused(
          { authorities },
          port,
          "http-proxy-untrusted",
          /is for "p.test", not for "127.0.0.1"/,
        ),
      ["p.test"],
    ));
  await t.step("it speaks no TLS", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = listener.accept().then(async (conn) => {
      await writeAll(conn, new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      conn.close();
    });
    await refused({}, listener.addr.port, "http-proxy-unreachable", /does not speak TLS$/);
    await serving;
  });
});

Deno.test("a slow reader slows its peer down, also through an https:// proxy", async () => {
  const ca = await CompanyCa.create();
  const { certificatePem, privateKeyPem } = await ca.issue([TARGET.host]);
  let sentBytes = 0;
  const piece = new Uint8Array(65_536);
  const flooding = tls.createServer({ cert: certificatePem, key: privateKeyPem }, (socket) => {
    socket.on("error", () => {});
    const flood = () => {
      do sentBytes += piece.length; while (socket.write(piece));
    };
    socket.on("drain", flood);
    flood();
  });
  flooding.listen(0, "127.0.0.1");
  await once(flooding, "listening");
  const { port: farPort } = flooding.address() as net.AddressInfo;
  let far: net.Socket | null = null;
  const proxying = (socket: tls.TLSSocket) =>
    void socket.once("data", async () => {
      far = await dialTcp({ host: "127.0.0.1", port: farPort }, never);
      far.on("error", () => {});
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.pipe(far).pipe(socket);
    });
  await tlsServing(proxying, async (port, authorities) => {
    const proxy = { scheme: "https", host: "127.0.0.1", port, credentials: null } as const;
    const session = await startTlsClient(await dialThrough(proxy, { authorities })(TARGET, never), {
      context: createTlsContext({ identity: null, authorityPems: [ca.certificatePem] }),
      serverName: TARGET.host,
      protocols: [],
    }, never);
    ok(session.trusted);
    const stream = new TlsStream(session.socket);
    let last = -1;
    while (sentBytes !== last) { // until nothing moves any more
      last = sentBytes;
      await pause(300, never);
    }
    ok(sentBytes < 32 * 1_048_576, `${sentBytes} were sent, and nobody read`);
    let readBytes = 0;
    while (readBytes <= last) readBytes += (await stream.read())?.length ?? Infinity; // it goes on
    ok(readBytes < Infinity);
    stream.close();
    await stream.closed;
  });
  far!.destroy();
  await new Promise((resolve) => flooding.close(resolve));
});
