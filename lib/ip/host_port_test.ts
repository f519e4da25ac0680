import { deepEqual, equal } from "node:assert/strict";
import { formatHost, formatHostPort, parseHost, parseHostPort } from "./host_port.ts";

Deno.test("parseHostPort() reads hosts by name and by address", async (t) => {
  const cases: [text: string, want: string | null][] = [
    ["proxy.example.com", "proxy.example.com:443"],
    ["Proxy.Example.com:8443", "proxy.example.com:8443"],
    ["127.0.0.1:3080", "127.0.0.1:3080"],
    ["[2001:DB8::1]:443", "[2001:db8::1]:443"],
    ["[::1]", "[::1]:443"],
    ["localhost", "localhost:443"],
    ["2001:db8::1", null], // without brackets nobody knows where the port begins
    ["[127.0.0.1]:80", "127.0.0.1:80"],
    ["1.2.3", null],
    ["1.2.3.256", null],
    ["a b", null],
    ["-a.example", null],
    ["a..b", null],
    ["host:0", null],
    ["host:65536", null],
    ["host:", null],
    [":443", null],
    ["user@host", null],
    ["https://host", null],
    ["", null],
  ];
  for (const [text, want] of cases) {
    await t.step(JSON.stringify(text), () => {
      const parsed = parseHostPort(text, 443);
      equal(parsed === null ? null : formatHostPort(parsed), want);
      if (parsed !== null) deepEqual(parseHostPort(formatHostPort(parsed), null), parsed);
    });
  }
  equal(parseHostPort("host", null), null);
});

Deno.test("formatHost() writes what parseHost() reads", () => {
  for (const text of ["proxy.example.com", "127.0.0.1", "[2001:db8::1]"]) {
    equal(formatHost(parseHost(text) ?? ""), text);
  }
});
