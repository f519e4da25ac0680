import { deepEqual, equal, match, ok } from "node:assert/strict";
import fc from "fast-check";
import { parseIp } from "../ip/mod.ts";
import { HostGuard, type HostNames } from "./host_guard.ts";

const NAMES: HostNames = {
  names: new Set(["web.vnet.example.com", "www.company.test"]),
  address: parseIp("100.100.3.4"),
};
const NAMES6: HostNames = { ...NAMES, address: parseIp("fd00::6464:304") };

// Captured from curl 7.88.1: curl --http2-prior-knowledge -H 'Host: web.vnet.example.com' http://127.0.0.1:9/
const CURL_HTTP2 = Uint8Array.fromHex(
  "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a0000120400000000000003000000640004020000000002" +
    "0000000000000408000000000001ff0001000023010500000001828486418ff058d7ef5152b97c8e9ae82ae43d3f7a" +
    "8825b650c3abbcf2e153032a2f2a",
);
const HEADERS_AT = CURL_HTTP2.length - 9 - 35;

const latin1 = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const request = (host: string, line = "GET / HTTP/1.1") => `${line}\r\nHost: ${host}\r\n`;

/** The verdict on bytes that came at once: what may go on, or what was refused. */
function judge(sent: Uint8Array, names = NAMES): string {
  return tell(new HostGuard(names).judge(sent), sent.length);
}

function judgeLast(sent: Uint8Array): string {
  return tell(new HostGuard(NAMES).judgeLast(sent), sent.length);
}

/** `goes on`: all of it, and what follows is looked at; `pass`: and what follows is not. */
function tell(verdict: ReturnType<HostGuard["judge"]>, sentBytes: number): string {
  switch (verdict.kind) {
    case "hold":
      return verdict.readyBytes === sentBytes && sentBytes > 0
        ? "goes on"
        : `hold ${verdict.readyBytes}`;
    case "refuse":
      return `refuse ${verdict.host}${verdict.reply === null ? " later" : ""}`;
    default:
      return verdict.kind;
  }
}

/** What goes on of bytes that come in these pieces, and how it ends. */
function feed(
  pieces: readonly Uint8Array[],
): { readonly passed: Uint8Array; readonly end: string } {
  const guard = new HostGuard(NAMES);
  const passed: number[] = [];
  let held: number[] = [];
  let freeBytes = 0;
  for (const [index, piece] of pieces.entries()) {
    passed.push(...piece.subarray(0, freeBytes));
    held.push(...piece.subarray(freeBytes));
    const isFree = freeBytes >= piece.length;
    freeBytes = Math.max(freeBytes - piece.length, 0);
    if (isFree) continue;
    const verdict = guard.judge(Uint8Array.from(held));
    if (verdict.kind === "refuse") {
      return { passed: Uint8Array.from(passed), end: tell(verdict, 0) };
    }
    if (verdict.kind === "pass") {
      passed.push(...held, ...pieces.slice(index + 1).flatMap((rest) => [...rest]));
      return { passed: Uint8Array.from(passed), end: "pass" };
    }
    passed.push(...held.slice(0, verdict.readyBytes));
    held = held.slice(verdict.readyBytes);
    freeBytes = verdict.freeBytes;
    if (freeBytes > 0) equal(held.length, 0);
  }
  const last = guard.judgeLast(Uint8Array.from(held));
  if (last.kind === "pass") passed.push(...held);
  return { passed: Uint8Array.from(passed), end: tell(last, 0) };
}

Deno.test("HostGuard lets a request in whose Host is a name of the app or its address", async (t) => {
  const cases: [sent: string, want: string][] = [
    [request("web.vnet.example.com"), "goes on"],
    [request("WEB.vnet.Example.com"), "goes on"],
    [request("web.vnet.example.com:8080"), "goes on"],
    [request("web.vnet.example.com."), "goes on"],
    [request("web.vnet.example.com.:80"), "goes on"],
    [request("www.company.test"), "goes on"],
    [request("100.100.3.4"), "goes on"],
    [request("100.100.3.4:8080"), "goes on"],
    [request("  web.vnet.example.com \t"), "goes on"],
    ["GET / HTTP/1.1\nhost:web.vnet.example.com\n", "goes on"],
    ["GET / HTTP/1.1\r\nAccept: */*\r\nHOST: www.company.test\r\n", "goes on"],
    [request("www.company.test", "REPORT /dav HTTP/1.1"), "goes on"],
    [request("www.company.test", "GET http://www.company.test/x HTTP/1.1"), "goes on"],
    [request("www.company.test", "OPTIONS * HTTP/1.1"), "goes on"],
    ["GET / HTTP/1.0\r\n\r\n", "goes on"], // need not name a host, and no browser speaks it
    [request("evil.example"), "refuse evil.example"],
    [request("evil.example:80"), "refuse evil.example:80"],
    [request("evil.example", "FROBNICATE / HTTP/1.1"), "refuse evil.example"],
    [request("evil.example", "PRI * HTTP/2.0"), "refuse evil.example"],
    [request("web.vnet.example.com.evil.example"), "refuse web.vnet.example.com.evil.example"],
    [request("evilweb.vnet.example.com"), "refuse evilweb.vnet.example.com"],
    [request("vnet.example.com"), "refuse vnet.example.com"],
    [request("web"), "refuse web"],
    [request("web.vnet.example.com.."), "refuse web.vnet.example.com.."],
    [request("web.vnet.example.com@evil.example"), "refuse web.vnet.example.com@evil.example"],
    [request("web.vnet.example.com:80:80"), "refuse web.vnet.example.com:80:80"],
    [request("web.vnet.example.com:x"), "refuse web.vnet.example.com:x"],
    [request("100.100.3.5"), "refuse 100.100.3.5"],
    [request("[100.100.3.4]"), "refuse [100.100.3.4]"],
    [request("[web.vnet.example.com]"), "refuse [web.vnet.example.com]"],
    [request("1684275972"), "refuse 1684275972"], // the address as one number
    [request("127.0.0.1"), "refuse 127.0.0.1"],
    [request(""), "refuse "],
    [`GET /${"x".repeat(20_000)} HTTP/1.1\r\n`, "refuse null"],
    [`GET / HTTP/1.1\r\nA: ${"x".repeat(16_400)}\r\nHost: www.company.test\r\n`, "refuse null"],
    [`${"A".repeat(20_000)} / HTTP/1.1\r\n`, "refuse null"],
    [request("evil.example", `${"A".repeat(5_000)} /secret HTTP/1.1`), "refuse evil.example"],
    [request("www.company.test", `${"A".repeat(5_000)} /secret HTTP/1.1`), "goes on"],
    ["GET / HTTP/1.1\r\n\r\n", "refuse null"],
    ["GET / HTTP/1.0\r\nHost: evil.example\r\n", "refuse evil.example"],
    [request("www.company.test", "GET http://evil.example/ HTTP/1.1"), "refuse evil.example"],
    [request("evil.example", "GET http://www.company.test/ HTTP/1.1"), "refuse evil.example"],
    [request("www.company.test", "CONNECT evil.example:443 HTTP/1.1"), "refuse evil.example:443"],
    [`${request("www.company.test")}Host: evil.example\r\n`, "refuse evil.example"],
    [`${request("www.company.test")} evil.example\r\n`, "refuse evil.example"],
    ["GET / HTTP/1.1\r\nHost : evil.example\r\n", "refuse evil.example"],
    ["GET / HTTP/1.1\r\n: x\r\nHost: evil.example\r\n", "refuse evil.example"],
  ];
  for (const [sent, want] of cases) {
    await t.step(JSON.stringify(sent), () => equal(judge(latin1(sent)), want));
  }
});

Deno.test("HostGuard knows an IPv6 address by its value", () => {
  equal(judge(latin1(request("[fd00::6464:304]:80")), NAMES6), "goes on");
  equal(judge(latin1(request("[FD00:0::100.100.3.4]")), NAMES6), "goes on");
  equal(judge(latin1(request("fd00::6464:304")), NAMES6), "refuse fd00::6464:304");
  equal(judge(latin1(request("[fd00::1]")), NAMES6), "refuse [fd00::1]");
});

Deno.test("HostGuard lets other protocols go on from their first bytes", async (t) => {
  const cases: [name: string, sent: string][] = [
    ["a TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
    ["PostgreSQL's SSLRequest", "\0\0\0\x08\x04\xd2\x16\x2f"],
    ["a Redis command", "*1\r\n$4\r\nPING\r\n"],
    ["a Redis inline command", "PING\r\n"],
    ["a Redis inline command with words", "SET key value\r\n"],
    ["an SSH version with a comment", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"],
    ["an SSH version", "SSH-2.0-Go\r\n"],
    ["SMTP", "EHLO laptop.example\r\n"],
    ["FTP", "USER anonymous\r\n"],
    ["IRC", "NICK alice\r\nUSER alice 0 * :Alice\r\n"],
    ["IMAP", "a1 LOGIN alice secret\r\n"],
    ["RTSP", "DESCRIBE rtsp://cam.example/ RTSP/1.0\r\nCSeq: 1\r\n"],
    ["SIP", "OPTIONS sip:a@example.com SIP/2.0\r\n"],
    ["STOMP", "CONNECT\naccept-version:1.2\n"],
    ["MQTT", "\x10\x10\0\x04MQTT"],
    ["AMQP", "AMQP\0\0\x09\x01"],
    ["a MongoDB message", "\x41\0\0\0\x01\0\0\0"],
    ["LDAP", "0\x0c\x02\x01\x01"],
    ["memcached", "get key\r\n"],
    ["many letters, then a line's end", `${"x".repeat(5_000)}\r\n`],
    ["a token of many letters, alone in its line", `eyJ${"hbGciOi".repeat(100)}.abc-_\n`],
    ["two spaces", "GET  / HTTP/1.1\r\n"],
    ["HTTP/0.9", "GET /\r\n"],
    ["an empty line first", "\r\nGET / HTTP/1.1\r\n"],
    ["octets beyond ASCII", "\xff\xfbGET / HTTP/1.1\r\n"],
  ];
  for (const [name, sent] of cases) {
    await t.step(name, () => equal(judge(latin1(sent)), "pass"));
  }
});

Deno.test("HostGuard holds what may become a request, and in the end refuses only what is one", async (t) => {
  const cases: [sent: string, last: string][] = [
    ["", "pass"],
    ["G", "pass"],
    ["GET", "pass"],
    ["x", "pass"],
    ["ruok", "pass"],
    ["SET key", "pass"],
    ["A".repeat(64), "pass"],
    ["A".repeat(65), "refuse null"],
    ["A".repeat(5_000), "refuse null"],
    [`${"A".repeat(5_000)} `, "refuse null"],
    ["GET ", "pass"],
    ["GET h", "pass"],
    ["GET /", "refuse null"],
    ["GET /x HT", "refuse null"],
    ["GET http://a", "refuse null"],
    [`GET /${"x".repeat(16_000)}`, "refuse null"],
    ["CONNECT evil.example:4", "pass"],
    ["OPTIONS * HTTP/1", "pass"],
    ["FROBNICATE / HTTP/1.1", "refuse null"],
    ["GET / HTTP/1.1\r\n", "refuse null"],
    ["GET / HTTP/1.1\r\nHost: evil.exam", "refuse null"],
    ["GET / HTTP/1.1\r\nAccept: */*\r\n", "refuse null"],
    ["GET / HTTP/1.0\r\n", "refuse null"],
    ["PRI * HTTP/2.0\r\n\r\nSM", "refuse null"],
    ["PRI", "pass"],
  ];
  for (const [sent, last] of cases) {
    await t.step(JSON.stringify(sent.slice(0, 60)), () => {
      equal(judge(latin1(sent)), "hold 0");
      equal(judgeLast(latin1(sent)), last);
    });
  }
});

/** One HTTP/2 frame. */
function frame(type: number, flags: number, stream: number, payload: Iterable<number>): number[] {
  const content = [...payload];
  const { length } = content;
  return [length >> 16, length >> 8, length, type, flags, 0, 0, 0, stream, ...content].map((byte) =>
    byte & 0xff
  );
}

const PREFACE = [...latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ...frame(4, 0, 0, [])];
/** GET /, and :authority as a literal. */
const block = (
  authority: string,
) => [0x82, 0x86, 0x84, 0x01, authority.length, ...latin1(authority)];
const http2 = (...frames: number[][]) => Uint8Array.from([...PREFACE, ...frames.flat()]);

Deno.test("HostGuard reads :authority of an HTTP/2 connection's first request", async (t) => {
  const good = block("web.vnet.example.com:80");
  const evil = block("evil.example");
  const cases: [name: string, sent: Uint8Array, want: string][] = [
    ["curl's", CURL_HTTP2, "pass"],
    ["a name of the app", http2(frame(1, 5, 1, good)), "pass"],
    ["another name", http2(frame(1, 5, 1, evil)), "refuse evil.example"],
    ["padding", http2(frame(1, 4 | 8, 1, [2, ...evil, 0, 0])), "refuse evil.example"],
    ["padding longer than the frame", http2(frame(1, 4 | 8, 1, [9, 0x82])), "refuse null"],
    ["priority", http2(frame(1, 4 | 32, 1, [0, 0, 0, 0, 9, ...evil])), "refuse evil.example"],
    [
      "two pieces",
      http2(frame(1, 0, 1, evil.slice(0, 7)), frame(9, 4, 1, evil.slice(7))),
      "refuse evil.example",
    ],
    [
      "two pieces, a good name",
      http2(frame(1, 0, 1, good.slice(0, 7)), frame(9, 4, 1, good.slice(7))),
      "pass",
    ],
    ["a piece of another stream", http2(frame(1, 0, 1, good), frame(9, 4, 3, [])), "refuse null"],
    [
      "another frame between pieces",
      http2(frame(1, 0, 1, good), frame(6, 0, 0, [])),
      "refuse null",
    ],
    [
      "a Host field instead",
      http2(frame(1, 5, 1, [0x82, 0x0f, 23, 4, ...latin1("evil")])),
      "refuse evil",
    ],
    ["no host at all", http2(frame(1, 5, 1, [0x82, 0x86, 0x84])), "refuse null"],
    ["a block that cannot be read", http2(frame(1, 5, 1, [0xff])), "refuse null"],
    ["data first", http2(frame(0, 0, 1, [1])), "refuse null"],
    [
      "frames before it",
      http2(frame(8, 0, 0, [0, 0, 1, 0]), frame(1, 5, 1, evil)),
      "refuse evil.example",
    ],
  ];
  for (const [name, sent, want] of cases) await t.step(name, () => equal(judge(sent), want));

  await t.step("what comes before the request goes on at once: some wait for the server", () => {
    equal(judge(CURL_HTTP2.subarray(0, HEADERS_AT)), "goes on");
    equal(judge(CURL_HTTP2.subarray(0, HEADERS_AT + 9)), `hold ${HEADERS_AT}`);
    equal(judge(CURL_HTTP2.subarray(0, HEADERS_AT + 20)), `hold ${HEADERS_AT}`);
    equal(judge(CURL_HTTP2.subarray(0, 24 + 12)), "goes on"); // within SETTINGS
  });

  await t.step("an idle connection may go on, half a request may not", () => {
    equal(judgeLast(CURL_HTTP2.subarray(0, HEADERS_AT)), "pass");
    equal(judgeLast(CURL_HTTP2.subarray(0, HEADERS_AT + 12)), "refuse null");
  });
});

Deno.test("HostGuard refuses in the words of the protocol, and never says the app's names", () => {
  const first = new HostGuard(NAMES).judge(latin1(request("evil.example")));
  ok(first.kind === "refuse" && first.reply !== null);
  const text = new TextDecoder().decode(first.reply);
  match(text, /^HTTP\/1\.1 421 Misdirected Request\r\n(?:[^\r\n]+\r\n)+\r\n421 /);
  const [head = "", body = ""] = text.split("\r\n\r\n");
  match(head, new RegExp(`^Content-Length: ${body.length}$`, "m"));
  ok(!text.includes("vnet.example.com"));

  const second = new HostGuard(NAMES).judge(http2(frame(1, 5, 1, block("evil.example"))));
  ok(second.kind === "refuse" && second.reply !== null);
  const types: number[] = [];
  for (let at = 0; at < second.reply.length;) {
    const [a = 0, b = 0, c = 0, type = -1] = second.reply.subarray(at);
    types.push(type);
    at += 9 + (a << 16 | b << 8 | c);
  }
  deepEqual(types, [4, 1, 0, 7]);
});

const GOOD = `${request("www.company.test")}\r\n`;
const EVIL = `${request("evil.example")}\r\n`;
const post = (fields: string, body: string, host = "www.company.test") =>
  `${request(host, "POST /x HTTP/1.1")}${fields}\r\n${body}`;

Deno.test("HostGuard looks at every request of a connection, however they are cut", async (t) => {
  const chunked = "Transfer-Encoding: chunked\r\n";
  const lookalike = request("evil.example");
  const cases: [name: string, sent: string, end: string][] = [
    ["a second request", GOOD + EVIL, "refuse evil.example later"],
    ["a third", GOOD + GOOD + EVIL, "refuse evil.example later"],
    ["good ones", GOOD + GOOD + GOOD, "pass"],
    ["a second without a host", `${GOOD}GET / HTTP/1.1\r\n\r\n`, "refuse null later"],
    ["half a second one", `${GOOD}GET / HTTP/1.1\r\nAcc`, "refuse null later"],
    ["a second with a long method", `${GOOD}${"A".repeat(100)}`, "refuse null later"],
    ["another host in one head", GOOD.replace(/\r\n$/, lookalike.slice(16)), "refuse evil.example"],
    ["after a body", post("Content-Length: 5\r\n", "hello") + EVIL, "refuse evil.example later"],
    [
      "after a body's empty line",
      post("Content-Length: 1\r\n", "x\r\n") + EVIL,
      "refuse evil.example later",
    ],
    [
      "a body that looks like one",
      post(`Content-Length: ${lookalike.length}\r\n`, lookalike) + GOOD,
      "pass",
    ],
    [
      "after chunks",
      post(chunked, "5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n") + EVIL,
      "refuse evil.example later",
    ],
    [
      "after trailers",
      post(chunked, "1\r\nx\r\n0\r\nA: b\r\nHost: evil.example\r\n\r\n") + EVIL,
      "refuse evil.example later",
    ],
    [
      "chunks that look like one",
      post(`A: b\r\n${chunked}`, `${lookalike.length.toString(16)}\r\n${lookalike}\r\n0\r\n\r\n`) +
      GOOD,
      "pass",
    ],
    [
      "chunks last",
      post("Transfer-Encoding: gzip, Chunked\r\n", "1\r\nx\r\n0\r\n\r\n") + EVIL,
      "refuse evil.example later",
    ],
    [
      "a long field before",
      `${request("www.company.test")}Cookie: ${"x".repeat(20_000)}\r\n\r\n${EVIL}`,
      "refuse evil.example later",
    ],
    [
      "100-continue",
      post("Expect: 100-continue\r\nContent-Length: 2\r\n", "ok") + EVIL,
      "refuse evil.example later",
    ],
    ["HTTP/1.0", `GET / HTTP/1.0\r\n\r\n${EVIL}`, "refuse evil.example later"],
    ["WebSocket", `${GOOD.slice(0, -2)}Upgrade: websocket\r\n\r\n\x81\x85abcd${EVIL}`, "pass"],
    [
      "WebSocket, packed",
      `${GOOD.slice(0, -2)}Upgrade: WebSocket\r\n\r\n\x41\x85abcd${EVIL}`,
      "pass",
    ],
    [
      "WebSocket, declined",
      `${GOOD.slice(0, -2)}Upgrade: websocket\r\n\r\n${EVIL}`,
      "refuse evil.example later",
    ],
    [
      "h2c, declined",
      `${GOOD.slice(0, -2)}Upgrade: h2c\r\n\r\n${EVIL}`,
      "refuse evil.example later",
    ],
    ["another upgrade", `${GOOD.slice(0, -2)}Upgrade: tcp\r\n\r\n${EVIL}`, "pass"],
    [
      "CONNECT",
      `CONNECT www.company.test:80 HTTP/1.1\r\nHost: www.company.test:80\r\n\r\n${EVIL}`,
      "pass",
    ],
    ["CONNECT without Host", `CONNECT www.company.test:80 HTTP/1.1\r\n\r\n${EVIL}`, "pass"],
    // No browser writes these, and where the next request begins cannot be told.
    ["a length that is none", post("Content-Length: 5x\r\n", EVIL), "pass"],
    ["two lengths", post("Content-Length: 1\r\nContent-Length: 2\r\n", EVIL), "pass"],
    ["a folded length", post("Content-Length:\r\n 1\r\n", EVIL), "pass"],
    ["another coding", post("Transfer-Encoding: gzip\r\n", EVIL), "pass"],
    ["a chunk without a size", post(chunked, `x\r\n${EVIL}`), "pass"],
    ["a chunk that does not end", post(chunked, `1\r\nxyz${EVIL}`), "pass"],
  ];
  for (const [name, sent, end] of cases) {
    await t.step(name, () => {
      const bytes = latin1(sent);
      const whole = feed([bytes]);
      equal(whole.end, end);
      if (end === "pass") deepEqual(whole.passed, bytes);
      const pieces = (size: number) =>
        Array.from(
          { length: Math.ceil(bytes.length / size) },
          (_, index) => bytes.subarray(index * size, (index + 1) * size),
        );
      equal(feed(pieces(bytes.length > 2_000 ? 97 : 1)).end, end);
      for (let at = 1; at < bytes.length; at += bytes.length > 2_000 ? 1_013 : 1) {
        const cut = feed([bytes.subarray(0, at), bytes.subarray(at)]);
        equal(cut.end, end, `cut at ${at}`);
        deepEqual(cut.passed, bytes.subarray(0, cut.passed.length));
        const evilAt = sent.lastIndexOf("evil.example");
        if (end.startsWith("refuse evil")) ok(cut.passed.length <= evilAt, `cut at ${at}`);
      }
    });
  }
  await t.step("what is upgraded to HTTP/2", () => {
    const upgrade = latin1(`${GOOD.slice(0, -2)}Upgrade: h2c\r\n\r\n`);
    const second = (host: string) =>
      Uint8Array.of(...upgrade, ...http2(frame(1, 5, 3, block(host))));
    equal(feed([second("www.company.test")]).end, "pass");
    equal(feed([second("evil.example")]).end, "refuse evil.example later");
  });
});

Deno.test("HostGuard lets a body go on unseen", () => {
  const guard = new HostGuard(NAMES);
  const head = latin1(post("Content-Length: 1000000\r\n", "first"));
  const readyBytes = head.length;
  deepEqual(guard.judge(head), { kind: "hold", readyBytes, freeBytes: 999_995, certain: false });
  deepEqual(guard.judge(latin1("GE")), {
    kind: "hold",
    readyBytes: 0,
    freeBytes: 0,
    certain: false,
  });
});

/** Requests as browsers and other clients write them, one after the other. */
const anyRequests = fc.array(
  fc.record({
    method: fc.oneof(
      fc.constantFrom("GET", "POST", "OPTIONS", "PRI", "P", "A".repeat(65)),
      fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,80}$/),
    ),
    target: fc.oneof(
      fc.constantFrom("/", "*", "http://www.company.test/x", "x", "h", `/${"y".repeat(600)}`),
      fc.stringMatching(/^\/[!-~\xa0-\xff]{0,40}$/),
    ),
    version: fc.constantFrom("1.1", "1.1", "1.1", "1.0", "1", "2.0"),
    host: fc.constantFrom("www.company.test", "WWW.company.test:80", "evil.example", "", null),
    before: fc.array(
      fc.constantFrom("Accept: */*", "a:", `b: ${"c".repeat(60)}`, "Content-Typ: x"),
      { maxLength: 3 },
    ),
    body: fc.oneof(
      fc.constant({ field: null, text: "" }),
      fc.stringMatching(/^[ -~\r\n]{0,40}$/).map((text) => ({
        field: `Content-Length: ${text.length}`,
        text,
      })),
      fc.array(fc.stringMatching(/^[ -~\r\n]{1,40}$/), { maxLength: 3 }).map((chunks) => ({
        field: "transfer-encoding: chunked",
        text: chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("") +
          "0\r\n\r\n",
      })),
    ),
    upgrade: fc.constantFrom(null, null, null, "websocket", "h2c", "tcp"),
    end: fc.constantFrom("\r\n", "\r\n", "\n"),
  }),
  { minLength: 1, maxLength: 4 },
);

Deno.test("HostGuard decides the same however requests are cut, and changes none of their bytes", () => {
  fc.assert(
    fc.property(
      anyRequests,
      fc.array(fc.nat({ max: 90 }), { maxLength: 30 }),
      (requests, sizes) => {
        const sent = requests.map((one) => {
          const { method, target, version, host, before, body, upgrade, end } = one;
          const fields = [
            ...before,
            ...(host === null ? [] : [`Host: ${host}`]),
            ...(upgrade === null ? [] : [`Upgrade: ${upgrade}`]),
            ...(body.field === null ? [] : [body.field]),
          ];
          const head = [`${method} ${target} HTTP/${version}`, ...fields, "", ""].join(end);
          return { ...one, bytes: latin1(head + body.text) };
        });
        const bytes = Uint8Array.from(sent.flatMap((one) => [...one.bytes]));
        const whole = feed([bytes]);
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) pieces.push(bytes.subarray(at, at += size));
        pieces.push(bytes.subarray(at));
        const cut = feed(pieces);
        equal(cut.end, whole.end);
        deepEqual(cut.passed, bytes.subarray(0, cut.passed.length));
        equal(feed([...bytes].map((byte) => Uint8Array.of(byte))).end, whole.end);
        // The obvious way: the first request that is foreign decides, unless one before it changes the protocol.
        const last = sent.findIndex(({ upgrade }) => upgrade === "tcp");
        const looked = last < 0 ? sent : sent.slice(0, last + 1);
        const isForeign = looked.some(({ host, version, target }) =>
          host === null ? version >= "1.1" && !target.includes("://") : !/company/i.test(host)
        );
        equal(whole.end.startsWith("refuse"), isForeign);
        if (!isForeign) deepEqual(cut.passed, bytes);
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("HostGuard changes no byte of what is no request, and never throws", () => {
  const sent = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.string({ maxLength: 64 }).map((text) => new TextEncoder().encode(text)),
    fc.uint8Array({ maxLength: 64 }).map((noise) => Uint8Array.of(...latin1(GOOD), ...noise)),
    fc.constant(CURL_HTTP2),
  );
  fc.assert(fc.property(sent, fc.array(fc.nat({ max: 40 }), { maxLength: 12 }), (bytes, sizes) => {
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const size of sizes) pieces.push(bytes.subarray(at, at += size));
    pieces.push(bytes.subarray(at));
    const { passed, end } = feed(pieces);
    deepEqual(passed, bytes.subarray(0, passed.length));
    if (end === "pass") deepEqual(passed, bytes);
  }));
});

Deno.test("HostGuard takes any frames after the preface", () => {
  const anyFrame = fc.tuple(
    fc.nat({ max: 12 }),
    fc.nat({ max: 255 }),
    fc.nat({ max: 5 }),
    fc.uint8Array({ maxLength: 40 }),
  )
    .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload));
  fc.assert(fc.property(fc.array(anyFrame, { maxLength: 6 }), (frames) => {
    const sent = http2(...frames);
    const { passed } = feed([sent]);
    deepEqual(passed, sent.subarray(0, passed.length));
    const firstHeaders = frames.findIndex(([, , , type]) => type === 1);
    if (firstHeaders < 0) return;
    // Nothing of the first request goes on unless it was found good; random bytes never are.
    const before = http2(...frames.slice(0, firstHeaders)).length;
    ok(passed.length <= before);
  }));
});
