import { deepEqual, match, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import type net from "node:net";
import { z } from "zod";
import { CompanyCa } from "../../tests/doubles/company_ca.ts";
import { VnetError } from "../error.ts";
import { HttpClient } from "./http.ts";
import { dialTcp } from "./tcp.ts";

Deno.test("HttpClient says of an answer that no cluster gives what it is", async (t) => {
  const ca = await CompanyCa.create();
  const { certificatePem, privateKeyPem } = await ca.issue(["www.example.com"]);
  let answer: (response: http.ServerResponse) => void = () => {};
  const server = https.createServer(
    { cert: certificatePem, key: privateKeyPem },
    (_request, response) => {
      answer(response);
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  using client = new HttpClient({
    server: { host: "www.example.com", port: 443 },
    trust: { kind: "public", more: () => Promise.resolve([ca.certificatePem]) },
    identity: null,
    dial: (_to, signal) => dialTcp({ host: "127.0.0.1", port }, signal),
  });
  const html = { "content-type": "text/html" };
  const json = { "content-type": "application/json" };
  const cases: [
    name: string,
    status: number,
    headers: Record<string, string>,
    body: string,
    want: RegExp,
  ][] = [
    [
      "a web page",
      200,
      html,
      "<html>welcome",
      /^protocol-violated Cannot ask "www.example.com": "www.example.com" answers HTTPS but is no vnet cluster \(HTTP status 200\)$/,
    ],
    [
      "no such page",
      404,
      html,
      "<html>",
      /^protocol-violated .* is no vnet cluster \(HTTP status 404\)$/,
    ],
    ["a redirect", 302, { location: "https://evil.test/" }, "", /\(HTTP status 302, a redirect\)$/],
    ["a login of somebody else's", 401, json, "{}", /is no vnet cluster \(HTTP status 401\)$/],
    [
      "a load balancer",
      503,
      html,
      "no backend",
      /^proxy-closed .* cannot reach a vnet cluster \(HTTP status 503\)$/,
    ],
    [
      "another API",
      200,
      json,
      '{"ok":true}',
      /^protocol-violated .*the answer is not what it should be/,
    ],
  ];
  for (const [name, status, headers, body, want] of cases) {
    await t.step(name, async () => {
      answer = (response) => void response.writeHead(status, headers).end(body);
      const schema = z.object({ cluster_name: z.string() });
      const asked = client.request(
        { method: "GET", path: "/webapi/find", schema },
        new AbortController().signal,
      );
      await rejects(asked, (error: unknown) => {
        ok(error instanceof VnetError && error.hint !== null);
        match(`${error.code} ${error.message}`, want);
        return true;
      });
    });
  }
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("HttpClient does not ask again what was given up", async () => {
  const ca = await CompanyCa.create();
  const { certificatePem, privateKeyPem } = await ca.issue(["www.example.com"]);
  const asked: string[] = [];
  const held = Promise.withResolvers<http.ServerResponse>();
  const server = https.createServer(
    { cert: certificatePem, key: privateKeyPem },
    (request, response) => {
      asked.push(request.url ?? "");
      if (request.url === "/held") held.resolve(response);
      else response.writeHead(200, { "content-type": "application/json" }).end("{}");
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const client = new HttpClient({
    server: { host: "www.example.com", port: 443 },
    trust: { kind: "public", more: () => Promise.resolve([ca.certificatePem]) },
    identity: null,
    dial: (_to, signal) => dialTcp({ host: "127.0.0.1", port }, signal),
  });
  const ask = (path: string, signal = new AbortController().signal) =>
    client.request({ method: "GET", path, schema: z.object({}) }, signal);
  await ask("/first"); // its connection is kept, and used again
  const stop = new AbortController();
  const waiting = rejects(ask("/held", stop.signal));
  const gone = once(await held.promise, "close");
  stop.abort();
  await waiting;
  await gone;
  // What is asked again would be by now: each goes over a connection of its own
  for (const path of ["/a", "/b", "/c"]) {
    await ask(path);
    client.renew();
  }
  deepEqual(asked, ["/first", "/held", "/a", "/b", "/c"]);
  client.close();
  server.close();
});
