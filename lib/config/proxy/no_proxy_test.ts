import { deepEqual, equal } from "node:assert/strict";
import { findNoProxy, parseNoProxy } from "./no_proxy.ts";

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
    ["", "LOCALHOST", 443, true],
    ["", "::ffff:127.0.0.1", 443, true],
    ["", "app.localhost", 443, false], // as Go: exactly that name
    ["", "127.1", 443, false], // a name
    [":1", "vnet.example.com", 1, false],
    ["ample.com", "example.com", 443, false],
    ["b\u00fccher.example", "xn--bcher-kva.example", 443, true],
    ["xn--bcher-kva.example", "b\u00fccher.example", 443, true],
    [".b\u00fccher.example", "a.xn--bcher-kva.example", 443, true],
    ["example.com", "1000::%.example.com", 123, false], // CVE-2025-22870
    ["foo.test,*,bar.test", "vnet.example.com", 443, true],
    ["exa mple,,;", "vnet.example.com", 443, false],
  ];
  for (const [list, host, port, want] of cases) {
    await t.step(`"${list}" ${host}:${port}`, () => {
      equal(findNoProxy(parseNoProxy(list), { host, port }) !== null, want);
    });
  }
});

/** The list and the targets of golang.org/x/net/http/httpproxy's own tests, all on port 80. */
Deno.test("NO_PROXY is read as Go's httpproxy reads it", async (t) => {
  const rules = parseNoProxy(
    "foobar.com, .barbaz.net, *.wildcard.io, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30, " +
      "2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64",
  );
  const direct = [
    ...["localhost", "127.0.0.1", "127.0.0.2", "::1", "192.168.1.1", "192.168.1.3", "10.0.0.2"],
    ...["2001:db8::52:0:1", "2001:db8::52:0:3", "2002:db8:a::123"],
    ...["www.barbaz.net", "foobar.com", "www.foobar.com", "nested.wildcard.io"],
  ];
  const proxied = [
    ...["::2", "192.168.1.2", "192.168.1.4", "2001:db8::52:0:2", "fe80::1", "barbaz.net"],
    ...["foofoobar.com", "baz.com", "localhost.net", "local.localhost", "barbarbaz.net"],
    ...["wildcard.io", "awildcard.io"],
  ];
  for (const host of direct) {
    await t.step(
      `${host}: directly`,
      () => equal(findNoProxy(rules, { host, port: 80 }) !== null, true),
    );
  }
  for (const host of proxied) {
    await t.step(
      `${host}: by the proxy`,
      () => equal(findNoProxy(rules, { host, port: 80 }), null),
    );
  }
  for (const host of [...direct, ...proxied]) {
    await t.step(
      `${host}: directly by *`,
      () => equal(findNoProxy(parseNoProxy("*"), { host, port: 80 }) !== null, true),
    );
  }
});

Deno.test("findNoProxy() says which entry it was, as it was written", () => {
  const found = findNoProxy(parseNoProxy("10.0.0.0/8, *.Example.com:443"), {
    host: "vnet.example.com",
    port: 443,
  });
  deepEqual(found?.kind === "rule" && found.rule.text, "*.Example.com:443");
});
