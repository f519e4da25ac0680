import { deepEqual } from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import tls from "node:tls";
import { CompanyCa } from "../../../../tests/doubles/company_ca.ts";
import { dialTcp } from "../../../io/mod.ts";
import { reachProxy } from "./reach.ts";

const HOST = "2001:db8::1";

Deno.test("reachProxy() takes the time from an answer, and says who hangs up instead", async (t) => {
  const ca = await CompanyCa.create();
  const { certificatePem, privateKeyPem } = await ca.issue([HOST]);
  const asked: string[] = [];
  let answer: readonly string[] = [];
  const server = tls.createServer({ cert: certificatePem, key: privateKeyPem }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", (bytes) => {
      asked.push(bytes.toString());
      for (const piece of answer) socket.write(piece);
      socket.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const login = {
    ...{ cluster: HOST, proxy: { host: HOST, port: 443 }, hostCaPems: [] },
    ...{ certificatePem: "", privateKeyPem: "" },
    ...{ caPin: null, httpProxy: null, way: null, caStorePems: [], expiresMs: 0 },
    caFilePems: [ca.certificatePem],
  };
  const means = {
    nowMs: Date.now,
    store: { pems: () => Promise.resolve([]) },
    dial: (_to: unknown, signal: AbortSignal) => dialTcp({ host: "127.0.0.1", port }, signal),
  };
  const reach = () => reachProxy(login, means as never, new AbortController().signal);
  try {
    await t.step("an answer", async () => {
      answer = ["HTTP/1.1 200 OK\r\n", "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n", "\r\n"];
      const { kind, ...rest } = await reach();
      const isAhead = "clockAheadMs" in rest && (rest.clockAheadMs ?? 0) > 0;
      deepEqual([kind, isAhead], ["reached", true]);
    });
    await t.step("half of one", async () => {
      answer = ["HTTP/1.1 200 OK\r\n"];
      deepEqual(await reach(), {
        kind: "failed",
        code: "proxy-closed",
        message: 'Cannot reach "[2001:db8::1]:443": the connection was closed before it was ready',
      });
    });
    const host = "Host: [2001:db8::1]:443\r\n";
    deepEqual(asked.map((head) => head.includes(host)), [true, true]);
  } finally {
    server.close();
    await once(server, "close");
  }
});
