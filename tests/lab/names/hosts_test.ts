/**
 * vnet as a person uses it, on hosts of every kind: names, connections, `vnet doctor`, and not a trace afterwards.
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { examine, find } from "../check/doctor.ts";
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import { HOST_KINDS, HOST_PACKAGES, type HostKind } from "../host/kinds.ts";
import { story } from "../host/needs.ts";
import { fetchPackages } from "../host/packages.ts";
import { here } from "../host/paths.ts";
import { startNetworkd, startResolved } from "../world/resolvers.ts";
import { difference, everything } from "../check/traces.ts";
import { type Status, Vnet, vnetCommand } from "../world/vnet.ts";
import { until } from "../host/wait.ts";
import { openLanHost, World } from "../world/world.ts";

const ZONES = ["company.test", "vnet.example.com"];

/** A kind of host, and what is special about vnet there. */
interface Kind extends HostKind {
  /** Goes before every command. */
  readonly prefix?: readonly string[];
  /** What `vnet doctor` warns of there. */
  readonly warns?: readonly string[];
}

const STRICT = "DNSSEC=yes\\nDNSOverTLS=yes\\n";

const KINDS: readonly Kind[] = [
  ...HOST_KINDS,
  {
    name: "strict",
    backend: "resolved",
    prepare: (lab, host) => startResolved(lab, host, STRICT),
  },
  {
    name: "networkd",
    backend: "resolved",
    prepare: async (lab, host) => {
      await startResolved(lab, host);
      await startNetworkd(lab, host);
    },
  },
  {
    name: "no-ipv6",
    backend: "direct",
    prepare: (_lab, host) =>
      host.script(`
        gcc -std=gnu11 -O1 -o /run/no_ipv6 ${here("tools/no_ipv6.c")}
        sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
        mount -t tmpfs none /proc/sys/net/ipv6
        mount --bind /dev/null /proc/net/if_inet6
      `),
    prefix: ["/run/no_ipv6"],
    warns: ["tun.ipv6"],
  },
];

const unfetched = await fetchPackages(...HOST_PACKAGES);

story(
  "hosts: names, connections, doctor and no trace, whoever looks after DNS",
  async (step, lab) => {
    const world = await World.open(lab, "postgres", "nginx");
    for (const [index, kind] of KINDS.entries()) {
      await step(kind.name, () => checkKind(lab, world, kind, 30 + index));
    }
    await step("read-only resolv.conf", () => checkReadOnly(lab, world));
    await step("programs built with musl", () => checkMusl(lab, world));
  },
  unfetched,
);

async function checkKind(lab: Lab, world: World, kind: Kind, octet: number): Promise<void> {
  const host = await openLanHost(lab, world.router, kind.name, octet);
  await kind.prepare(lab, host);
  const { prefix = [], keeps = /^$/ } = kind;
  const vnet = new Vnet(host, { command: [...prefix, ...vnetCommand()] });
  await world.login(vnet);
  const before = await everything(host);
  const others = host.processes().length;
  await vnet.run(["up", "--detach"]);
  await checkPrograms(host, prefix);
  const report = await examine({ vnet }, [], 0);
  const remarkable = report.checks.filter(({ status }) => status !== "ok");
  deepEqual(remarkable.map(({ id }) => id), kind.warns ?? []);
  const mode = find(report, "dns.mode");
  equal(mode.summary, kind.backend);
  deepEqual(mode.evidence.filter(({ label }) => label === "but"), []); // Nobody undoes what it sets.
  for (const zone of ZONES) equal(find(report, `dns.zone.${zone}`).summary, "reaches vnet");
  await vnet.run(["down"]);
  await until("no process of vnet is left", 5_000, () => host.processes().length === others);
  const traces = difference(before, await everything(host)).filter((line) => !keeps.test(line));
  deepEqual(traces, []);
  match(await host.output(["getent", "ahostsv4", "www.example.com"]), /^198\.51\.100\.80 /);
}

/** A host whose resolv.conf nobody can write: vnet says what to add, and works for who asks it. */
async function checkReadOnly(lab: Lab, world: World): Promise<void> {
  const host = await openLanHost(lab, world.router, "read-only", 50);
  await host.script(`
    mount --bind /etc/resolv.conf /etc/resolv.conf
    mount -o remount,bind,ro /etc/resolv.conf
  `);
  const vnet = new Vnet(host);
  await world.login(vnet);
  const before = await everything(host);
  const up = await vnet.run(["up", "--detach"]);
  match(up.stderr, /warning: add this as the first line of .*: nameserver 127\.0\.53\.1/);
  equal((await vnet.json<Status>(["status"])).dns?.backend, "none");
  const report = await examine({ vnet }, [], 0);
  const warned = report.checks.filter(({ status }) => status === "warn").map(({ id }) => id);
  deepEqual(warned, ["dns.mode", ...ZONES.map((zone) => `dns.zone.${zone}`)]);
  match(find(report, "dns.mode").fix?.text ?? "", /127\.0\.53\.1/);
  const address = await host.output(["dig", "+short", "@127.0.53.1", "web.vnet.example.com"]);
  match(address, /^100\.100\./);
  const to = ["--resolve", `web.vnet.example.com:80:${address}`];
  const curl = ["curl", "-sS", "--max-time", "10", ...to, "http://web.vnet.example.com/"];
  equal(await host.output(curl), "port 80");
  await vnet.run(["down"]);
  await until("no process of vnet is left", 5_000, () => host.processes().length === 0);
  deepEqual(difference(before, await everything(host)), []);
}

/** musl asks every nameserver at once and takes the first answer, so there must be none but vnet's. */
async function checkMusl(lab: Lab, world: World): Promise<void> {
  const host = await openLanHost(lab, world.router, "musl", 51);
  await host.script(`
    musl-gcc -O1 -static -o /run/resolve-static ${here("tools/resolve.c")}
    musl-gcc -O1 -o /run/resolve-dynamic ${here("tools/resolve.c")}
  `);
  const vnet = new Vnet(host);
  await world.up(vnet);
  const lines = await host.output(["grep", "^nameserver", "/etc/resolv.conf"]);
  equal(lines, "nameserver 127.0.53.1");
  for (const build of ["static", "dynamic"]) {
    const resolve = (name: string) => host.output([`/run/resolve-${build}`, name, "100"]);
    match(await resolve("pg.vnet.example.com"), /^100\.100\.\d+\.\d+ 100$/);
    equal(await resolve("www.example.com"), "198.51.100.80 100");
  }
  await vnet.run(["down"]);
}

/** What a person does with it: by name, by address, and beside vnet. */
async function checkPrograms(host: Host, prefix: readonly string[]): Promise<void> {
  const output = (...command: string[]) => host.output([...prefix, ...command]);
  const lookup = async (name: string) =>
    (await output("getent", "ahostsv4", name)).split(/\s/)[0] ?? "";
  const address = await lookup("web.vnet.example.com");
  match(address, /^100\.100\./);
  equal(await lookup("www.example.com"), "198.51.100.80");
  const uri = "postgres://alice@pg.vnet.example.com/postgres";
  equal(await output("psql", "-Atqc", "select 6 * 7", uri), "42");
  equal(await output("curl", "-sS", "--max-time", "10", "http://www.company.test/"), "port 80");
  const raw = `exec 3<>"/dev/tcp/$0/80"; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  match(await output("bash", "-c", raw, address), /port 80$/);
}
