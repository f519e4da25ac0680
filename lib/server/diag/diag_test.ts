import { deepEqual, equal, match, ok } from "node:assert/strict";
import { parseEndpoint } from "../../ip/mod.ts";
import { AuditCounters } from "./counters.ts";
import { type Diagnosed, serveDiag } from "./diag.ts";
import { renderMetrics } from "./metrics.ts";

Deno.test("serveDiag() answers GET and HEAD by this machine's names, and nothing else", async (t) => {
  let reasons: readonly string[] = [];
  const diagnosed: Diagnosed = {
    unready: () => Promise.resolve(reasons),
    metrics: () =>
      Promise.resolve([{ name: "x", help: "An x.", type: "gauge", samples: [{ value: 2 }] }]),
  };
  const diag = serveDiag(parseEndpoint("127.0.0.1:0"), diagnosed, 1_800_000_000_000);
  const { port } = diag.address;
  const ask = async (request: string) => {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new TextEncoder().encode(`${request}\r\nconnection: close\r\n\r\n`));
    return await new Response(conn.readable).text();
  };
  const get = (path: string, host = "localhost") => ask(`GET ${path} HTTP/1.1\r\nhost: ${host}`);
  const cases: [name: string, request: string, status: number][] = [
    ["alive", "GET /healthz HTTP/1.1\r\nhost: localhost", 200],
    ["by address", `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${port}`, 200],
    ["HEAD", "HEAD /readyz HTTP/1.1\r\nhost: [::1]", 200],
    ["a page's own name", "GET /metrics HTTP/1.1\r\nhost: evil.example", 421],
    ["a name that begins alike", "GET /metrics HTTP/1.1\r\nhost: localhost.evil.example", 421],
    ["POST", "POST /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0", 405],
    ["elsewhere", "GET / HTTP/1.1\r\nhost: localhost", 404],
  ];
  for (const [name, request, status] of cases) {
    await t.step(name, async () => match(await ask(request), new RegExp(`^HTTP/1\\.1 ${status} `)));
  }
  await t.step("not ready: 503 and why; alive all the same", async () => {
    reasons = ["no proxy"];
    match(await get("/readyz"), /^HTTP\/1\.1 503 [^]*\r\n\r\nno proxy\n$/);
    match(await get("/healthz"), /^HTTP\/1\.1 200 /);
  });
  await t.step("numbers", async () => {
    const page = await get("/metrics");
    match(page, /content-type: text\/plain; version=0\.0\.4/);
    match(page, /\n# TYPE x gauge\nx 2\n/);
    match(page, /\nprocess_start_time_seconds 1800000000\n/);
    match(page, /\nprocess_resident_memory_bytes \d+\n/);
  });
  await diag.close();
});

Deno.test("renderMetrics() writes the text format", () => {
  equal(
    renderMetrics([{
      name: "a_total",
      help: "As.",
      type: "counter",
      label: "code",
      samples: [{ of: 'x"\\\n', value: 1 }, { of: "y", value: 0.5 }],
    }]),
    '# HELP a_total As.\n# TYPE a_total counter\na_total{code="x\\"\\\\\\n"} 1\na_total{code="y"} 0.5\n',
  );
});

Deno.test("AuditCounters have labels of ours only, whatever is told", () => {
  const counters = new AuditCounters();
  counters.written(
    [{ event: "login.ok" }, { event: "login.failed", reason: "many", count: 7 }],
    500,
  );
  for (let i = 0; i < 1000; i++) {
    counters.written([{ event: "app.cert.refused", reason: `made-up-${i}` }], 0);
  }
  counters.written([{ event: "app.cert.refused", reason: "app-unknown" }], 0);
  const [events, refusals, seconds] = counters.metrics();
  deepEqual(events?.samples, [
    { of: "app.cert.refused", value: 1001 },
    { of: "login.failed", value: 7 },
    { of: "login.ok", value: 1 },
  ]);
  deepEqual(refusals?.samples, [{ of: "app-unknown", value: 1 }, { of: "other", value: 1007 }]);
  ok(seconds?.samples[0]?.value === 0.5);
});
