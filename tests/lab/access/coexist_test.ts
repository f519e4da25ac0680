/** vnet among others: several clusters, other people's routes, other users, hosts without IPv6. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import type { Host } from "../host/host.ts";
import { story } from "../host/needs.ts";
import { installPacked } from "../world/packed.ts";
import { addPerson } from "../world/people.ts";
import { SECOND_RANGE, SecondCluster } from "../world/second_cluster.ts";
import { connect } from "../check/tools.ts";
import { until } from "../host/wait.ts";
import { type Status, Vnet } from "../world/vnet.ts";
import { World } from "../world/world.ts";

interface Finding {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

interface Zones {
  readonly zones: readonly {
    readonly suffix: string;
    readonly cluster: string;
    readonly state: string;
    readonly grant?: string;
  }[];
}

interface Clusters {
  readonly clusters: readonly { readonly name: string; readonly state: string }[];
}

interface Whose {
  readonly app?: { readonly cluster: string };
  readonly claims?: readonly { readonly cluster: string }[];
}

const WEB = ["curl", "-sS", "--max-time", "10", "http://web.vnet.example.com/"];

story("coexist: two clusters with ranges of their own", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const second = await SecondCluster.open(lab, world);
  const { client, vnet } = world;
  const greeter = "greeter.other.example.org";
  const greeting = async (address: string) =>
    await client.output(["socat", "-T5", "STDIO", `TCP:${address}:9000,connect-timeout=5`]);
  await world.up();

  await step("a login adds the second range while vnet is up", async () => {
    await second.login();
    match(await world.address(greeter, 4), /^100\.77\./);
    match(await client.output(["ip", "route", "show", SECOND_RANGE]), /dev vnet0/);
    equal(await greeting(await world.address(greeter, 4)), "hello");
    equal(await greeting(`[${await world.address(greeter, 6)}]`), "hello");
    equal(await client.output(WEB), "port 80");
    const { link } = await vnet.json<Status>(["status"]);
    ok(link?.ranges.includes(SECOND_RANGE) && link.ranges.includes("100.100.0.0/16"));
  });

  const before = await world.address(greeter, 4);
  await step("a logout takes it back, and ends what went through it", async () => {
    const address = await world.address(greeter, 4);
    await second.logout();
    await until("the route is gone", 5_000, async () => {
      return await client.output(["ip", "route", "show", SECOND_RANGE], { quiet: true }) === "";
    });
    notEqual((await connect(client, address, 9000, 1_000)).result, "connected");
    equal(await client.output(WEB), "port 80");
  });

  await step("both are there from the start, and addresses are the same again", async () => {
    await second.login();
    await vnet.run(["restart"]);
    equal(await world.address(greeter, 4), before);
    equal(await greeting(before), "hello");
    equal(await client.output(WEB), "port 80");
  });

  const zone = "company.test";
  const other = "other.example.org";
  const standing = async (cluster: string, suffix = zone) => {
    const { zones } = await vnet.json<Zones>(["zones", "ls"], { quiet: true });
    const found = zones.find((one) => one.suffix === suffix && one.cluster === cluster);
    return found?.grant ?? found?.state;
  };
  await step("a zone is whose TXT record names it, until the user says otherwise", async () => {
    equal(await standing("vnet.example.com"), "txt");
    await second.askFor(zone, "vnet.example.com");
    await until("the other asks for it", 10_000, async () => await standing(other) === "pending");
    equal(await standing(other, "vnet.example.com"), "refused");
    equal(await client.output(WEB), "port 80");
    match(await world.address("redis.eu.company.test", 4), /^100\.100\./);
    await vnet.run(["zones", "deny", zone, "--cluster", "vnet.example.com"]);
    const { app, claims } = await vnet.json<Whose>(["resolve", "redis.eu.company.test"]);
    deepEqual([app, claims?.[0]?.cluster], [undefined, "vnet.example.com"]);
    await vnet.run(["zones", "forget", zone]);
    await until("it is back", 10_000, async () => await standing("vnet.example.com") === "txt");
    await second.logout();
  });

  const becomes = (state: string) =>
    until(`the leaf is ${state}`, 30_000, async () => {
      const { clusters } = await vnet.json<Clusters>(["clusters", "ls"], { quiet: true });
      return clusters.some((one) => one.name === other && one.state === state);
    });
  const curl = (family: string) => [
    ...["curl", "-sS", "--max-time", "10", "--http0.9", family],
    `http://${greeter}:9000/`,
  ];
  await step("as a leaf of the first it is reached by its names through the first", async () => {
    await second.trustFirst();
    await becomes("online");
    await until("it asks for its zone", 30_000, async () => {
      return await standing(other, other) === "pending";
    });
    await vnet.run(["zones", "allow", other]);
    match(await world.address(greeter, 4), /^100\.77\./);
    for (const family of ["-4", "-6"]) equal(await client.output(curl(family)), "hello");
  });

  await step("killed, it ends what is open through it, and all is back when it is", async () => {
    const parrot = `TCP:parrot.${other}:9001,connect-timeout=10`;
    const held = client.spawn(["socat", "STDIO", parrot]);
    await held.write("still here\n");
    await held.line(/^still here$/, 10_000);
    await second.kill();
    await held.status;
    await becomes("offline");
    notEqual((await client.run(curl("-4"), { expect: "any" })).code, 0);
    await second.restart();
    await becomes("online");
    await until("it greets again", 30_000, async () => {
      return (await client.run(curl("-4"), { expect: "any", quiet: true })).stdout === "hello\n";
    });
    await vnet.run(["down"]);
    equal(await client.output(["ip", "route", "show", SECOND_RANGE]), "");
  });
  await second.close();
});

story("coexist: a range that somebody else routes is left to them", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client, vnet } = world;
  const foreign = "100.100.128.0/17 via 192.168.77.1";
  await world.login();
  await client.script(`ip route add ${foreign} dev eth0`);

  await step("vnet takes addresses from elsewhere, and says so", async () => {
    await vnet.run(["up", "--detach"]);
    const finding = await findingOf(vnet, "range-moved");
    match(
      finding.message,
      /100\.64\.0\.0\/16 instead of 100\.100\.0\.0\/16 .*100\.100\.128\.0\/17/,
    );
    ok(finding.hint);
    match(await world.address("web.vnet.example.com", 4), /^100\.64\./);
    equal(await client.output(WEB), "port 80");
    match(await client.output(["ip", "route", "show", "100.100.128.0/17"]), /via 192\.168\.77\.1/);
  });

  const address = await world.address("web.vnet.example.com", 4);
  await step("addresses stay what they were when the other is gone", async () => {
    await vnet.run(["down"]);
    await client.script("ip route del 100.100.128.0/17");
    await vnet.run(["up", "--detach"]);
    equal(await world.address("web.vnet.example.com", 4), address);
    await vnet.run(["down"]);
  });

  await step("somebody's address counts, too, and a VPN's table", async () => {
    await client.script(`
      ip link add tailscale0 type bridge
      ip link set tailscale0 up
      ip address add 100.101.102.103/32 dev tailscale0
      ip route add 100.64.0.0/10 dev tailscale0 table 52
    `);
    // Other private space is somebody's, unless root says otherwise.
    match((await vnet.run(["up", "--detach"], { expect: [1] })).stderr, /\[range-conflict\]/);
    await client.script(
      "mkdir -p /etc/vnet && echo 'version: v1\nranges: [172.16.0.0/16]' >/etc/vnet/helper.yaml",
    );
    await vnet.run(["up", "--detach"]);
    match(await world.address("web.vnet.example.com", 4), /^172\.16\./);
    equal(await client.output(WEB), "port 80");
    await vnet.run(["down"]);
    await client.script("rm /etc/vnet/helper.yaml");
    match(
      await client.output(["ip", "route", "show", "table", "52"]),
      /^100\.64\.0\.0\/10 dev tailscale0/,
    );
    await client.script("ip link del tailscale0");
  });

  await step("with --cidr it is that range or none", async () => {
    await client.script(`ip route add ${foreign} dev eth0`);
    const args = ["up", "--detach", "--cidr", "100.100.0.0/16"];
    const outcome = await vnet.run(args, { expect: [1] });
    match(outcome.stderr, /\[range-conflict\]/);
    match(outcome.stderr, /^hint: \S/m);
    await vnet.run(["up", "--detach", "--cidr", "10.99.0.0/24"]);
    match(await world.address("web.vnet.example.com", 4), /^10\.99\.0\./);
    await vnet.run(["down"]);
  });

  await step(
    "a route that comes later is a finding, and a restart gets out of its way",
    async () => {
      await client.script("ip route del 100.100.128.0/17");
      await vnet.run(["up", "--detach"]);
      const range = (await vnet.json<Status>(["status"])).link?.ranges[0] ?? "";
      await client.script(`ip route add ${range.replace(/\/.*/, "/32")} via 192.168.77.1 dev eth0`);
      await until("the finding is there", 5_000, async () => {
        return (await findings(vnet)).some(({ code }) => code === "range-shadowed");
      });
      await vnet.run(["restart"]);
      notEqual((await vnet.json<Status>(["status"])).link?.ranges[0], range);
      equal(await client.output(WEB), "port 80");
      await vnet.run(["down"]);
    },
  );
});

story(
  "coexist: what somebody takes from the link comes back, but not for ever",
  async (step, lab) => {
    const world = await World.open(lab, "nginx");
    const { client, vnet } = world;
    await world.up();
    const self = (await vnet.json<Status>(["status"])).link?.ipv4 ?? "";
    const whole = async () =>
      (await client.output(["ip", "-o", "address", "show", "dev", "vnet0"], { quiet: true }))
        .includes(self) &&
      (await client.output(["ip", "route", "show", "100.100.0.0/16"], { quiet: true })) !== "" &&
      (await client.output(["ip", "-6", "route", "show", "dev", "vnet0"], { quiet: true }))
        .includes("/64");

    const acts: Readonly<Record<string, string>> = {
      "a route": "ip route del 100.100.0.0/16",
      "the IPv6 route": "ip -6 route del $(ip -6 route show dev vnet0 | grep -o 'fd.*/64')",
      "the address": `ip address del ${self}/32 dev vnet0`,
      "the link, taken down": "ip link set vnet0 down",
      "all of it": "ip address flush dev vnet0; ip route flush dev vnet0",
    };
    for (const [what, act] of Object.entries(acts)) {
      await step(what, async () => {
        await client.script(act);
        await until("all is back", 5_000, whole);
        await findingOf(vnet, "link-restored");
        equal(await client.output(WEB), "port 80");
        equal(await client.output([...WEB.slice(0, 1), "-6", ...WEB.slice(1)]), "port 80");
      });
    }

    await step("whoever insists is let have it for a while, with a finding", async () => {
      for (let times = 0; times < 20; times++) {
        await client.run(["ip", "route", "del", "100.100.0.0/16"], { expect: "any", quiet: true });
        const contested = await until("it is back, or given up", 5_000, async () => {
          if (
            (await findings(vnet)).some(({ code }) => code === "link-contested")
          ) return "given up";
          return await whole() ? "back" : null;
        });
        if (contested === "given up") return;
      }
      throw new Error("It was put back twenty times");
    });
    await vnet.run(["down"]);
  },
);

story("coexist: a host without IPv6 gets IPv4", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client, vnet } = world;
  await client.script(
    "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
  );
  const status = await world.up();

  await step("it says so", async () => {
    equal(status.link?.ipv6, undefined);
    ok((await findingOf(vnet, "ipv6-off")).hint);
  });

  await step("names have IPv4 addresses only, and connections work", async () => {
    match(await world.address("web.vnet.example.com", 4), /^100\.100\./);
    const dig = await client.output(["dig", "AAAA", "web.vnet.example.com"]);
    match(dig, /status: NOERROR.*\n.*ANSWER: 0, AUTHORITY: 1/);
    equal(await client.output(WEB), "port 80");
  });
  await vnet.run(["down"]);
});

/** Two people on one machine. */
const UIDS = { alice: 12_345, bob: 12_346 } as const;

story("coexist: two users on one machine", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client } = world;
  const command = await installPacked(client);
  const [alice, bob] = [
    await addPerson(client, "alice", UIDS.alice, command),
    await addPerson(client, "bob", UIDS.bob, command),
  ];
  for (const { vnet } of [alice, bob]) await world.login(vnet);
  await alice.sudo.run(["up", "--detach"]);

  await step("the second has to leave the resolver to the first, and is told", async () => {
    const outcome = await bob.sudo.run(["up", "--detach"], { expect: [1] });
    match(outcome.stderr, /\[dns-in-use\]/);
    match(outcome.stderr, /^hint: .*none/m);
    equal(await linksOf(client), "vnet0");
    await checkCurl(client, "alice", "web.vnet.example.com");
  });

  await step("with --dns none both are up, each with a link and a range of their own", async () => {
    await bob.sudo.run(["up", "--detach", "--dns", "none"]);
    equal(await linksOf(client), "vnet0 vnet1");
    const [first, second] = [await linkOf(alice.vnet), await linkOf(bob.vnet)];
    equal(first.name, "vnet0");
    equal(second.name, "vnet1");
    notEqual(first.ranges[0], second.ranges[0]);
    await findingOf(bob.vnet, "range-moved");
  });

  await step("each reaches the apps by the own addresses, and not by the other's", async () => {
    const [own, others] = [await webAddress(alice.vnet), await webAddress(bob.vnet)];
    await checkCurl(client, "alice", own);
    await checkCurl(client, "bob", others);
    for (const [user, address] of [["alice", others], ["bob", own]] as const) {
      const outcome = await client.run(["curl", "-sS", "--max-time", "5", `http://${address}/`], {
        user,
        expect: "any",
      });
      equal(outcome.code, 7, outcome.stderr);
    }
  });

  await step("one goes, the other stays", async () => {
    await bob.sudo.run(["down"]);
    equal(await linksOf(client), "vnet0");
    await checkCurl(client, "alice", "web.vnet.example.com");
    await alice.sudo.run(["down"]);
    equal(await linksOf(client), "");
    match(await client.output(["cat", "/etc/resolv.conf"]), /^# resolv.conf of client\n/);
  });

  await step("of two starts at once by one user, one daemon comes", async () => {
    const both = await Promise.all(
      [1, 2].map(() => alice.sudo.run(["up", "--detach"], { expect: "any" })),
    );
    ok(both.some(({ code }) => code === 0), both.map(({ stderr }) => stderr).join("\n"));
    await until("one daemon is left", 10_000, () => countOf(client, "daemon") === 1);
    await until("one helper is left", 10_000, () => countOf(client, "helper") === 1);
    await checkCurl(client, "alice", "web.vnet.example.com");
    match((await alice.sudo.run(["up", "--detach"])).stderr, /already/);
    await alice.sudo.run(["down"]);
    match(await client.output(["cat", "/etc/resolv.conf"]), /^# resolv.conf of client\n/);
  });
});

async function linksOf(host: Host): Promise<string> {
  const text = await host.output(["ip", "-o", "link", "show", "type", "tun"]);
  return [...text.matchAll(/^\d+: (\w+):/gm)].map(([, name]) => name).sort().join(" ");
}

async function linkOf(vnet: Vnet): Promise<NonNullable<Status["link"]>> {
  const { link } = await vnet.json<Status>(["status"]);
  ok(link);
  return link;
}

async function webAddress(vnet: Vnet): Promise<string> {
  const { apps } = await vnet.json<
    { apps: { name: string; addresses: { ipv4?: string }[] }[] }
  >(["apps", "ls"]);
  return apps.find(({ name }) => name === "web")?.addresses[0]?.ipv4 ?? "";
}

async function checkCurl(host: Host, user: string, address: string): Promise<void> {
  const curl = ["curl", "-sS", "--max-time", "10", `http://${address}/`];
  equal(await host.output(curl, { user }), "port 80");
}

function countOf(host: Host, part: "daemon" | "helper"): number {
  return host.processes().filter(({ command }) => command.includes(part)).length;
}

async function findings(vnet: Vnet): Promise<readonly Finding[]> {
  return (await vnet.json<{ findings: Finding[] }>(["status"], { quiet: true })).findings;
}

async function findingOf(vnet: Vnet, wanted: string): Promise<Finding> {
  return await until(`there is a finding ${wanted}`, 3_000, async () => {
    return (await findings(vnet)).find(({ code }) => code === wanted);
  });
}
