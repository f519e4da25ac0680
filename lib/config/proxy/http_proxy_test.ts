import { deepEqual, equal, throws } from "node:assert/strict";
import { ConfigError } from "../../error.ts";
import {
  describeProxy,
  formatHttpProxy,
  type HttpProxy,
  NO_PROXY_VARIABLES,
  parseHttpProxy,
  proxyFor,
  readProxyVariables,
} from "./http_proxy.ts";

const plain = (host: string, port: number): HttpProxy => ({
  scheme: "http",
  host,
  port,
  credentials: null,
});
const secure = (host: string, port: number): HttpProxy => ({
  ...plain(host, port),
  scheme: "https",
});
const known = (user: string, password: string): HttpProxy => ({
  scheme: "http",
  host: "proxy.corp.example",
  port: 3128,
  credentials: { user, password },
});

Deno.test("parseHttpProxy() reads what the variables hold", async (t) => {
  const cases: [text: string, want: HttpProxy | null][] = [
    ["http://proxy.corp.example:3128", plain("proxy.corp.example", 3128)],
    ["HTTP://Proxy.Corp.Example:3128/", plain("proxy.corp.example", 3128)],
    ["proxy.corp.example:3128", plain("proxy.corp.example", 3128)],
    ["http://proxy.corp.example", plain("proxy.corp.example", 80)],
    ["http://192.0.2.1:8080", plain("192.0.2.1", 8080)],
    ["http://[2001:db8::1]:8080", plain("2001:db8::1", 8080)],
    ["http://alice:secret@proxy.corp.example:3128", known("alice", "secret")],
    ["alice:secret@proxy.corp.example:3128", known("alice", "secret")],
    ["http://alice@proxy.corp.example:3128", known("alice", "")],
    ["http://al%40ice:p%3a%2F%25@proxy.corp.example:3128", known("al@ice", "p:/%")],
    ["http://CORP%5Calice:secret@proxy.corp.example:3128", known("CORP\\alice", "secret")],
    ["http://alice:a:b@proxy.corp.example:3128", known("alice", "a:b")],
    ["https://proxy.corp.example:3128", secure("proxy.corp.example", 3128)],
    ["https://proxy.corp.example", secure("proxy.corp.example", 443)],
    ["https://alice:secret@proxy.corp.example:3128", {
      ...known("alice", "secret"),
      scheme: "https",
    }],
    ["localhost", plain("localhost", 80)],
    ["127.0.0.1:8080", plain("127.0.0.1", 8080)],
    ["socks5://proxy.corp.example:1080", null],
    ["foo://host", null],
    ["http://", null],
    ["http://proxy.corp.example:0", null],
    ["http://proxy.corp.example:65536", null],
    ["http://a%3ab:secret@proxy.corp.example:3128", null], // RFC 7617: no colon in the user
    ["http://alice:%0d%0ax@proxy.corp.example:3128", null],
    ["http://alice:%zz@proxy.corp.example:3128", null],
    ["not a proxy", null],
  ];
  for (const [text, want] of cases) {
    await t.step(text, () => deepEqual(parseHttpProxy(text), want));
  }
});

Deno.test("parseHttpProxy() reads what formatHttpProxy() writes", () => {
  for (
    const proxy of [
      plain("a.example", 1),
      plain("::1", 80),
      secure("a.example", 80),
      known("a b\\c@d", "p:/%#?@ü "),
    ]
  ) {
    deepEqual(parseHttpProxy(formatHttpProxy(proxy)), proxy);
  }
});

Deno.test("readProxyVariables() takes the proxy for HTTPS first, upper case first", async (t) => {
  const cases: [name: string, variables: Record<string, string>, host: string | null][] = [
    ["none", {}, null],
    ["empty is not set", { HTTPS_PROXY: "", HTTP_PROXY: " " }, null],
    ["HTTPS_PROXY", { HTTPS_PROXY: "http://a:1", HTTP_PROXY: "http://b:1" }, "a"],
    ["https_proxy", { https_proxy: "http://a:1", HTTP_PROXY: "http://b:1" }, "a"],
    ["both cases", { HTTPS_PROXY: "http://a:1", https_proxy: "http://b:1" }, "a"],
    ["HTTP_PROXY alone", { HTTP_PROXY: "http://b:1" }, "b"],
    ["http_proxy alone", { http_proxy: "http://b:1" }, "b"],
    ["NO_PROXY alone", { NO_PROXY: "example.com" }, null],
  ];
  for (const [name, variables, host] of cases) {
    await t.step(name, () => {
      const { proxy } = readProxyVariables((name) => variables[name]);
      equal(proxy?.host ?? null, host);
    });
  }
});

Deno.test("readProxyVariables() says which variable is wrong, and no password", () => {
  const variables: Record<string, string> = { https_proxy: "socks5://alice:hunter2@a:1" };
  throws(() => readProxyVariables((name) => variables[name]), (error: unknown) => {
    if (!(error instanceof ConfigError)) return false;
    deepEqual(error.mistakes.map(({ path }) => path), ["https_proxy"]);
    return !`${error.message}${JSON.stringify(error.mistakes)}${error.hint}`.includes("hunter2");
  });
});

Deno.test("HTTP_PROXY of a CGI program is a visitor's, and not used", () => {
  const variables: Record<string, string> = { HTTP_PROXY: "http://b:1", REQUEST_METHOD: "GET" };
  throws(() => readProxyVariables((name) => variables[name]), ConfigError);
  variables["HTTPS_PROXY"] = "http://a:1";
  equal(readProxyVariables((name) => variables[name]).proxy?.host, "a");
});

Deno.test("proxyFor() says what decided", async (t) => {
  const variables = (noProxy: string) =>
    readProxyVariables((name) =>
      name === "https_proxy" ? "https://u:hunter2@a:1" : name === "NO_PROXY" ? noProxy : undefined
    );
  const to = { host: "vnet.example.com", port: 443 };
  const cases: [name: string, want: string, decision: ReturnType<typeof proxyFor>][] = [
    ["unset", "directly: no variable names an HTTP proxy", proxyFor(to, NO_PROXY_VARIABLES)],
    [
      "variable",
      "through the HTTP proxy https://a:1, by https_proxy",
      proxyFor(to, variables("")),
    ],
    [
      "no-proxy",
      'directly, by ".Example.com" in NO_PROXY',
      proxyFor(to, variables("x.test,.Example.com")),
    ],
    [
      "loopback",
      "directly: it is this machine itself",
      proxyFor({ host: "127.0.0.1", port: 443 }, variables("")),
    ],
  ];
  for (const [name, want, decision] of cases) {
    await t.step(name, () => {
      equal(decision.reason.kind, name);
      equal(describeProxy(decision), want);
    });
  }
});
