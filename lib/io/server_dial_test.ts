import { equal, match, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { CompanyCa, type Issued, selfSigned } from "../../tests/doubles/company_ca.ts";
import { VnetError } from "../error.ts";
import { withDeadline } from "../wait.ts";
import { dialThrough } from "./http_proxy.ts";
import { issueAuthority, issueProxyCertificate, loadAuthority } from "./x509/issue.ts";
import { generateKeyPair, importPublicKey } from "./keys.ts";
import { dialServer, type ServerTrust } from "./server_dial.ts";
import { type Dialer, dialTcp } from "./tcp.ts";
import { parseCertificate } from "./x509/verify.ts";

const HOST = "vnet.example.com";
const DAY_MS = 86_400_000;
const never = new AbortController().signal;

/** A server on loopback, and the way to it under any name. */
async function serving<T>(server: net.Server, use: (dial: Dialer) => Promise<T>): Promise<T> {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  try {
    return await use((_to, signal) => dialTcp({ host: "127.0.0.1", port }, signal));
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

function tlsServer({ certificatePem, privateKeyPem }: Issued, more = ""): net.Server {
  const server = tls.createServer(
    { cert: certificatePem + more, key: privateKeyPem, ALPNProtocols: ["http/1.1"] },
    (socket) => void socket.on("error", () => {}),
  );
  server.on("tlsClientError", () => {});
  return server;
}

async function attempt(server: net.Server, trust: ServerTrust, host = HOST): Promise<string> {
  return await serving(server, async (dial) => {
    const settings = { server: { host, port: 443 }, trust, identity: null, dial };
    try {
      const socket = await dialServer(settings, ["http/1.1"], never);
      await new Promise((resolve) => socket.once("close", resolve).destroy());
      return "good";
    } catch (thrown) {
      ok(thrown instanceof VnetError, String(thrown));
      ok(thrown.hint);
      return `${thrown.code} ${thrown.message}\n${thrown.hint}`;
    }
  });
}

Deno.test("dialServer() trusts the authorities it is given beside the public ones", async (t) => {
  const ca = await CompanyCa.create();
  const between = await ca.below("CN=Corp Issuing CA");
  const other = await CompanyCa.create("CN=Other");
  const own = await selfSigned([HOST]);
  const trusting = (...pems: string[]): ServerTrust => ({
    kind: "public",
    more: () => Promise.resolve(pems),
  });
  const good = await ca.issue([HOST, "192.0.2.7"]);
  const now = Date.now();
  const old = await ca.issue([HOST], { fromMs: now - 9 * DAY_MS, untilMs: now - DAY_MS });
  const early = await ca.issue([HOST], { fromMs: now + DAY_MS });
  const deep = await between.issue([HOST]);
  const many = await ca.issue(Array.from({ length: 300 }, (_, i) => `a${i}.example`));
  const nasty = await selfSigned([HOST], { commonName: "x\u001b[31m\r\nerror: obey" });
  const corp = ca.certificatePem;
  const cases: [
    name: string,
    server: net.Server,
    trust: ServerTrust,
    want: RegExp,
    host?: string,
  ][] = [
    ["the authority is known", tlsServer(good), trusting(corp), /^good$/],
    ["by an address in the certificate", tlsServer(good), trusting(corp), /^good$/, "192.0.2.7"],
    ["one of several", tlsServer(good), trusting(other.certificatePem, corp), /^good$/],
    [
      "an authority between, sent",
      tlsServer(deep, between.certificatePem),
      trusting(corp),
      /^good$/,
    ],
    ["beside the cluster's own", tlsServer(good), {
      kind: "authorities",
      pems: [other.certificatePem],
      orPublic: true,
      more: () => Promise.resolve([corp]),
    }, /^good$/],
    ["a server's own certificate, named", tlsServer(own), trusting(own.certificatePem), /^good$/],
    [
      "an authority between, not sent",
      tlsServer(deep),
      trusting(corp),
      /^proxy-untrusted .*issued by "Corp Issuing CA", which this machine does not trust\n.*whole chain.*--ca-file/,
    ],
    [
      "nobody known",
      tlsServer(good, corp),
      { kind: "public" },
      /^proxy-untrusted Cannot reach "vnet.example.com:443": the proxy's certificate was issued by "Corp Root CA", which this machine does not trust\n.*--ca-file FILE.*--ca-pin/,
    ],
    [
      "self-signed",
      tlsServer(own),
      trusting(corp),
      /self-signed by "vnet.example.com", which .* does not trust\n.*--ca-file.*--ca-pin/,
    ],
    [
      "another name",
      tlsServer(good),
      trusting(corp),
      /^proxy-untrusted .* is for "vnet.example.com", "192.0.2.7", not for "b.example"\n/,
      "b.example",
    ],
    [
      "many names",
      tlsServer(many),
      trusting(corp),
      /"a0.example", "a1.example", "a2.example" and 297 more, not/,
    ],
    [
      "a server's own certificate that vouches for another",
      tlsServer(await selfSigned(["c.test"])),
      trusting(own.certificatePem),
      /^proxy-untrusted/,
    ],
    [
      "expired",
      tlsServer(old),
      trusting(corp),
      /expired on \d{4}-\d\d-\d\dT[\d:]+Z; the clock of this machine says \d{4}-.*\n.*renewed/,
    ],
    [
      "not yet valid",
      tlsServer(early),
      trusting(corp),
      /is valid from .*Z on; the clock of this machine says/,
    ],
    ["a terminal's codes", tlsServer(nasty), trusting(corp), /^[\x20-\x7e\n]*$/],
  ];
  for (const [name, server, trust, want, host] of cases) {
    await t.step(name, async () => match(await attempt(server, trust, host), want));
  }
});

Deno.test("a certificate among the trusted that is no authority vouches for nobody else", async () => {
  const own = await selfSigned(["a.test"]);
  // What that server could sign with its key
  const forger = await CompanyCa.create("CN=a.test");
  const forged = await forger.issue([HOST]);
  const trust: ServerTrust = { kind: "public", more: () => Promise.resolve([own.certificatePem]) };
  match(await attempt(tlsServer(forged), trust), /^proxy-untrusted/);
});

Deno.test("a cluster known by its own authority is known under any name", async (t) => {
  const hostCa = await issueAuthority({ cluster: "c.example", kind: "host" }, Date.now());
  const keys = await generateKeyPair();
  const leaf = await issueProxyCertificate(await loadAuthority(hostCa), {
    names: ["proxy.c.example"],
    publicKey: (await importPublicKey(keys.publicKeyPem))!,
  }, Date.now());
  const server = () =>
    tlsServer(
      { certificatePem: leaf.pem, privateKeyPem: keys.privateKeyPem },
      hostCa.certificatePem,
    );
  const pin = parseCertificate(hostCa.certificatePem)!.pin;
  const ca = await CompanyCa.create();
  const company = await ca.issue([HOST]);
  const pins: ServerTrust = { kind: "pins", pins: [pin] };
  const login: ServerTrust = { kind: "authorities", pems: [hostCa.certificatePem] };
  await t.step("by pin", async () => equal(await attempt(server(), pins), "good"));
  await t.step(
    "by the login's authorities",
    async () => equal(await attempt(server(), login, "192.0.2.1"), "good"),
  );
  await t.step("but not where public ones count as well", async () =>
    match(
      await attempt(server(), { ...login, orPublic: true }),
      /^proxy-untrusted .* is for "proxy.c.example", not for "vnet.example.com"/,
    ));
  await t.step("another certificate: says whose it is", async () => {
    match(
      await attempt(tlsServer(company, ca.certificatePem), pins),
      /^ca-pin-mismatch .*matches the CA pin; its certificate was issued by "Corp Root CA"\n.*ctl status/,
    );
    match(
      await attempt(tlsServer(company), login),
      /^proxy-untrusted .*"Corp Root CA".*\n.*known by a pin/,
    );
  });
  await t.step("a company's authority that is pinned vouches for the name only", async () => {
    const trust: ServerTrust = { kind: "pins", pins: [parseCertificate(ca.certificatePem)!.pin] };
    const posing = await ca.issue(["a.test"], { commonName: "vnet proxy" });
    match(await attempt(tlsServer(posing, ca.certificatePem), trust), /^ca-pin-mismatch/);
    equal(await attempt(tlsServer(company, ca.certificatePem), trust), "good");
  });
});

Deno.test("dialServer() says what answered that is no TLS server", async (t) => {
  const plain = (act: (socket: net.Socket) => void) =>
    net.createServer((socket) => {
      socket.on("error", () => {});
      act(socket);
    });
  const answering = (text: string) =>
    plain((socket) => void socket.once("data", () => socket.end(text)));
  const where = 'Cannot reach "vnet.example.com:443": what answered on vnet.example.com:443';
  const cases: [name: string, server: net.Server, want: string][] = [
    [
      "plain HTTP",
      answering("HTTP/1.1 400 Bad Request\r\n\r\n"),
      `${where} is plain HTTP, not TLS`,
    ],
    [
      "SSH",
      plain((socket) => void socket.write("SSH-2.0-OpenSSH_9.9\r\n")),
      `${where} is SSH, not TLS`,
    ],
    [
      "mail",
      plain((socket) => void socket.write("220 mx.example ESMTP\r\n")),
      `${where} is a mail server, not TLS`,
    ],
    ["nonsense", answering("\0\0\0\0\0\0\0\0\0\0"), `${where} does not speak TLS`],
    [
      "nothing",
      plain((socket) => void socket.end()),
      `${where} closed the connection without a word`,
    ],
    [
      "nothing but an end",
      answering(""),
      `${where} closed the connection without a word`,
    ],
    [
      "a reset",
      plain((socket) => void socket.once("data", () => socket.resetAndDestroy())),
      "the connection was reset when TLS began",
    ],
    [
      "an alert",
      answering("\x15\x03\x03\x00\x02\x02\x28"),
      'the server ended TLS with the alert "handshake failure"',
    ],
    [
      "an old TLS",
      answering("\x15\x03\x03\x00\x02\x02\x46"),
      "the server speaks no TLS version that vnet does (1.3)",
    ],
  ];
  for (const [name, server, want] of cases) {
    await t.step(name, async () => {
      const said = await attempt(server, { kind: "public" });
      ok(said.startsWith("proxy-closed ") && said.includes(want), said);
    });
  }
  await t.step("nobody there, and what the system says", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    const to = (host: string) =>
      dialServer({ server: { host, port }, trust: { kind: "public" }, identity: null }, [], never);
    await rejects(to("127.0.0.1"), { code: "proxy-unreachable", message: /: connection refused$/ });
    await rejects(to("nobody.invalid"), {
      code: "proxy-unreachable",
      message: /: no such name: "nobody.invalid" has no address$|cannot be resolved/,
    });
  });
  await t.step("a probe sends nothing but a hello", async () => {
    const heard: Uint8Array[] = [];
    const server = plain((socket) =>
      void socket.once("data", (bytes: Uint8Array) => {
        heard.push(new Uint8Array(bytes));
        socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      })
    );
    await attempt(server, { kind: "public" });
    equal(heard.length, 2);
    for (const bytes of heard) equal(bytes[0], 0x16);
    ok(new TextDecoder("latin1").decode(heard[1]).includes(HOST));
  });
  await t.step("whoever stops waiting is not held up by a probe", async () => {
    const server = plain((socket) => void socket.once("data", () => socket.write("\0\0\0\0\0")));
    await serving(server, async (dial) => {
      const settings = {
        server: { host: HOST, port: 443 },
        trust: { kind: "public" },
        identity: null,
        dial,
      } as const;
      const begin = performance.now();
      await rejects(withDeadline(300, null, (signal) => dialServer(settings, [], signal)));
      ok(performance.now() - begin < 1_500);
    });
  });
});

Deno.test("a TLS server that does not hold its certificate's key opens no session", async () => {
  // Everything above trusts that, with `rejectUnauthorized: false` as well; the server side has its own test
  const ca = await CompanyCa.create();
  const { certificatePem } = await ca.issue([HOST]);
  const { port, stop } = await lyingServer(certificatePem);
  try {
    const settings = {
      server: { host: HOST, port },
      trust: { kind: "public", more: () => Promise.resolve([ca.certificatePem]) },
      identity: null,
      dial: (_to: unknown, signal: AbortSignal) => dialTcp({ host: "127.0.0.1", port }, signal),
    } as const;
    await rejects(dialServer(settings, [], never), {
      code: "proxy-closed",
      message: /the TLS handshake failed: unable to verify the first certificate$/,
    });
  } finally {
    await stop();
  }
});

/** OpenSSL takes a private key for a certificate's when the public half written beside it fits. */
async function lyingServer(certificatePem: string) {
  const dir = await Deno.makeTempDir({ prefix: "vnet-lie-" });
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const stranger = await crypto.subtle.generateKey(algorithm, true, ["sign"]);
  const { d } = await crypto.subtle.exportKey("jwk", stranger.privateKey);
  const scalar = Uint8Array.fromBase64(d!, { alphabet: "base64url" });
  const point = parseCertificate(certificatePem)!.der;
  const at = point.toHex().indexOf("03420004") / 2; // BIT STRING of an uncompressed point
  const wrap = (tag: number, ...parts: Uint8Array[]) => {
    const body = parts.flatMap((part) => [...part]);
    return new Uint8Array([tag, body.length, ...body]);
  };
  const key = wrap(
    0x30,
    wrap(0x02, new Uint8Array([1])),
    wrap(0x04, scalar),
    wrap(0xa0, Uint8Array.fromHex("06082a8648ce3d030107")),
    wrap(0xa1, point.slice(at, at + 0x44)),
  );
  await Deno.writeTextFile(`${dir}/cert.pem`, certificatePem);
  await Deno.writeTextFile(
    `${dir}/key.pem`,
    `-----BEGIN EC PRIVATE KEY-----\n${
      key.toBase64().replace(/.{64}/g, "$&\n")
    }\n-----END EC PRIVATE KEY-----\n`,
  );
  const child = new Deno.Command("openssl", {
    args: [
      "s_server",
      "-accept",
      "127.0.0.1:0",
      "-cert",
      `${dir}/cert.pem`,
      "-key",
      `${dir}/key.pem`,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!/ACCEPT 127\.0\.0\.1:\d+\s/.test(said)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`OpenSSL ended: ${said}`);
    said += value;
  }
  return {
    port: Number(/ACCEPT 127\.0\.0\.1:(\d+)/.exec(said)?.[1]),
    async stop() {
      child.kill("SIGKILL");
      await reader.cancel();
      await child.stdin.close().catch(() => {});
      await child.status;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

Deno.test("an HTTP proxy that opens the connection and then speaks itself is found out", async () => {
  const talking = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      socket.once(
        "data",
        () => socket.end("HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\n\r\n"),
      );
    });
  });
  await serving(talking, async (dial) => {
    const proxy = { scheme: "http", host: "proxy.test", port: 3128, credentials: null } as const;
    const settings = {
      server: { host: HOST, port: 443 },
      trust: { kind: "public" },
      identity: null,
      dial: dialThrough(proxy, { dial }),
    } as const;
    await rejects(dialServer(settings, [], never), {
      code: "proxy-closed",
      message: /what answered on vnet.example.com:443 is plain HTTP, not TLS$/,
    });
  });
});
