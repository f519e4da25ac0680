import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import {
  CLIENT_HELLO_MAX_BYTES,
  type ClientHello,
  ClientHelloReader,
  decodeClientHello,
} from "./client_hello.ts";

// Captured from OpenSSL 3.0.19: openssl s_client -connect 127.0.0.1:9 -servername db.example.com -alpn h2,http/1.1
const OPENSSL_HELLO = Uint8Array.fromHex(
  "160301014d0100014903032caf5a80c782ade1ed8e6547f5a14ae0822ea73525d935829b3316ccc893bff520" +
    "086ae59672197fcf4caf31316338d7837dd942de2e078588dae6162dbe82697e003e130213031301c02cc030" +
    "009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d009c003d" +
    "003c0035002f00ff010000c200000013001100000e64622e6578616d706c652e636f6d000b00040300010200" +
    "0a00160014001d0017001e0019001801000101010201030104002300000010000e000c02683208687474702f" +
    "312e310016000000170000000d002a0028040305030603080708080809080a080b0804080508060401050106" +
    "01030303010302040205020602002b0009080304030303020301002d00020101003300260024001d00206986" +
    "34620682935f2e4c82f4eee63fc740f60db76eeafba8f8932e6983eadf05",
);

const u8 = (value: number) => [value & 0xff];
const u16 = (value: number) => [(value >> 8) & 0xff, value & 0xff];
const ascii = (text: string) => [...text].map((letter) => letter.charCodeAt(0));
const vector8 = (bytes: number[]) => [...u8(bytes.length), ...bytes];
const vector16 = (bytes: number[]) => [...u16(bytes.length), ...bytes];
const extension = (type: number, content: number[]) => [...u16(type), ...vector16(content)];
const serverName = (name: string) => extension(0, vector16([0, ...vector16(ascii(name))]));
const alpn = (names: readonly string[]) =>
  extension(16, vector16(names.flatMap((name) => vector8(ascii(name)))));

/** The body of a ClientHello with these extensions, as RFC 8446 section 4.1.2 lays it out. */
function body(extensions: number[] | null): number[] {
  return [
    ...u16(0x0303),
    ...new Array(32).fill(7),
    ...vector8(new Array(32).fill(9)),
    ...vector16([0x13, 0x01, 0x13, 0x02]),
    ...vector8([0]),
    ...(extensions === null ? [] : vector16(extensions)),
  ];
}

function message(content: number[]): number[] {
  return [1, 0, ...u16(content.length), ...content];
}

/** Wraps a handshake message in records of at most `size` bytes. */
function records(handshake: number[], size = 16_384): Uint8Array<ArrayBuffer> {
  const wire: number[] = [];
  for (let at = 0; at < handshake.length; at += size) {
    wire.push(22, 3, 1, ...vector16(handshake.slice(at, at + size)));
  }
  return Uint8Array.from(wire);
}

function read(wire: Uint8Array): ClientHello | "more" | "bad" {
  const progress = new ClientHelloReader().push(wire);
  return progress.kind === "hello" ? progress.hello : progress.kind;
}

Deno.test("decodeClientHello() finds name and protocols, and refuses what does not fit", async (t) => {
  const cases: [name: string, content: number[], want: ClientHello | null][] = [
    ["name and protocols", body([...serverName("DB.Example.com"), ...alpn(["h2", "vnet-app/1"])]), {
      serverName: "db.example.com",
      protocols: ["h2", "vnet-app/1"],
    }],
    ["a trailing dot is dropped", body(serverName("a.example.")), {
      serverName: "a.example",
      protocols: [],
    }],
    ["no extensions at all", body(null), { serverName: null, protocols: [] }],
    ["an empty list of extensions", body([]), { serverName: null, protocols: [] }],
    [
      "unknown extensions are skipped",
      body([...extension(0xfe0d, [1, 2, 3]), ...serverName("a")]),
      {
        serverName: "a",
        protocols: [],
      },
    ],
    ["the name given twice", body([...serverName("a"), ...serverName("b")]), null],
    ["the protocols given twice", body([...alpn(["a"]), ...alpn(["b"])]), null],
    ["an empty name", body(extension(0, vector16([0, ...vector16([])]))), null],
    ["a name of another type", body(extension(0, vector16([1, ...vector16(ascii("a"))]))), null],
    ["a name that is none", body(serverName("a b")), null],
    ["a name with a NUL", body(serverName("a\0b")), null],
    ["an empty protocol", body(alpn([""])), null],
    ["no protocol", body(alpn([])), null],
    ["an extension longer than the list", body([...u16(0), ...u16(10), 1]), null],
    ["bytes after the extensions", [...body([]), 0], null],
    ["an odd list of cipher suites", [
      ...u16(0x0303),
      ...new Array(32).fill(7),
      0,
      ...vector16([1, 2, 3]),
      ...vector8([0]),
    ], null],
    ["a session id of 33 bytes", [
      ...u16(0x0303),
      ...new Array(32).fill(7),
      ...vector8(new Array(33).fill(1)),
      ...vector16([0x13, 1]),
      ...vector8([0]),
    ], null],
    ["nothing", [], null],
  ];
  for (const [name, content, want] of cases) {
    await t.step(name, () => deepEqual(decodeClientHello(Uint8Array.from(content)), want));
  }
});

Deno.test("ClientHelloReader.push() knows records, and what is none", async (t) => {
  const hello = message(body([...serverName("web.example"), ...alpn(["http/1.1"])]));
  const want = { serverName: "web.example", protocols: ["http/1.1"] };
  const cases: [name: string, wire: Uint8Array, want: ReturnType<typeof read>][] = [
    ["one record", records(hello), want],
    ["records of one byte", records(hello, 1), want],
    ["followed by other bytes", Uint8Array.from([...records(hello), 1, 2, 3]), want],
    ["all but the last byte", records(hello).subarray(0, -1), "more"],
    ["nothing", new Uint8Array(), "more"],
    ["another content type", Uint8Array.of(23, 3, 1), "bad"],
    ["SSL 2", Uint8Array.of(0x80, 0x2e, 1, 0, 2), "bad"],
    ["an empty record", Uint8Array.of(22, 3, 1, 0, 0), "bad"],
    ["another message first", records([2, 0, 0, 0]), "bad"],
    ["a message too long to be one", records([1, 1, 0, 0]), "bad"],
    ["a record too long to be ours", Uint8Array.of(22, 3, 1, 0xff, 0xff), "bad"],
    ["HTTP", new TextEncoder().encode("GET / HTTP/1.1\r\n"), "bad"],
  ];
  for (const [name, wire, wanted] of cases) {
    await t.step(name, () => deepEqual(read(wire), wanted));
  }
});

Deno.test("ClientHelloReader reads what OpenSSL says", () => {
  deepEqual(read(OPENSSL_HELLO), { serverName: "db.example.com", protocols: ["h2", "http/1.1"] });
});

Deno.test("ClientHelloReader takes no more than it says", () => {
  const reader = new ClientHelloReader();
  // A message that announces the most there may be, in records that fill the limit with headers.
  const endless = records([1, 0, 0x3f, 0x00, ...new Array(20_000).fill(0)], 100);
  let taken = 0;
  while (reader.push(endless.subarray(taken, taken + 64)).kind === "more") taken += 64;
  equal(reader.push(endless).kind, "bad");
  equal(taken <= CLIENT_HELLO_MAX_BYTES, true);
});

Deno.test("a ClientHello reads the same however it is cut into pieces and records", () => {
  const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z0-9]{1,10}){0,3}$/);
  const protocols = fc.array(fc.stringMatching(/^[a-z0-9/.]{1,12}$/), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(
      name,
      protocols,
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 50 }),
      (name, protocols, recordSize, pieceSize) => {
        const wire = records(message(body([...serverName(name), ...alpn(protocols)])), recordSize);
        const reader = new ClientHelloReader();
        for (let at = 0; at + pieceSize < wire.length; at += pieceSize) {
          equal(reader.push(wire.subarray(at, at + pieceSize)).kind, "more");
        }
        const rest = wire.length - (Math.ceil(wire.length / pieceSize) - 1) * pieceSize;
        deepEqual(reader.push(wire.subarray(wire.length - rest)), {
          kind: "hello",
          hello: { serverName: name, protocols },
        });
      },
    ),
  );
});

Deno.test("ClientHelloReader never throws, whatever it is fed", () => {
  const valid = records(message(body([...serverName("a.example"), ...alpn(["h2"])])));
  const mutated = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 8 })
    .map((changes) => {
      const bytes = valid.slice();
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), (wire) => {
      const whole = read(wire);
      const reader = new ClientHelloReader();
      let last = reader.push(new Uint8Array());
      for (const byte of wire) last = reader.push(Uint8Array.of(byte));
      deepEqual(last.kind === "hello" ? last.hello : last.kind, whole);
    }),
    { numRuns: 2000 },
  );
});
