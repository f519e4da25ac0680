/**
 * Real resolvers that lead back to this server are found out, and others asked instead.
 */
import { match } from "node:assert/strict";
import { DnsServer } from "../../lib/client/dns/server.ts";
import type { HelperLink } from "../../lib/client/setup/helper_link.ts";
import { type Endpoint, parseEndpoint } from "../../lib/ip/mod.ts";
import { always, DnsUpstream } from "../doubles/dns_upstream.ts";
import { until } from "../lab/host/wait.ts";
import { machine } from "../machine.ts";
import { needing } from "../needs.ts";
import { run } from "./programs.ts";
import { newTable } from "./table.ts";

/** A name each of them answers without asking anybody, to know that it runs. */
const OWN_NAME = "ready.test";
const START_MS = 10_000;

const RESOLVERS: readonly [program: string, argsOf: Resolver][] = [
  ["unbound", unbound],
  ["dnsmasq", dnsmasq],
];

for (const [program, argsOf] of RESOLVERS) {
  Deno.test(needing([program, "dig"], `a loop through ${program} is found`, async (t) => {
    await using server = await open();
    await using resolver = await start(argsOf, server.endpoint);
    await t.step("and every question is told so", async () => {
      server.setUpstreams([resolver.endpoint]);
      const first = await dig(server.endpoint, "www.example.org");
      match(first, /status: SERVFAIL/);
      match(first, /EDE: 23 .*leads back to this server/);
      const second = await dig(server.endpoint, "www.example.net");
      match(second, /EDE: 22 .*every upstream leads back to this server/);
    });
    await t.step("and another upstream answers", async () => {
      await using good = new DnsUpstream(always(192, 0, 2, 1));
      server.setUpstreams([]);
      server.setUpstreams([resolver.endpoint, good.endpoint]);
      match(await dig(server.endpoint, "www.example.com"), /192\.0\.2\.1/);
    });
  }));
}

type Resolver = (directory: string, port: number, upstream: Endpoint) => readonly string[];

function unbound(directory: string, port: number, upstream: Endpoint): readonly string[] {
  const file = `${directory}/unbound.conf`;
  const lines = [
    "server:",
    ...[
      ...["do-daemonize: no", 'username: ""', 'chroot: ""', `directory: "${directory}"`],
      ...['pidfile: ""', "interface: 127.0.0.1", `port: ${port}`, "num-threads: 1"],
      ...["use-syslog: no", "module-config: iterator", "do-not-query-localhost: no"],
      ...[`local-zone: "${OWN_NAME}." redirect`, `local-data: "${OWN_NAME}. A 192.0.2.99"`],
    ].map((line) => `  ${line}`),
    "forward-zone:",
    '  name: "."',
    `  forward-addr: 127.0.0.1@${upstream.port}`,
  ];
  Deno.writeTextFileSync(file, `${lines.join("\n")}\n`);
  return ["unbound", "-d", "-c", file];
}

function dnsmasq(_directory: string, port: number, upstream: Endpoint): readonly string[] {
  return [
    ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"],
    ...[`--port=${port}`, "--listen-address=127.0.0.1", "--bind-interfaces", "--cache-size=0"],
    ...[`--server=127.0.0.1#${upstream.port}`, `--address=/${OWN_NAME}/192.0.2.99`],
    ...["--user=root", "--pid-file=", "--log-facility=/dev/null"],
  ];
}

async function start(argsOf: Resolver, upstream: Endpoint) {
  const directory = await Deno.makeTempDir({ prefix: "vnet-dns-loop-" });
  const endpoint = parseEndpoint(`127.0.0.1:${freePort()}`);
  const [command = "", ...args] = argsOf(directory, endpoint.port, upstream);
  const child = new Deno.Command(command, { args, stdin: "null", stderr: "null" }).spawn();
  await until(`${command} answers`, START_MS, async () => {
    const { stdout } = await run([
      ...["dig", "@127.0.0.1", "-p", `${endpoint.port}`, "+tries=1", "+time=1", "+short", OWN_NAME],
    ]);
    return stdout.trim() === "192.0.2.99";
  });
  return {
    endpoint,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(directory, { recursive: true });
    },
  };
}

async function dig({ port }: Endpoint, name: string): Promise<string> {
  const { stdout } = await run([
    ...["dig", "@127.0.0.1", "-p", `${port}`, "+tries=1", "+time=10", "+edns=0", name, "A"],
  ]);
  return stdout;
}

function open(): Promise<DnsServer> {
  return DnsServer.open({
    sockets: machine.sockets,
    helper: {} as HelperLink, // not asked: the port is a free one
    needsPort53: false,
    table: newTable(),
  });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
