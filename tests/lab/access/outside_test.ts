/** A host on the LAN that routes the virtual range to the client host gets nothing from it. */
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { story } from "../host/needs.ts";
import { connectAll } from "../check/tools.ts";
import type { Host } from "../host/host.ts";
import { World } from "../world/world.ts";

const CLIENT_IPV4 = "192.168.77.10";
const CLIENT_IPV6 = "2001:db8:77::10";

story("outside: the LAN gets nothing from the range, the listener or DNS", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client, lan } = world;
  const status = await world.up();
  const [range = ""] = status.link?.ranges ?? [];
  const twins = status.link?.ranges.find((text) => text.includes(":")) ?? "";
  const web4 = await world.address("web.vnet.example.com", 4);
  const web6 = await world.address("web.vnet.example.com", 6);
  await lan.script(`
    ip route add ${range} via ${CLIENT_IPV4}
    ip -6 route add ${twins} via ${CLIENT_IPV6}
    ip route add 192.0.2.77 via ${CLIENT_IPV4}
    ip -6 route add 2001:db8:2::77 via ${CLIENT_IPV6}
  `);

  await step("the client host itself reaches the app", async () => {
    const attempts = await connectAll(client, [[web4, 80], [web6, 80]], 3_000);
    deepEqual(attempts.map(({ result }) => result), ["connected", "connected"]);
  });

  await step("the LAN's route works: an ordinary address behind it answers", async () => {
    await client.script(`
      ip address add 192.0.2.77/32 dev lo
      ip address add 2001:db8:2::77/128 dev lo
    `);
    client.spawn(["socat", "TCP6-LISTEN:7777,fork,reuseaddr", "EXEC:cat"]);
    await client.listening(7777);
    const attempts = await connectAll(lan, [["192.0.2.77", 7777], ["2001:db8:2::77", 7777]], 3_000);
    deepEqual(attempts.map(({ result }) => result), ["connected", "connected"]);
  });

  for (const forward of [0, 1]) {
    await step(`with ip_forward=${forward} no TCP connection is made`, async () => {
      await client.script(
        `sysctl -qw net.ipv4.ip_forward=${forward} net.ipv6.conf.all.forwarding=${forward}`,
      );
      const ports = vnetPorts(client);
      notEqual(ports.length, 0);
      const self4 = status.link?.ipv4.split("/")[0] ?? "";
      const self6 = status.link?.ipv6?.split("/")[0] ?? "";
      const addresses = [web4, web6, self4, self6, CLIENT_IPV4, CLIENT_IPV6];
      const targets = addresses.flatMap((address) =>
        [80, 53, ...ports].map((port) => [address, port] as const)
      );
      const attempts = await connectAll(lan, targets, 1_000);
      deepEqual(
        targets.filter((_, i) => attempts[i]?.result === "connected").map(String),
        [],
      );
    });

    await step(`with ip_forward=${forward} no DNS query is answered`, async () => {
      const ports = new Set([53, ...vnetUdpPorts(client)]);
      const self6 = status.link?.ipv6 ?? "";
      const targets = [CLIENT_IPV4, CLIENT_IPV6, web4, web6, self6].flatMap((address) =>
        [...ports].map((port) => ["-p", `${port}`, `@${address}`])
      );
      await Promise.all(targets.map(async (target) => {
        const dig = ["dig", "+time=1", "+tries=1", ...target, "web.vnet.example.com"];
        const { stdout } = await lan.run(dig, { expect: [9] });
        match(stdout, /refused|timed out|unreachable|no servers/);
      }));
    });
  }

  await step("the client host reaches the app as before", async () => {
    const [attempt] = await connectAll(client, [[web4, 80]], 3_000);
    equal(attempt?.result, "connected");
  });
});

/** TCP ports that somebody but the story's own server listens on, on the client host. */
function vnetPorts(client: Host): number[] {
  const ports = client.tcpListeners().map(({ port }) => port);
  return [...new Set(ports)].filter((port) => port !== 7777);
}

function vnetUdpPorts(client: Host): number[] {
  const rows = ["udp", "udp6"].flatMap((table) => {
    return Deno.readTextFileSync(`/proc/${client.pid}/net/${table}`).split("\n").slice(1);
  });
  return rows.map((row) => row.trim().split(/\s+/)[1]?.split(":")[1]).filter((port) =>
    port !== undefined
  ).map((port) => parseInt(port!, 16));
}
