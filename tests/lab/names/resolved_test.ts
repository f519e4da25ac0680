/** A host with systemd-resolved: two people at a time, and what `vnet doctor` says when something breaks. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { examine, failed, find, show } from "../check/doctor.ts";
import type { Host } from "../host/host.ts";
import { type Step, story } from "../host/needs.ts";
import { fetchPackages } from "../host/packages.ts";
import { installPacked } from "../world/packed.ts";
import { addPerson, openTargets, type Person } from "../world/people.ts";
import { killQuietly } from "../host/process.ts";
import { type Resolved, RESOLVED_PACKAGES, startResolved } from "../world/resolvers.ts";
import { SecondCluster } from "../world/second_cluster.ts";
import type { Status } from "../world/vnet.ts";
import { until } from "../host/wait.ts";
import { World } from "../world/world.ts";

const UIDS = { alice: 12_345, bob: 12_346 } as const;
const GREETER = "greeter.other.example.org";

interface Apps {
  readonly apps: readonly {
    readonly ports?: readonly string[];
    readonly addresses: readonly { readonly ipv4?: string; readonly ipv6?: string }[];
  }[];
}

story(
  "resolved: two people, each with their own apps; doctor names what breaks",
  async (step, lab) => {
    const world = await World.open(lab, "postgres", "nginx");
    const second = await SecondCluster.open(lab, world);
    const { client } = world;
    const resolved = await startResolved(lab, client);
    const command = await installPacked(client);
    const alice = await addPerson(client, "alice", UIDS.alice, command);
    const bob = await addPerson(client, "bob", UIDS.bob, command);
    await world.login(alice.vnet);
    await second.login(bob.vnet);
    for (const { sudo } of [alice, bob]) await sudo.run(["up", "--detach"]);

    await twoPeople(step, { client, alice, bob });
    await step("a zone that the other has is not claimed as well", async () => {
      await world.login(bob.vnet);
      const refused = await bob.sudo.run(["restart"], { expect: [1] });
      match(refused.stderr, /another vnet has it on "vnet0" \[dns-in-use\]\nhint: /);
      equal(await psql(client, "alice"), "1");
    });
    await breakings(step, { client, alice, resolved });
  },
  await fetchPackages(RESOLVED_PACKAGES),
);

interface Two {
  readonly client: Host;
  readonly alice: Person;
  readonly bob: Person;
}

/** Each has a link, a range and zones; the names are everybody's, the connections are not. */
async function twoPeople(step: Step, { client, alice, bob }: Two): Promise<void> {
  await step("both are up, each with a link of their own and all checks well", async () => {
    const links: string[] = [];
    for (const { vnet } of [alice, bob]) {
      const { link, dns } = await vnet.json<Status>(["status"]);
      equal(dns?.backend, "resolved");
      links.push(`${link?.name} ${link?.ranges[0]}`);
      const report = await examine({ vnet }, [], 0);
      deepEqual(report.checks.filter(({ status }) => status !== "ok"), []);
    }
    deepEqual(links, ["vnet0 100.100.0.0/16", "vnet1 100.77.0.0/16"]);
  });

  await step("each resolves and reaches their own", async () => {
    equal(await psql(client, "alice"), "1");
    equal(await client.output(curlWeb(), { user: "alice" }), "port 80");
    equal(await client.output(greet(), { user: "bob" }), "hello");
    match(await client.output(["getent", "ahostsv4", "www.example.com"]), /^198\.51\.100\.80 /);
  });

  await step(
    "the other's psql, curl and sockets get nothing, at any address and port",
    async () => {
      await client.run(psqlCommand(), { user: "bob", expect: [2] });
      await client.run(curlWeb(), { user: "bob", expect: [7] });
      await client.run(greet(), { user: "alice", expect: [1] });
      for (const [owner, stranger] of [[alice, bob], [bob, alice]] as const) {
        const targets = await targetsOf(owner);
        notEqual(targets.length, 0);
        equal(await openTargets(client, stranger.name, targets), "");
        notEqual(await openTargets(client, owner.name, targets), "");
        const socket = `${owner.runtimeDir}/vnet/control.sock`;
        const ask = ["curl", "-sS", "--max-time", "5", "--unix-socket", socket];
        for (const path of ["-XPOST http://x/v1/down", "http://x/v1/status"]) {
          await client.run([...ask, ...path.split(" ")], { user: stranger.name, expect: [7] });
        }
      }
    },
  );

  await step("one goes, the other stays", async () => {
    await bob.sudo.run(["down"]);
    equal(await psql(client, "alice"), "1");
    await bob.sudo.run(["up", "--detach"]);
    equal(await client.output(greet(), { user: "bob" }), "hello");
  });
}

interface Broken {
  readonly client: Host;
  readonly alice: Person;
  readonly resolved: Resolved;
}

/** One thing is broken at a time; doctor says which, and it is mended as doctor said or by itself. */
async function breakings(step: Step, { client, alice, resolved }: Broken): Promise<void> {
  const report = (code: 0 | 1) => examine({ vnet: alice.vnet }, [], code);
  const remarks = async (code: 0 | 1) => {
    const { checks } = await report(code);
    return checks.filter(({ status }) => status === "warn" || status === "fail");
  };
  const healthy = async () => deepEqual(await remarks(0), []);

  await step("no busctl and no resolvectl are needed to say so", async () => {
    await client.script(
      "for program in busctl resolvectl; do mount --bind /dev/null /usr/bin/$program; done",
    );
    const { checks } = await report(0);
    deepEqual(checks.filter(({ status }) => status !== "ok"), []);
    await client.script("umount /usr/bin/busctl /usr/bin/resolvectl");
  });

  await step("another link claims a zone", async () => {
    await client.run(["resolvectl", "domain", "eth0", "~.", "~company.test"]);
    const [claimed, ...others] = await remarks(0);
    deepEqual(others, []);
    deepEqual([claimed?.id, claimed?.status], ["dns.link", "warn"]);
    match(claimed?.cause ?? "", /the servers of "eth0" about company\.test/);
    await client.run(["resolvectl", "domain", "eth0", "~."]);
    await healthy();
  });

  await step("DNSSEC and DNS over TLS are switched on for vnet's link", async () => {
    // vnet looks every 15 s and may be faster than doctor.
    const broken = await until("doctor sees it", 20_000, async () => {
      await client.script(`
        resolvectl dnssec vnet0 yes
        resolvectl dnsovertls vnet0 yes
        resolvectl flush-caches
      `);
      const found = await examine({ vnet: alice.vnet }, [], "any");
      return find(found, "dns.link").status === "fail" ? found : null;
    });
    deepEqual(failed(broken), ["dns.link"]);
    const link = find(broken, "dns.link");
    deepEqual(link.evidence.map(({ text }) => text), ["DNSSEC is yes", "DNSOverTLS is yes"]);
    equal(find(broken, "dns.zone.company.test").blocked_by, "dns.link");
    // Any other change of resolvers has it look at once.
    for (const servers of [["203.0.113.53", "203.0.113.54"], ["203.0.113.53"]]) {
      await client.run(["resolvectl", "dns", "eth0", ...servers]);
    }
    await heals("after a look");
  });

  await step("systemd-resolved stops, and starts again", async () => {
    await resolved.stop();
    await show({ vnet: alice.vnet }, "--only", "dns");
    const broken = await report(1);
    match(find(broken, "dns.link").summary, /^systemd-resolved does not run/);
    await resolved.restart();
    await heals("after a restart");
  });

  await step("systemd-resolved hangs", async () => {
    resolved.signal("SIGSTOP");
    const broken = await report(1);
    match(find(broken, "dns.link").summary, /^systemd-resolved does not answer/);
    equal(find(broken, "dns.zone.company.test").blocked_by, "dns.link");
    resolved.signal("SIGCONT");
    await heals("after SIGCONT");
  });

  await step("the link's settings are wiped", async () => {
    await client.run(["resolvectl", "revert", "vnet0"]);
    await heals("after revert");
    const { findings } = await alice.vnet.json<{ findings: { code: string }[] }>(["status"]);
    ok(findings.some(({ code }) => code === "dns-changed"));
  });

  await step("somebody writes resolv.conf, and programs that read it miss the zones", async () => {
    await client.script("rm /etc/resolv.conf; echo nameserver 203.0.113.53 >/etc/resolv.conf");
    const found = await remarks(0);
    deepEqual(found.map(({ id }) => id), ["dns.zone.company.test", "dns.zone.vnet.example.com"]);
    match(found[0]?.cause ?? "", /203\.0\.113\.53 does not know this zone/);
  });

  await step("and nothing leads to systemd-resolved any more", async () => {
    await client.script("sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf");
    const broken = await report(1);
    deepEqual(failed(broken), ["dns.trample"]);
    match(find(broken, "dns.trample").summary, /do not ask systemd-resolved any more/);
    equal(find(broken, "dns.zone.company.test").blocked_by, "dns.trample");
    equal(find(broken, "dns.trample").fix?.text, "sudo vnet restart");
    // The host is a plain one now, and vnet takes it as such.
    await alice.sudo.run(["restart"]);
    equal((await alice.vnet.json<Status>(["status"])).dns?.backend, "direct");
    await healthy();
  });

  await step("a journal is left of a killed vnet, and --fix repairs it", async () => {
    for (const signal of ["SIGSTOP", "SIGKILL"] as const) {
      for (const part of ["vnet-guard", "helper", "daemon"]) {
        const parts = client.processes().filter(({ command }) => command.includes(part));
        for (const { pid } of parts) killQuietly(pid, signal);
      }
    }
    await until("nothing of vnet runs", 5_000, () => {
      return !client.processes().some(({ command }) => command.includes("daemon"));
    });
    ok(failed(await report(1)).includes("leftover.dns"));
    // Root repairs the machine; the socket of the dead daemon is removed by its owner.
    const fixed = await alice.sudo.run(["doctor", "--fix"], { expect: [1] });
    match(fixed.stderr, /^Repaired: restored \/etc\/resolv\.conf/m);
    match(
      (await alice.vnet.run(["doctor", "--fix"])).stderr,
      /^Repaired: removed .*control\.sock/m,
    );
    equal(await client.output(["cat", "/etc/resolv.conf"]), "nameserver 203.0.113.53");
    deepEqual(failed(await report(0)), []);
  });

  async function heals(when: string): Promise<void> {
    await until(`all is well ${when}`, 20_000, async () => {
      const { checks } = await examine({ vnet: alice.vnet }, ["--only", "dns"], "any");
      return checks.every(({ status }) => status === "ok");
    });
    await healthy();
  }
}

function psqlCommand(): readonly string[] {
  return ["psql", "-Atqc", "select 1", "postgres://alice@pg.vnet.example.com/postgres"];
}

async function psql(client: Host, user: string): Promise<string> {
  return await client.output(psqlCommand(), { user, env: { HOME: "/tmp" } });
}

function curlWeb(): readonly string[] {
  return ["curl", "-sS", "--max-time", "10", "http://web.vnet.example.com/"];
}

/** Reads a line from bob's app, without a client of its own. */
function greet(): readonly string[] {
  return ["bash", "-c", `exec 3<>/dev/tcp/${GREETER}/80 && head -1 <&3`];
}

/** Every leased address with every port, as `address/port`. */
async function targetsOf({ vnet }: Person): Promise<string[]> {
  const { apps } = await vnet.json<Apps>(["apps", "ls"]);
  return apps.flatMap(({ ports = ["80"], addresses }) =>
    addresses.flatMap(({ ipv4, ipv6 }) =>
      [ipv4, ipv6].flatMap((ip) =>
        ip === undefined ? [] : ports.map((port) => `${ip}/${parseInt(port)}`)
      )
    )
  );
}
