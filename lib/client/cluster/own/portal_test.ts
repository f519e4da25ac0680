import { deepEqual, equal } from "node:assert/strict";
import { EventEmitter } from "node:events";
import type net from "node:net";
import { findPortal, readPortal } from "./portal.ts";

Deno.test("findPortal() asks the host for a page, and listens once however small the pieces of the answer", async (t) => {
  const answer = "HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\n";
  for (const [name, pieces] of [["whole", `${answer}\r\n`], ["cut off", answer]] as const) {
    await t.step(name, async () => {
      const asked: string[] = [];
      const socket = Object.assign(new EventEmitter(), {
        write: (text: string) => void asked.push(text),
        pause: () => {},
        destroy: () => {},
      });
      const dial = () => Promise.resolve(socket as unknown as net.Socket);
      const finding = findPortal("2001:db8::1", dial, new AbortController().signal);
      let most = 0;
      for (const piece of pieces) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        most = Math.max(most, socket.listenerCount("close"));
        socket.emit("data", new TextEncoder().encode(piece));
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
      socket.emit("close");
      deepEqual(await finding, { host: "login.hotel.example" });
      equal(most, 1);
      deepEqual(asked, ["GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\nConnection: close\r\n\r\n"]);
    });
  }
});

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
