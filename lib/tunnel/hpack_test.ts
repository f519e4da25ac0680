import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { decodeHeaderBlock, type HeaderField } from "./hpack.ts";

const REQUEST: readonly HeaderField[] = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];

Deno.test("decodeHeaderBlock() reads the examples of RFC 7541 and refuses what is broken", async (t) => {
  const cases: [name: string, hex: string, want: readonly HeaderField[] | null][] = [
    ["C.2.1 literal, indexed", "400a637573746f6d2d6b65790d637573746f6d2d686561646572", [
      ["custom-key", "custom-header"],
    ]],
    ["C.2.2 literal, not indexed", "040c2f73616d706c652f70617468", [[":path", "/sample/path"]]],
    ["C.2.3 literal, never indexed", "100870617373776f726406736563726574", [
      ["password", "secret"],
    ]],
    ["C.2.4 indexed", "82", [[":method", "GET"]]],
    ["C.3.1 a request", "828684410f7777772e6578616d706c652e636f6d", REQUEST],
    ["C.4.1 a request in Huffman code", "828684418cf1e3c2e5f23a6ba0ab90f4ff", REQUEST],
    [
      "C.6.1 a response in Huffman code",
      "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad1718" +
      "63c78f0b97c8e9ae82ae43d3",
      [
        [":status", "302"],
        ["cache-control", "private"],
        ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
        ["location", "https://www.example.com"],
      ],
    ],
    ["an entry of this block, by its index", "410161be", [[":authority", "a"], [
      ":authority",
      "a",
    ]]],
    ["a name of this block, by its index", "40016801617e0162", [["h", "a"], ["h", "b"]]],
    ["a value that is missing", "20820f1001", null],
    ["a new size of the table, then a field", "3fe11f82", [[":method", "GET"]]],
    ["nothing", "", []],
    ["index 0", "80", null],
    ["an index nobody has", "fe", null],
    ["an index that never ends", "ffffffffffffff", null],
    ["a text longer than the block", "410a61", null],
    ["a literal without a value", "41", null],
    ["padding of a whole byte", "4182f1ff", null],
    ["padding that is not ones", "41811c", null],
    ["EOS within a text", "4184ffffffff", null],
  ];
  for (const [name, hex, want] of cases) {
    await t.step(name, () => deepEqual(decodeHeaderBlock(Uint8Array.fromHex(hex)), want));
  }
});

Deno.test("decodeHeaderBlock() takes any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (block) => {
    const fields = decodeHeaderBlock(block);
    equal(fields === null || fields.every((field) => field.length === 2), true);
  }));
});
