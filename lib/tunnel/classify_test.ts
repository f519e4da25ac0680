import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { decodePreface, encodePreface } from "./address.ts";
import { Classifier, type ConnectionKind, FIRST_BYTES_MAX } from "./classify.ts";

const TICKET = "abcdefghijklmnopqrstuvwxyz";

function hello(serverName: string, protocol: string): Uint8Array<ArrayBuffer> {
  const name = [...new TextEncoder().encode(serverName)];
  const proto = [...new TextEncoder().encode(protocol)];
  const sni = [0, 0, 0, name.length + 5, 0, name.length + 3, 0, 0, name.length, ...name];
  const alpn = [0, 16, 0, proto.length + 3, 0, proto.length + 1, proto.length, ...proto];
  const extensions = [...sni, ...alpn];
  const body = [
    3,
    3,
    ...new Array(32).fill(0),
    0,
    0,
    2,
    0x13,
    1,
    1,
    0,
    0,
    extensions.length,
    ...extensions,
  ];
  return Uint8Array.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length, ...body]);
}

const text = (words: string) => new TextEncoder().encode(words);

function classify(bytes: Uint8Array): ConnectionKind {
  return new Classifier().push(bytes);
}

Deno.test("Classifier.push() tells connections apart by their first bytes", async (t) => {
  const appName = `${TICKET}.0123456789abcdef.app.vnet.internal`;
  const cases: [name: string, bytes: Uint8Array, want: ConnectionKind][] = [
    ["an app connection", hello(appName, "vnet-app/1"), {
      kind: "app",
      ticket: TICKET,
      appId: "0123456789abcdef",
    }],
    ["an app's name with another protocol", hello(appName, "h2"), { kind: "bad" }],
    ["a name that only looks like an app's", hello(`x.${appName}`, "vnet-app/1"), {
      kind: "web",
      serverName: `x.${appName}`,
    }],
    ["the web API", hello("proxy.example", "h2"), { kind: "web", serverName: "proxy.example" }],
    ["a data channel", encodePreface(TICKET), { kind: "data-channel", ticket: TICKET, bytes: 39 }],
    ["a data channel of another version", text(`VNETDATA/2 ${TICKET}\r\n`), { kind: "bad" }],
    ["a data channel with bare LF", text(`VNETDATA/1 ${TICKET}\n`), { kind: "bad" }],
    ["a data channel with an upper-case ticket", text("VNETDATA/1 ABCDEFGHIJ\r\n"), {
      kind: "bad",
    }],
    ["a data channel with a short ticket", text("VNETDATA/1 abc\r\n"), { kind: "bad" }],
    ["the beginning of a data channel", text("VNETDA"), { kind: "more" }],
    ["a word that begins like one", text("VNETDO"), { kind: "bad" }],
    ["clear-text HTTP", text("GET / HTTP/1.1\r\n"), { kind: "http" }],
    ["HTTP/2 with prior knowledge", text("PRI * HTTP/2.0\r\n"), { kind: "http" }],
    ["the beginning of a method", text("OPTI"), { kind: "more" }],
    ["SSH", text("SSH-2.0-OpenSSH_9.2\r\n"), { kind: "bad" }],
    ["nothing yet", new Uint8Array(), { kind: "more" }],
    ["a zero byte", Uint8Array.of(0), { kind: "bad" }],
  ];
  for (const [name, bytes, want] of cases) {
    await t.step(name, () => deepEqual(classify(bytes), want));
  }
});

Deno.test("Classifier keeps all it was given, for whoever gets the connection", () => {
  const classifier = new Classifier();
  const bytes = hello("proxy.example", "http/1.1");
  for (const byte of bytes) classifier.push(Uint8Array.of(byte));
  deepEqual(classifier.received, bytes);
});

Deno.test("Classifier decides the same however the bytes are cut, never throws, and never asks for ever", () => {
  const starts = fc.constantFrom(
    text("VNETDATA/1 "),
    text("GET "),
    hello("a.example", "h2"),
    hello("a.example", "h2").subarray(0, 40),
    new Uint8Array(),
  );
  fc.assert(
    fc.property(
      starts,
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 1, max: 7 }),
      (start, rest, size) => {
        const bytes = Uint8Array.from([...start, ...rest]);
        const cut = new Classifier();
        let last = cut.push(new Uint8Array());
        for (let at = 0; at < bytes.length && last.kind === "more"; at += size) {
          last = cut.push(bytes.subarray(at, at + size));
        }
        deepEqual(last, classify(bytes));
      },
    ),
  );
  const greedy = new Classifier();
  let pushed = 0;
  while (
    greedy.push(Uint8Array.of(...(pushed === 0 ? [22, 3, 1, 0x3f, 0xfa, 1, 0, 0x3f, 0xf6] : [0])))
      .kind === "more"
  ) {
    pushed++;
  }
  equal(pushed <= FIRST_BYTES_MAX, true);
});

Deno.test("decodePreface() reads back what encodePreface() writes", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[a-z2-7]{8,63}$/),
      fc.uint8Array({ maxLength: 20 }),
      (ticket, rest) => {
        const line = encodePreface(ticket);
        const wire = Uint8Array.from([...line, ...rest]);
        deepEqual(decodePreface(wire), { kind: "preface", ticket, bytes: line.length });
        for (let end = 0; end < line.length; end++) {
          equal(decodePreface(line.subarray(0, end)).kind, "more");
        }
      },
    ),
  );
});
