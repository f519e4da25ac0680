import { equal } from "node:assert/strict";
import { matchesNoProxy, parseNoProxy } from "./no_proxy.ts";

Deno.test("NO_PROXY names hosts that are reached without a proxy", async (t) => {
  const cases: [list: string, host: string, port: number, want: boolean][] = [
    ["", "vnet.example.com", 443, false],
    ["*", "vnet.example.com", 443, true],
    ["example.com", "example.com", 443, true],
    ["example.com", "vnet.example.com", 443, true],
    ["example.com", "VNET.Example.COM.", 443, true],
    ["Example.Com.", "vnet.example.com", 443, true],
    ["example.com", "notexample.com", 443, false], // whole labels only
    ["example.com", "example.com.evil.test", 443, false],
    [".example.com", "vnet.example.com", 443, true],
    [".example.com", "example.com", 443, false], // below it only
    ["*.example.com", "vnet.example.com", 443, true],
    ["*.example.com", "example.com", 443, false],
    ["example.com:443", "vnet.example.com", 443, true],
    ["example.com:443", "vnet.example.com", 3080, false],
    ["other.test,example.com", "vnet.example.com", 443, true],
    [" other.test , example.com ", "vnet.example.com", 443, true],
    ["other.test example.com", "vnet.example.com", 443, true],
    ["192.0.2.1", "192.0.2.1", 443, true],
    ["192.0.2.1", "192.0.2.10", 443, false],
    ["192.0.2.1:443", "192.0.2.1", 443, true],
    ["192.0.2.1:443", "192.0.2.1", 80, false],
    ["192.0.2.0/24", "192.0.2.77", 443, true],
    ["192.0.2.9/24", "192.0.2.77", 443, true], // host bits are nobody's business
    ["192.0.2.0/24", "192.0.3.1", 443, false],
    ["192.0.2.0/24", "2001:db8::1", 443, false],
    ["192.0.2.0/33", "192.0.2.1", 443, false],
    ["2001:db8::/32", "2001:db8:1::1", 443, true],
    ["2001:db8::1", "2001:db8:0::1", 443, true],
    ["[2001:db8::1]:443", "2001:db8::1", 443, true],
    ["[2001:db8::1]:443", "2001:db8::1", 80, false],
    ["192.0.2.0/24", "::ffff:192.0.2.7", 443, true],
    ["2.1", "192.0.2.1", 443, false], // an address is no name
    ["", "localhost", 443, true], // one's own machine never needs one
    ["", "127.0.0.53", 443, true],
    ["", "::1", 443, true],
    ["", "app.localhost", 443, true], // RFC 6761
    ["exa mple,,;", "vnet.example.com", 443, false],
  ];
  for (const [list, host, port, want] of cases) {
    await t.step(`"${list}" ${host}:${port}`, () => {
      equal(matchesNoProxy(parseNoProxy(list), { host, port }), want);
    });
  }
});
