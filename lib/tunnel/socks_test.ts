import { deepEqual, equal } from "node:assert/strict";
import { encodeSocksReply, readSocksGreeting, readSocksRequest, SOCKS_REPLY } from "./socks.ts";

const ascii = (text: string) => [...new TextEncoder().encode(text)];

Deno.test("readSocksGreeting() takes clients that need no authentication", () => {
  const rows: [bytes: number[], kind: string, reply: number[] | null][] = [
    [[5, 1, 0], "greeting", [5, 0]],
    [[5, 3, 2, 1, 0, 99], "greeting", [5, 0]],
    [[5, 1, 2], "bad", [5, 255]],
    [[5, 0], "bad", [5, 255]],
    [[4, 1], "bad", [5, 255]],
    [[], "more", null],
    [[5], "more", null],
    [[5, 2, 0], "more", null],
  ];
  for (const [bytes, kind, reply] of rows) {
    const read = readSocksGreeting(Uint8Array.from(bytes));
    equal(read.kind, kind, String(bytes));
    if (reply !== null) deepEqual("reply" in read && [...read.reply], reply);
  }
  const greeting = readSocksGreeting(Uint8Array.of(5, 2, 1, 0, 5, 1));
  equal(greeting.kind === "greeting" && greeting.length, 4);
});

Deno.test("readSocksRequest() reads names and addresses, however they are split", () => {
  const rows: [bytes: number[], host: string, isAddress: boolean, port: number][] = [
    [[5, 1, 0, 3, 7, ...ascii("db.test"), 0x15, 0x38], "db.test", false, 5432],
    [[5, 1, 0, 3, 9, ...ascii("127.0.0.1"), 0, 80], "127.0.0.1", false, 80],
    [[5, 1, 0, 1, 192, 0, 2, 1, 0x01, 0xbb], "192.0.2.1", true, 443],
    [[5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 1, 0, 22], "2001:db8::1", true, 22],
  ];
  for (const [bytes, host, isAddress, port] of rows) {
    for (let count = 0; count < bytes.length; count++) {
      equal(readSocksRequest(Uint8Array.from(bytes.slice(0, count))).kind, "more", `${count}`);
    }
    deepEqual(readSocksRequest(Uint8Array.from([...bytes, 1, 2, 3])), {
      kind: "connect",
      length: bytes.length,
      ...{ host, isAddress, port },
    });
  }
});

Deno.test("readSocksRequest() refuses what is no CONNECT, and says so", () => {
  const rows: [bytes: number[], reply: number][] = [
    [[4, 1, 0, 80, 127, 0, 0, 1, 0], SOCKS_REPLY.failed],
    [[5, 2, 0, 1, 127, 0, 0, 1, 0, 80], SOCKS_REPLY.commandUnsupported],
    [[5, 3, 0, 1, 127, 0, 0, 1, 0, 80], SOCKS_REPLY.commandUnsupported],
    [[5, 1, 0, 2, 127, 0, 0, 1, 0, 80], SOCKS_REPLY.addressUnsupported],
    [[5, 1, 0, 3, 0, 0, 80], SOCKS_REPLY.failed],
    [[5, 1, 0, 1, 127, 0, 0, 1, 0, 0], SOCKS_REPLY.failed],
  ];
  for (const [bytes, reply] of rows) {
    const read = readSocksRequest(Uint8Array.from(bytes));
    deepEqual(read, { kind: "bad", reply: encodeSocksReply(reply as 1) }, String(bytes));
  }
});

Deno.test("encodeSocksReply() tells no address", () => {
  deepEqual([...encodeSocksReply(SOCKS_REPLY.refused)], [5, 5, 0, 1, 0, 0, 0, 0, 0, 0]);
});
