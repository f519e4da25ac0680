import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { ipv4, ipv6 } from "./address.ts";
import { equalEndpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";

Deno.test("parseEndpoint() takes address and port, IPv6 in brackets", async (t) => {
  const cases: [text: string, want: boolean][] = [
    ["127.0.0.1:53", true],
    ["[::1]:53", true],
    ["0.0.0.0:0", true],
    ["127.0.0.1:65535", true],
    ["127.0.0.1", false],
    ["127.0.0.1:", false],
    ["127.0.0.1:65536", false],
    ["127.0.0.1:053", false],
    ["127.0.0.1:+53", false],
    ["127.0.0.1:53 ", false],
    ["::1:53", false],
    ["[::1]", false],
    ["[::1]53", false],
    ["[127.0.0.1]:53", false],
    ["[::1%lo]:53", false],
    ["localhost:53", false],
    [":53", false],
    ["", false],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text), () => {
      if (want) equal(formatEndpoint(parseEndpoint(text)), text);
      else throws(() => parseEndpoint(text), SyntaxError);
    });
  }
});

Deno.test("parseEndpoint() reads back what formatEndpoint() writes", () => {
  const address = fc.oneof(
    fc.integer({ min: 0, max: 0xffff_ffff }).map(ipv4),
    fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }).map(ipv6),
  );
  fc.assert(fc.property(address, fc.integer({ min: 0, max: 65535 }), (address, port) => {
    const endpoint = parseEndpoint(formatEndpoint({ address, port }));
    deepEqual(endpoint, { address, port });
    equal(equalEndpoint(endpoint, { address, port }), true);
    equal(equalEndpoint(endpoint, { address, port: port ^ 1 }), false);
  }));
});
