import { deepEqual, equal, match } from "node:assert/strict";
import fc from "fast-check";
import { decodeIp, formatEndpoint, parseEndpoint } from "../../../../ip/mod.ts";
import { type Found, isOwn, sameUpstreams, upstreamsOf } from "./upstreams.ts";

const server = parseEndpoint("127.0.53.1:53");

Deno.test("upstreamsOf() keeps what can be asked, in order", async (t) => {
  const cases: [name: string, candidates: string[], dropStubs: boolean, want: string[]][] = [
    ["nothing special", ["10.0.0.1:53", "[2001:db8::1]:53"], false, [
      "10.0.0.1:53",
      "[2001:db8::1]:53",
    ]],
    ["our own server", ["127.0.53.1:53", "10.0.0.1:53"], false, ["10.0.0.1:53"]],
    ["another vnet's", ["127.0.53.9:53", "10.0.0.1:53"], false, ["10.0.0.1:53"]],
    ["a neighbour with a port of its own", ["127.0.53.9:5300"], false, ["127.0.53.9:5300"]],
    ["twice the same", ["10.0.0.1:53", "10.0.0.1:53"], false, ["10.0.0.1:53"]],
    ["the same with another port", ["10.0.0.1:53", "10.0.0.1:54"], false, [
      "10.0.0.1:53",
      "10.0.0.1:54",
    ]],
    ["stubs that lead back", ["127.0.0.53:53", "127.0.0.54:53", "9.9.9.9:53"], true, [
      "9.9.9.9:53",
    ]],
    ["stubs that do not", ["127.0.0.53:53"], false, ["127.0.0.53:53"]],
    ["addresses nobody can ask", ["0.0.0.0:53", "[fe80::1]:53", "224.0.0.251:53"], false, []],
  ];
  for (const [name, candidates, dropStubs, want] of cases) {
    await t.step(name, () => {
      const found = upstreamsOf({
        candidates: candidates.map(parseEndpoint),
        search: [],
        server,
        dropStubs,
      });
      deepEqual(found.upstreams.map(formatEndpoint), want);
      equal(found.warnings.length, want.length === 0 ? 1 : 0);
    });
  }
});

Deno.test("upstreamsOf() never gives ourselves, and an empty list never silently", () => {
  const endpoint = fc.tuple(
    fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.constantFrom(
        Uint8Array.of(127, 0, 53, 1),
        Uint8Array.of(127, 0, 0, 53),
        Uint8Array.of(127, 0, 53, 7),
      ),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    ),
    fc.constantFrom(53, 5300),
  ).map(([bytes, port]) => {
    const address = decodeIp(bytes);
    if (address === null) throw new TypeError("4 or 16 bytes are an address");
    return { address, port };
  });
  fc.assert(fc.property(fc.array(endpoint), fc.boolean(), (candidates, dropStubs) => {
    const found: Found = { candidates, search: [], server, dropStubs };
    const { upstreams, warnings } = upstreamsOf(found);
    equal(upstreams.some((one) => isOwn(one, server)), false);
    equal(upstreams.length === 0, warnings.length > 0);
    if (upstreams.length === 0) match(warnings.join(), /no resolver/);
  }));
});

Deno.test("sameUpstreams() sees order, search list and warnings", () => {
  const one = { upstreams: [server], search: ["corp.lan"], warnings: [] };
  equal(sameUpstreams(one, { ...one }), true);
  equal(sameUpstreams(one, { ...one, upstreams: [] }), false);
  equal(sameUpstreams(one, { ...one, search: [] }), false);
  equal(sameUpstreams(one, { ...one, warnings: ["x"] }), false);
});
