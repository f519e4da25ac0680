import { deepEqual, equal, match, ok } from "node:assert/strict";
import { needing } from "../needs.ts";
import { configureLog } from "../../lib/log.ts";
import { Attack } from "./attack.ts";
import {
  BALANCER,
  connectBalanced,
  connectFrom,
  dialFrom,
  proxyHeader,
  readToEnd,
} from "./balanced.ts";
import { audited, never, TestCluster } from "./cluster.ts";
import { HttpClient, type ServerSettings } from "../../lib/io/mod.ts";
import { FindResponseSchema } from "../../lib/wire/mod.ts";

const NOTHING = new Uint8Array();
const text = (words: string) => new TextEncoder().encode(words);

/** Whether the web API answers. */
async function answers(settings: ServerSettings): Promise<boolean> {
  using http = new HttpClient(settings);
  const asked = { method: "GET", path: "/webapi/find", schema: FindResponseSchema } as const;
  return await http.request(asked, never()).then(({ kind }) => kind === "value", () => false);
}

Deno.test("a load balancer says whose a connection is, and nobody else does", async (t) => {
  await using cluster = await TestCluster.start([], { trustedProxies: [`${BALANCER}/32`] });
  const to = cluster.address;
  const lines: string[] = [];
  await configureLog({ level: "warning", form: "text", write: (line) => lines.push(line) });

  for (const from of ["198.51.100.7", "2001:db8::7", "::ffff:203.0.113.7"]) {
    await t.step(`${from} is in the audit log`, async () => {
      await using attack = new Attack();
      const settings = cluster.settings({ dial: dialFrom(from, to) });
      equal(await attack.guess(settings, "alice"), "login-failed");
      await audited(
        cluster,
        ({ event, source }) => event === "login.failed" && source === from.replace("::ffff:", ""),
      );
    });
  }
  await t.step("limits are the source's, not the balancer's", async () => {
    await using attack = new Attack();
    const guess = (from: string) =>
      attack.guess(cluster.settings({ dial: dialFrom(from, to) }), "nobody");
    for (let i = 0; i < 5; i++) await guess("198.51.100.8");
    deepEqual([await guess("198.51.100.8"), await guess("198.51.100.9")], [
      "login-locked",
      "login-failed",
    ]);
  });
  await t.step("without a header nothing of the balancer is answered", async () => {
    equal(await answers(cluster.settings({ dial: () => connectBalanced(NOTHING, to) })), false);
    match(lines.join(""), /sends no good header.*fault=missing/);
  });
  await t.step("version 1 is refused, and the log says what to do", async () => {
    const socket = await connectBalanced(text("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), to);
    equal(await readToEnd(socket), "");
    match(lines.join(""), /version 1 of the PROXY protocol: have it send version 2/);
  });
  await t.step("a header that never ends is waited for no longer than others", async () => {
    await using hasty = await TestCluster.start([], {
      trustedProxies: [`${BALANCER}/32`],
      limits: {
        total: 8,
        unproven: 8,
        unprovenPerHost: 8,
        perHost: 8,
        firstBytesMs: 200,
        unprovenMs: 1000,
      },
    });
    const half = proxyHeader("192.0.2.1").subarray(0, 20);
    equal(await readToEnd(await connectBalanced(half, hasty.address)), "");
  });
  await t.step("from anybody else a header is refused, and none is needed", async () => {
    const socket = await connectFrom("127.0.0.3", to);
    socket.write(proxyHeader("198.51.100.10"));
    equal(await readToEnd(socket), "");
    equal(await answers(cluster.settings({ dial: () => connectFrom("127.0.0.3", to) })), true);
  });
  await t.step("a refusal is a line a minute, not a line each", async () => {
    const before = lines.length;
    for (let i = 0; i < 20; i++) await readToEnd(await connectBalanced(text("x"), to));
    equal(lines.length, before);
  });
  await configureLog({ level: "error", form: "text", write: () => {} });
});

Deno.test("an agent in the server reaches its proxy where that takes it for a balancer", async () => {
  await using cluster = await TestCluster.start(
    ['{ name: a, uri: "tcp://127.0.0.1:1", labels: { env: dev } }'],
    { trustedProxies: ["127.0.0.0/8"] },
  );
  await cluster.served("a");
  ok(await answers(cluster.settings({ dial: dialFrom("192.0.2.1", cluster.address) })));
});

Deno.test(needing(
  ["haproxy", "Linux"],
  "a real haproxy with send-proxy-v2 tells whose a connection is, and sees whether we are well",
  async () => {
    await using cluster = await TestCluster.start([], { trustedProxies: [`${BALANCER}/32`] });
    const dir = await Deno.makeTempDir();
    const front = freePort();
    await Deno.writeTextFile(
      `${dir}/haproxy.cfg`,
      `global
  stats socket ${dir}/stats.sock
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend in
  bind 127.0.0.1:${front}
  default_backend vnet
backend vnet
  source ${BALANCER}
  option httpchk GET /webapi/ping
  server one 127.0.0.1:${cluster.address.port} send-proxy-v2 proxy-v2-options crc32c,unique-id check check-ssl check-send-proxy verify none inter 100ms
`,
    );
    const child = new Deno.Command("haproxy", {
      args: ["-db", "-f", `${dir}/haproxy.cfg`],
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await until(async () => /,one,.*,L7OK,/.test(await asked(`${dir}/stats.sock`, "show stat")));
      await using attack = new Attack();
      const dial = () => connectFrom("127.0.0.77", { host: "127.0.0.1", port: front });
      equal(await attack.guess(cluster.settings({ dial }), "alice"), "login-failed");
      await audited(
        cluster,
        ({ event, source }) => event === "login.failed" && source === "127.0.0.77",
      );
    } finally {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(dir, { recursive: true });
    }
  },
));

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Asks on a unix socket, and reads the answer; empty where nobody is yet. */
async function asked(path: string, question: string): Promise<string> {
  try {
    using conn = await Deno.connect({ transport: "unix", path });
    await conn.write(text(`${question}\n`));
    return await new Response(conn.readable).text();
  } catch {
    return "";
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}
