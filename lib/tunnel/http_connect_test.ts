import { deepEqual, equal, match } from "node:assert/strict";
import { CONNECT_HEAD_MAX_BYTES, encodeConnectReply, readConnect } from "./http_connect.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("readConnect() reads CONNECT, however it is split", () => {
  const rows: [head: string, host: string, port: number][] = [
    ["CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\n", "db.test", 5432],
    ["CONNECT DB.test:443 HTTP/1.0\r\n\r\n", "db.test", 443],
    ["CONNECT [2001:db8::1]:22 HTTP/1.1\r\nUser-Agent: x\r\n\r\n", "2001:db8::1", 22],
    ["CONNECT a.test:1 HTTP/1.1\n\n", "a.test", 1],
  ];
  for (const [head, host, port] of rows) {
    for (let count = 0; count < head.length; count++) {
      equal(readConnect(bytes(head.slice(0, count))).kind, "more", `${count} of ${head}`);
    }
    deepEqual(readConnect(bytes(`${head}\x16\x03\x01`)), {
      kind: "connect",
      length: head.length,
      to: { host, port },
    });
  }
});

Deno.test("readConnect() tells what is no CONNECT", () => {
  const rows: [head: string, kind: string][] = [
    ["GET http://web.test/ HTTP/1.1\r\nHost: web.test\r\n\r\n", "other"],
    ["POST / HTTP/1.1\r\nHost: 127.0.0.1:1080\r\n\r\n", "other"],
    ["CONNECT db.test HTTP/1.1\r\n\r\n", "bad"],
    ["CONNECT db.test:0 HTTP/1.1\r\n\r\n", "bad"],
    ["CONNECT db.test:99999 HTTP/1.1\r\n\r\n", "bad"],
    ["CONNECT db.test:1 HTTP/2\r\n\r\n", "bad"],
    ["\x16\x03\x01 not http\r\n\r\n", "bad"],
    ["x".repeat(CONNECT_HEAD_MAX_BYTES), "bad"],
    ["x".repeat(CONNECT_HEAD_MAX_BYTES - 1), "more"],
  ];
  for (const [head, kind] of rows) equal(readConnect(bytes(head)).kind, kind, head.slice(0, 60));
});

Deno.test("encodeConnectReply() has a text only where it refuses", () => {
  const text = (reply: Uint8Array) => new TextDecoder().decode(reply);
  equal(text(encodeConnectReply(200)), "HTTP/1.1 200 Connection established\r\n\r\n");
  match(
    text(encodeConnectReply(403, "no \u00e4\n")),
    /^HTTP\/1\.1 403 Forbidden\r\nContent-Type: [^\r]*\r\nContent-Length: 6\r\nConnection: close\r\n\r\nno ä\n$/,
  );
});
