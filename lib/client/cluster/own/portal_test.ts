import { deepEqual } from "node:assert/strict";
import { readPortal } from "./portal.ts";

Deno.test("readPortal() tells a network's sign-in from what the host itself answers", async (t) => {
  const moved = (location: string, status = "302 Found") =>
    `HTTP/1.1 ${status}\r\nServer: x\r\nLocation: ${location}\r\n\r\n`;
  const cases: [name: string, head: string, want: ReturnType<typeof readPortal>][] = [
    ["sent to another host", moved("http://login.hotel.example/?to=x"), {
      host: "login.hotel.example",
    }],
    ["by an address", moved("https://192.168.8.1:8443/", "307 Temporary"), { host: "192.168.8.1" }],
    ["by an IPv6 address", moved("http://[2001:db8::1]/"), { host: "2001:db8::1" }],
    ["sent to TLS on the same host", moved("https://proxy.test/"), null],
    ["the same in capitals", moved("https://Proxy.Test:443/"), null],
    ["a path of its own", moved("/login"), null],
    ["a name that is none", moved("http://\u001b[31m/"), null],
    ["credentials before the host", moved("http://proxy.test@evil.example/"), {
      host: "evil.example",
    }],
    ["a page", "HTTP/1.1 200 OK\r\n\r\n<html>", null],
    ["511", "HTTP/1.1 511 Network Authentication Required\r\n\r\n", { host: null }],
    ["no HTTP", "SSH-2.0-OpenSSH\r\n", null],
    ["nothing", "", null],
  ];
  for (const [name, head, want] of cases) {
    await t.step(name, () => deepEqual(readPortal(head, "proxy.test"), want));
  }
});
