/**
 * How fast the DNS server answers: owned and forwarded names, beside dnsmasq and unbound from Debian, measured
 * with dnsperf in one run on one machine.
 *
 * ```text
 *   dnsperf ── vnet    (names in its table)      dnsperf ── vnet    ─┐
 *   dnsperf ── dnsmasq (addn-hosts)              dnsperf ── dnsmasq ─┴─ unbound (answers any name)
 *   dnsperf ── unbound (local-data)
 * ```
 *
 * Everything is on loopback, one thread each, caches off, forwarded names all different. Figures are medians of
 * rounds that go around the servers. The last lines are `name ratio`: vnet's queries per second divided by theirs.
 *
 *   deno task bench:dns [--rounds 3] [--seconds 3] [--only vnet]
 *
 * @module
 * @see docs/dns.md
 */
import { parseArgs } from "node:util";
import { TextLineStream } from "../../tests/lab/check/text_lines.ts";

const ZONE = "apps.bench.test";
const FOREIGN_ZONE = "foreign.test";
const OWNED_NAMES = 1000;
const FOREIGN_NAMES = 200_000;
const OUTSTANDING = 100;
const CLIENTS = 8;
/** At this pace the time an answer takes is looked at. */
const CALM_QPS = 1000;
const START_TRIES = 50;
const START_PAUSE_MS = 100;

type Work = "owned" | "forwarded";

interface Server extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  readonly works: readonly Work[];
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    only: { type: "string" },
  },
});
await main(Number(values.rounds), Number(values.seconds), values.only ?? null);

async function main(rounds: number, seconds: number, only: string | null): Promise<void> {
  for (const program of ["dnsperf", "dnsmasq", "unbound"]) await requireProgram(program);
  const directory = await Deno.makeTempDir({ prefix: "vnet-bench-dns-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(directory, { recursive: true }));
  await writeQueries(directory);
  const upstream = stack.use(await startUpstream(directory));
  const all: Server[] = [];
  for (const start of [startVnet, startDnsmasq, startUnbound]) {
    all.push(stack.use(await start(directory, upstream.port)));
  }
  const servers = all.filter(({ name }) => only === null || name === only);
  const rates = new Map<string, number>();
  for (const work of ["owned", "forwarded"] as const) {
    const able = servers.filter(({ works }) => works.includes(work));
    await measure(directory, work, able, { rounds, seconds }, rates);
  }
  if (only !== null) return;
  print("");
  for (
    const [work, rival] of [["owned", "dnsmasq"], ["owned", "unbound"], ["forwarded", "dnsmasq"]]
  ) {
    const ratio = (rates.get(`${work} vnet`) ?? 0) / (rates.get(`${work} ${rival}`) ?? 0);
    print(`${work}/${rival} ${ratio.toFixed(2)}`);
  }
}

async function measure(
  directory: string,
  work: Work,
  servers: readonly Server[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  rates: Map<string, number>,
): Promise<void> {
  const queries = `${directory}/${work}.txt`;
  for (const { port } of servers) await dnsperf(port, queries, ["-l", "1"]);
  const figures = servers.map(() => ({
    qps: [] as number[],
    p99: [] as number[],
    cpu: [] as number[],
  }));
  for (let round = 0; round < rounds; round++) {
    for (const [index, { port, pid }] of servers.entries()) {
      const before = await cpuMs(pid);
      const full = await dnsperf(port, queries, ["-l", `${seconds}`]);
      figures[index]?.cpu.push((await cpuMs(pid) - before) * 1000 / (rateOf(full) * seconds));
      const calm = await dnsperf(port, queries, ["-l", `${seconds}`, "-Q", `${CALM_QPS}`, "-v"]);
      figures[index]?.qps.push(rateOf(full));
      figures[index]?.p99.push(p99Of(calm));
    }
  }
  for (const [index, { name }] of servers.entries()) {
    const { qps = [], p99 = [], cpu = [] } = figures[index] ?? {};
    rates.set(`${work} ${name}`, median(qps));
    print(
      `${work} ${name}: ${Math.round(median(qps))} qps (${qps.map(Math.round).join(", ")}), ` +
        `${median(cpu).toFixed(1)} µs of processor each, ` +
        `p99 at ${CALM_QPS} qps ${median(p99).toFixed(3)} ms (${
          p99.map((ms) => ms.toFixed(3)).join(", ")
        })`,
    );
  }
}

async function dnsperf(port: number, queries: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("dnsperf", {
    args: [
      ...["-s", "127.0.0.1", "-p", `${port}`, "-d", queries],
      ...["-c", `${CLIENTS}`, "-q", `${OUTSTANDING}`],
      ...args,
    ],
  }).output();
  if (code !== 0) throw new Error(`dnsperf: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Processor time a process has used so far, all its threads, in milliseconds. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const [, , , , , , , , , , , user = "0", system = "0"] = stat.slice(stat.lastIndexOf(")") + 2)
    .split(" ");
  return (Number(user) + Number(system)) * 10; // the kernel counts in hundredths of a second
}

/** Queries per second; a run that lost or failed many is no measurement. */
function rateOf(report: string): number {
  const rate = Number(/Queries per second:\s+([0-9.]+)/.exec(report)?.[1]);
  const lost = Number(/Queries lost:\s+\d+ \(([0-9.]+)%\)/.exec(report)?.[1]);
  const good = Number(/NOERROR \d+ \(([0-9.]+)%\)/.exec(report)?.[1]);
  if (!(lost < 1) || !(good > 99)) throw new Error(`Not a fair run:\n${report}`);
  return rate;
}

/** In milliseconds, from the lines `> NOERROR name type seconds`. */
function p99Of(report: string): number {
  const times = [...report.matchAll(/^> \S+ \S+ \S+ ([0-9.]+)$/gm)].map(([, time]) => Number(time))
    .sort((a, b) => a - b);
  if (times.length < CALM_QPS) throw new Error(`Only ${times.length} answers were timed`);
  return (times[Math.floor(times.length * 0.99)] ?? NaN) * 1000;
}

async function writeQueries(directory: string): Promise<void> {
  const owned = Array.from(
    { length: OWNED_NAMES * 2 },
    (_, i) => `app${i >> 1}.${ZONE} ${i & 1 ? "AAAA" : "A"}`,
  );
  const foreign = Array.from({ length: FOREIGN_NAMES }, (_, i) => `host${i}.${FOREIGN_ZONE} A`);
  await Deno.writeTextFile(`${directory}/owned.txt`, owned.join("\n") + "\n");
  await Deno.writeTextFile(`${directory}/forwarded.txt`, foreign.join("\n") + "\n");
}

/** Answers every foreign name, faster than any of the forwarders asks. */
async function startUpstream(directory: string): Promise<Server> {
  const port = freePort();
  const data = [
    `local-zone: "${FOREIGN_ZONE}." redirect`,
    `local-data: "${FOREIGN_ZONE}. 60 IN A 192.0.2.1"`,
  ];
  return await startProgram("upstream", port, [], unbound(directory, "upstream", port, data));
}

async function startUnbound(directory: string): Promise<Server> {
  const port = freePort();
  const data = [`local-zone: "${ZONE}." static`];
  for (let i = 0; i < OWNED_NAMES; i++) {
    data.push(`local-data: "app${i}.${ZONE}. 10 IN A 100.64.1.${i & 255}"`);
    data.push(`local-data: "app${i}.${ZONE}. 10 IN AAAA fd00::${(i + 1).toString(16)}"`);
  }
  return await startProgram("unbound", port, ["owned"], unbound(directory, "rival", port, data));
}

function unbound(
  directory: string,
  name: string,
  port: number,
  data: readonly string[],
): readonly string[] {
  const file = `${directory}/${name}.conf`;
  Deno.writeTextFileSync(
    file,
    [
      "server:",
      ...[
        ...["do-daemonize: no", 'username: ""', 'chroot: ""', `directory: "${directory}"`],
        ...['pidfile: ""', "interface: 127.0.0.1", `port: ${port}`, "num-threads: 1"],
        ...["use-syslog: no", "module-config: iterator", ...data],
      ].map((line) => `  ${line}`),
      "",
    ].join("\n"),
  );
  return ["unbound", "-d", "-c", file];
}

async function startDnsmasq(directory: string, upstreamPort: number): Promise<Server> {
  const port = freePort();
  const lines = Array.from(
    { length: OWNED_NAMES },
    (_, i) => `100.64.1.${i & 255} app${i}.${ZONE}\nfd00::${(i + 1).toString(16)} app${i}.${ZONE}`,
  );
  await Deno.writeTextFile(`${directory}/hosts`, lines.join("\n") + "\n");
  return await startProgram("dnsmasq", port, ["owned", "forwarded"], [
    ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"],
    ...[`--port=${port}`, "--listen-address=127.0.0.1", "--bind-interfaces", "--cache-size=0"],
    ...[`--addn-hosts=${directory}/hosts`, `--server=127.0.0.1#${upstreamPort}`, "--user=root"],
    ...["--pid-file=", "--log-facility=/dev/null"],
  ]);
}

async function startVnet(_directory: string, upstreamPort: number): Promise<Server> {
  const script = new URL("./dns_serve.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script, `127.0.0.1:${upstreamPort}`, ZONE, `${OWNED_NAMES}`],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const line = await new TextLineStream(child.stdout).next() ?? "";
  const port = Number(line.split(":").at(-1));
  if (!(port > 0)) throw new Error(`vnet's server did not start: ${line}`);
  return {
    name: "vnet",
    port,
    pid: child.pid,
    works: ["owned", "forwarded"],
    [Symbol.asyncDispose]: async () => {
      await child.stdin.close();
      await child.status;
    },
  };
}

async function startProgram(
  name: string,
  port: number,
  works: readonly Work[],
  [command = "", ...args]: readonly string[],
): Promise<Server> {
  const child = new Deno.Command(command, { args, stdin: "null", stderr: "piped" }).spawn();
  const stderr = new Response(child.stderr).text();
  const ended = child.status.then(async () => {
    throw new Error(`${command} ended: ${await stderr}`);
  });
  const probe = name === "upstream" ? `host1.${FOREIGN_ZONE}` : `app1.${ZONE}`;
  await Promise.race([answers(port, probe), ended]);
  ended.catch(() => {}); // from here on its end is ours to bring about
  return {
    name,
    port,
    pid: child.pid,
    works,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** Asks until there is an answer. */
async function answers(port: number, name: string): Promise<void> {
  const args = ["@127.0.0.1", "-p", `${port}`, "+tries=1", "+time=1", name];
  for (let tries = 0; tries < START_TRIES; tries++) {
    const { code } = await new Deno.Command("dig", { args, stdout: "null" }).output();
    if (code === 0) return;
    await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
  }
  throw new Error(`No answer from port ${port}`);
}

function freePort(): number {
  using socket = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (socket.addr as Deno.NetAddr).port;
}

async function requireProgram(program: string): Promise<void> {
  const found = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] }).output();
  if (found.code === 0) return;
  Deno.stderr.writeSync(
    new TextEncoder().encode(`error: no ${program}: apt install dnsperf dnsmasq-base unbound\n`),
  );
  Deno.exit(1);
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? NaN;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
