/**
 * What whoever holds the device, or the raw sockets, cannot send. Run by tests/netns/os_test.ts.
 *
 * @module
 */
import { deepEqual, equal, throws } from "node:assert/strict";
import { formatIp, type IpAddress, parseIp, parsePrefix } from "../../../lib/ip/mod.ts";
import { machine } from "../../machine.ts";
import { synPacket, udpPacket, writeAs } from "./packets.ts";
import { APP4, APP6, PREFIX6, RANGE4, SELF4, SELF6, World } from "./world.ts";

const { links, routing, sockets } = machine.root;

const COMPROMISED_UID = 12_345;
const PORT = 7_000;
const LAST = "last";

/** Sources by whether they may reach a socket of this host out of the link. */
const SOURCES: readonly [source: string, arrives: boolean][] = [
  ["100.70.7.9", true],
  ["203.0.113.9", false],
  ["10.77.0.1", false], // another address of this host
  ["127.0.0.1", false],
  [formatIp(SELF4), false],
  ["fd7a:115c::6446:709", true],
  ["2001:db8::9", false],
  ["fe80::9", false],
  ["fd77::1", false], // another address of this host
  ["::1", false],
  [formatIp(SELF6), false],
];

async function sysctl(name: string, value: string): Promise<void> {
  await Deno.writeTextFile(`/proc/sys/net/${name}`, value);
}

/** Reads one counter of the kernel. */
function counter(family: "Tcp" | "Ip" | "Ip6", name: string): number {
  if (family === "Ip6") {
    const text = Deno.readTextFileSync("/proc/net/snmp6");
    return Number(new RegExp(`^Ip6${name}\\s+(\\d+)`, "m").exec(text)?.[1]);
  }
  const [names, values] = Deno.readTextFileSync("/proc/net/snmp").split("\n")
    .filter((line) => line.startsWith(`${family}:`)).map((line) => line.split(" "));
  return Number(values?.[names?.indexOf(name) ?? -1]);
}

/** A link as the helper makes it, on a host whose own settings let through what they can. */
async function openLink({ forwarding = false } = {}) {
  const lo = routing.linkIndex("lo");
  links.up(lo, 0);
  await sysctl("ipv4/ip_forward", "1");
  await sysctl("ipv6/conf/all/forwarding", "1");
  // Loose for all is loose for each: the larger of the two counts.
  await sysctl("ipv4/conf/all/rp_filter", "2");
  const tun = links.openTun({ name: "vnet0", vnetHeader: false });
  links.up(tun.ifindex, 65_535);
  links.confine(tun.name, { forwarding });
  links.addAddress(tun.ifindex, SELF4, 32);
  links.addAddress(tun.ifindex, SELF6, 128);
  links.addRoute(lo, parsePrefix("203.0.113.0/24"));
  links.addAddress(lo, parseIp("10.77.0.1"), 32);
  links.addAddress(lo, parseIp("fd77::1"), 128);
  const limit = () =>
    links.limitSources(tun.ifindex, {
      allowed: [RANGE4, PREFIX6],
      own: [SELF4, SELF6],
      onlyTo: forwarding ? [] : [SELF6],
    });
  const route = () => {
    links.addRoute(tun.ifindex, RANGE4, { source: SELF4 });
    links.addRoute(tun.ifindex, PREFIX6, { source: SELF6 });
  };
  return {
    tun,
    limit,
    route,
    [Symbol.dispose]: () => {
      sockets.close(tun.fd);
      links.removeRoute(lo, parsePrefix("203.0.113.0/24"));
      links.removeAddress(lo, parseIp("10.77.0.1"), 32);
      links.removeAddress(lo, parseIp("fd77::1"), 128);
    },
  };
}

/** Which of the sources' datagrams reach an ordinary socket of this host. */
async function arriving(fd: number, sources: readonly string[], last: string): Promise<string[]> {
  const own = parseIp(last).family === 4 ? SELF4 : SELF6;
  const socket = Deno.listenDatagram({ transport: "udp", hostname: formatIp(own), port: PORT });
  const packets = sources.map((text) =>
    udpPacket({ source: parseIp(text), destination: own }, PORT, text)
  );
  await writeAs(COMPROMISED_UID, fd, [
    ...packets,
    udpPacket({ source: parseIp(last), destination: own }, PORT, LAST),
  ]);
  const came: string[] = [];
  while (came.at(-1) !== LAST) {
    const [bytes] = await socket.receive();
    came.push(new TextDecoder().decode(bytes));
  }
  socket.close();
  return came.slice(0, -1);
}

for (const family of [4, 6] as const) {
  const sources = SOURCES.filter(([text]) => parseIp(text).family === family);
  const [[good = ""] = []] = sources;

  Deno.test(`out of a link come only its own sources (IPv${family})`, async () => {
    using link = await openLink();
    link.limit();
    link.route();
    deepEqual(
      await arriving(link.tun.fd, sources.map(([text]) => text), good),
      sources.filter(([, arrives]) => arrives).map(([text]) => text),
    );
  });
}

Deno.test("without the filter a spoofed source gets in, so that the test can fail", async () => {
  using link = await openLink();
  link.route();
  const came = await arriving(link.tun.fd, ["2001:db8::9", "fd77::1"], "fd7a:115c::6446:709");
  deepEqual(came, ["2001:db8::9", "fd77::1"]);
  deepEqual(await arriving(link.tun.fd, ["203.0.113.9"], "100.70.7.9"), ["203.0.113.9"]);
});

Deno.test("Links.limitSources() replaces what was said before, and needs a link", async () => {
  using link = await openLink();
  link.route();
  link.limit();
  const { ifindex } = link.tun;
  links.limitSources(ifindex, { allowed: [parsePrefix("2001:db8::/32")], own: [] });
  const spoofed: IpAddress = parseIp("2001:db8::9");
  deepEqual(
    await arriving(link.tun.fd, ["fd7a:115c::6446:709"], formatIp(spoofed)),
    [],
  );
  throws(() => links.limitSources(4711, { allowed: [], own: [] }), { code: "link-failed" });
});

for (const family of [4, 6] as const) {
  const [own, app, elsewhere] = family === 4
    ? [SELF4, APP4, parseIp("198.51.100.9")]
    : [SELF6, APP6, parseIp("2001:db8:1::9")];
  const sources = SOURCES.filter(([text]) => parseIp(text).family === family);

  for (const forwarding of [false, true]) {
    const what = forwarding ? "only where that is wished for" : "unless that is wished for";
    Deno.test(`what comes out of a link is not forwarded, ${what} (IPv${family})`, async () => {
      using link = await openLink({ forwarding });
      link.limit();
      link.route();
      const lan = links.openTun({ name: "lan0", vnetHeader: false });
      links.up(lan.ifindex, 1_500);
      links.addRoute(lan.ifindex, parsePrefix(`${formatIp(elsewhere)}/${family === 4 ? 32 : 128}`));
      const count = () =>
        family === 4 ? counter("Ip", "ForwDatagrams") : counter("Ip6", "OutForwDatagrams");
      const before = count();
      const outward = { source: app, destination: elsewhere };
      await writeAs(COMPROMISED_UID, link.tun.fd, [udpPacket(outward, PORT, "out")]);
      await arriving(link.tun.fd, [], formatIp(app));
      equal(count() - before, forwarding ? 1 : 0);
      sockets.close(lan.fd);
    });
  }

  Deno.test(`through the raw sockets go only the link's sources (IPv${family})`, async () => {
    using link = await openLink();
    link.limit();
    link.route();
    const raw = sockets.openRaw(family, link.tun.ifindex);
    const before = counter("Tcp", "OutRsts");
    const syn = (text: string) => synPacket({ source: parseIp(text), destination: own }, PORT);
    // Nobody listens: what arrives is answered by a RST.
    const packets = sources.filter(([, arrives]) => !arrives).map(([text]) => syn(text));
    const foreign = synPacket({ source: app, destination: elsewhere }, PORT);
    await writeAs(COMPROMISED_UID, raw, [...packets, foreign, syn(formatIp(app))]);
    for (let n = 0; counter("Tcp", "OutRsts") === before && n < 2_000; n++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    equal(counter("Tcp", "OutRsts") - before, 1);
    sockets.close(raw);
  });

  Deno.test(`a neighbour that says it is this host is not served (IPv${family})`, async () => {
    await using world = new World({ requireOwner: false });
    const lan = links.openTun({ name: "lan0", vnetHeader: false });
    links.up(lan.ifindex, 1_500);
    await sysctl("ipv4/ip_forward", "1");
    await sysctl("ipv6/conf/all/forwarding", "1");
    const another = parseIp(family === 4 ? "10.77.0.1" : "fd77::1");
    const lo = routing.linkIndex("lo");
    links.addAddress(lo, another, family === 4 ? 32 : 128);
    const spoofed = synPacket({ source: another, destination: app }, 443);
    await writeAs(COMPROMISED_UID, lan.fd, [spoofed]);
    const client = await world.connect(app, 443);
    const { conn } = await world.accept(family);
    deepEqual(world.syns.map(({ source }) => formatIp(source.address)), [formatIp(own)]);
    client.close();
    conn.close();
    links.removeAddress(lo, another, family === 4 ? 32 : 128);
    sockets.close(lan.fd);
  });
}
