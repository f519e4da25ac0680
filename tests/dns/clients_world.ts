/**
 * Runs inside a network and mount namespace of its own: a DnsServer, and one resolver library after the other.
 * Prints what each makes of each name, as JSON. Between them stands
 *
 *   direct   nothing: the server has 127.0.53.1 port 53, the only one in /etc/resolv.conf
 *   dnsmasq  dnsmasq with a line for each zone, as NetworkManager runs it; the server has a port of its own
 *
 *   unshare --net --mount --propagation private deno run -A tests/dns/clients_world.ts BACKEND DIRECTORY NAME...
 *
 * @module
 */
import { DnsServer } from "../../lib/client/dns/server.ts";
import type { HelperLink } from "../../lib/client/setup/helper_link.ts";
import { decodeMessage, encodeQuestion, questionOf, RCODE, RR_TYPE } from "../../lib/dns/mod.ts";
import { decodeIp, type Endpoint, formatIp, parseIp } from "../../lib/ip/mod.ts";
import { thisMachine } from "../../lib/os/mod.ts";
import { UdpClient } from "../doubles/dns_client.ts";
import { answerTo, DnsUpstream } from "../doubles/dns_upstream.ts";
import { run } from "./programs.ts";
import { newTable } from "./table.ts";

/** What a client made of a name: addresses in order of text, or why there are none. */
type Views = Record<string, Record<string, string>>;

/** What the names resolve to: a web server at each shows which one a browser has found. */
const ADDRESSES = ["100.64.0.7", "100.64.0.8", "100.64.0.1", "192.0.2.1", "fd12::6440:7"];
const WEB_PORT = 8080;

const [backend = "", directory = "", ...names] = Deno.args;
const isDirect = backend === "direct";
const nameserver = isDirect ? "127.0.53.1" : "127.0.0.1";
const { sockets } = thisMachine().root;

await furnish();
await using upstream = new DnsUpstream((asked) => {
  const type = decodeMessage(asked)?.questions[0]?.type;
  return [answerTo(asked, type === RR_TYPE.A ? [[RR_TYPE.A, [192, 0, 2, 1]]] : [])];
});
const table = newTable();
await using server = await DnsServer.open({
  sockets,
  helper: openingSockets(),
  needsPort53: isDirect,
  table,
});
server.setUpstreams([upstream.endpoint]);
const pages = servePages();
const dnsmasq = isDirect ? null : await startDnsmasq(server.endpoint, upstream.endpoint);
const views: Views = {};
for (const program of Deno.readDirSync(`${directory}/bin`)) {
  views[program.name] = linesOf((await run([`${directory}/bin/${program.name}`, ...names])).stdout);
}
views.getent = await askEach(getent);
views.deno = await askEach(deno);
views["both at once from one socket"] = await askEach((name) =>
  bothAtOnce({ address: parseIp(nameserver), port: 53 }, name)
);
if (await exists("/usr/bin/node")) views["node, c-ares"] = await node();
if (await exists("/usr/bin/chromium")) views.chromium = await askEach(chromium);
for (const page of pages) await page.shutdown();
dnsmasq?.kill("SIGTERM");
await dnsmasq?.status;
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(views)));

/** Loopback, a link with addresses of both families (else the C library asks for none), our resolv.conf. */
async function furnish(): Promise<void> {
  await Deno.writeTextFile(`${directory}/resolv.conf`, `nameserver ${nameserver}\n`);
  await Deno.writeTextFile(`${directory}/nsswitch.conf`, "hosts: files dns\n");
  for (
    const command of [
      "ip link set lo up",
      "ip link add wan0 type veth peer name isp0",
      "ip addr add 10.99.0.2/24 dev wan0",
      "ip addr add fd99::2/64 dev wan0 nodad",
      "ip link set wan0 up",
      "ip link set isp0 up",
      ...ADDRESSES.map((address) => `ip addr add ${address} dev lo`),
      `mount --bind ${directory}/resolv.conf /etc/resolv.conf`,
      `mount --bind ${directory}/nsswitch.conf /etc/nsswitch.conf`,
    ]
  ) {
    const { code, stderr } = await run(command.split(" "));
    if (code !== 0) throw new Error(`${command}: ${stderr}`);
  }
}

/** Returns once it answers. */
async function startDnsmasq(own: Endpoint, other: Endpoint): Promise<Deno.ChildProcess> {
  const zones = ["corp.example", "secret.test"].map((zone) =>
    `--server=/${zone}/127.0.0.1#${own.port}`
  );
  const child = new Deno.Command("dnsmasq", {
    args: [
      ...[
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--pid-file=",
      ],
      ...["--listen-address=127.0.0.1", "--bind-interfaces", "--user=root", "--cache-size=0"],
      ...[...zones, `--server=127.0.0.1#${other.port}`, "--log-facility=/dev/null"],
    ],
  }).spawn();
  let ended = false;
  void child.status.then(() => ended = true);
  const probe = ["dig", "@127.0.0.1", "+tries=1", "+time=1", "db.corp.example"];
  while ((await run(probe)).code !== 0) {
    if (ended) throw new Error("dnsmasq ended");
  }
  return child;
}

/** Does what the privileged helper does when it is asked for port 53. */
function openingSockets(): HelperLink {
  const dnsSockets = (address: string) => {
    const endpoint = { address: parseIp(address), port: 53 };
    return Promise.resolve({
      udpFd: sockets.listenUdp(endpoint),
      tcpFd: sockets.listenTcp(endpoint),
    });
  };
  return { dnsSockets } as unknown as HelperLink;
}

function linesOf(stdout: string): Record<string, string> {
  return Object.fromEntries(
    stdout.trim().split("\n").map((line) => {
      const space = line.indexOf(" ");
      return [line.slice(0, space), line.slice(space + 1)];
    }),
  );
}

async function askEach(ask: (name: string) => Promise<string>): Promise<Record<string, string>> {
  const answers: Record<string, string> = {};
  for (const name of names) answers[name] = await ask(name);
  return answers;
}

async function getent(name: string): Promise<string> {
  const { code, stdout } = await run(["getent", "ahosts", name]);
  if (code !== 0) return "none";
  const addresses = stdout.trim().split("\n").map((line) => line.split(/\s+/)[0] ?? "");
  return [...new Set(addresses)].toSorted().join(" ");
}

async function deno(name: string): Promise<string> {
  const ask = (type: "A" | "AAAA") => Deno.resolveDns(name, type).catch(() => []);
  return sorted([...await ask("A"), ...await ask("AAAA")]);
}

/** As Go does it: both questions leave one socket before any answer is read. */
async function bothAtOnce(endpoint: Endpoint, name: string): Promise<string> {
  using client = new UdpClient(endpoint);
  await client.send(encodeQuestion(questionOf(name, RR_TYPE.A), { id: 1, udpSizeBytes: 1232 }));
  await client.send(encodeQuestion(questionOf(name, RR_TYPE.AAAA), { id: 2, udpSizeBytes: 1232 }));
  const messages = [decodeMessage(await client.receive()), decodeMessage(await client.receive())];
  const failed = messages.some((message) =>
    message?.rcode === RCODE.SERVFAIL || message?.rcode === RCODE.REFUSED
  );
  if (failed) return "again";
  return sorted(
    messages.flatMap((message) => message?.answers ?? []).flatMap(({ rdata }) => {
      const address = decodeIp(rdata);
      return address === null ? [] : [formatIp(address)];
    }),
  );
}

/** c-ares, and the C library through libuv, which must say the same. */
async function node(): Promise<Record<string, string>> {
  const script = `
    const dns = require("node:dns").promises;
    (async () => {
      for (const name of process.argv.slice(1)) {
        const ask = (kind) => dns[kind](name).catch(() => []);
        const found = [...await ask("resolve4"), ...await ask("resolve6")].sort();
        console.log(name, found.join(" ") || "none");
      }
    })();`;
  return linesOf((await run(["node", "-e", script, ...names])).stdout);
}

function servePages(): Deno.HttpServer[] {
  return ADDRESSES.map((hostname) =>
    Deno.serve(
      { hostname, port: WEB_PORT, onListen: () => {} },
      () =>
        new Response(`<p id="address">${hostname}</p>`, {
          headers: { "content-type": "text/html" },
        }),
    )
  );
}

/** Chromium's own resolver: the page it shows comes from the address it found, or is an error. */
async function chromium(name: string): Promise<string> {
  const { stdout } = await run([
    ...["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"],
    ...[`--user-data-dir=${directory}/chromium`, "--timeout=5000", `http://${name}:${WEB_PORT}/`],
  ], { timeoutMs: 60_000 });
  return /<p id="address">([^<]*)</.exec(stdout)?.[1] ?? "none";
}

function sorted(addresses: readonly string[]): string {
  return addresses.length === 0 ? "none" : addresses.toSorted().join(" ");
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
