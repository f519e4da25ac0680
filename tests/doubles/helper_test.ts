import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { type HelperEvent, HelperLink } from "../../lib/client/setup/helper_link.ts";
import {
  formatEndpoint,
  formatPrefix,
  parseEndpoint,
  parseIp,
  parsePrefix,
} from "../../lib/ip/mod.ts";
import { MemoryHelper } from "./helper.ts";
import { MemoryMachine } from "./machine.ts";

const RANGE = parsePrefix("100.64.0.0/20");
const LINK = {
  link: null,
  self4: "100.64.0.1",
  range: RANGE,
  ipv6: { self: "fd7a::1", prefix: parsePrefix("fd7a::/64") },
};

/** A helper with a client; at the end nothing is open. */
async function withHelper(
  test: (
    link: HelperLink,
    helper: MemoryHelper,
    machine: MemoryMachine,
    events: readonly HelperEvent[],
  ) => Promise<void>,
): Promise<void> {
  const machine = new MemoryMachine();
  const events: HelperEvent[] = [];
  {
    await using helper = new MemoryHelper(machine);
    const end = helper.start();
    await using link = HelperLink.open(machine.sockets, end, (event) => events.push(event));
    await test(link, helper, machine, events);
  }
  deepEqual(machine.sockets.descriptors.open, []);
}

Deno.test("MemoryHelper does all that the real one is asked for, and takes it back", () =>
  withHelper(async (link, helper, { routing, sockets }) => {
    deepEqual(await link.detect("auto"), helper.detected);
    const { opened, tunFd, raw4Fd, raw6Fd, steps } = await link.open(LINK);
    deepEqual([opened.link, opened.has_ipv6, steps], ["vnet0", true, ["tun add vnet0"]]);
    equal(routing.linkIndex("vnet0"), opened.ifindex);
    const listener = sockets.listenFlows(parseIp("100.64.0.1"));
    await link.guard(listener.descriptor, parseIp("100.64.0.2"));
    deepEqual(helper.guarded, ["100.64.0.2"]);
    const server = parseEndpoint("127.0.0.1:5300");
    const dns = { mode: "auto" as const, server, zones: ["corp.test"] };
    const { applied, upstreams } = await link.apply([RANGE], dns);
    deepEqual([applied.backend, upstreams.map(formatEndpoint)], ["resolved", ["192.0.2.53:53"]]);
    deepEqual(routing.routesOf("vnet0").map(formatPrefix), ["100.64.0.0/20"]);
    deepEqual(helper.inForce?.dns?.zones, ["corp.test"]);
    const ends = [parseEndpoint("100.64.0.1:4000"), parseEndpoint("100.64.0.9:80")] as const;
    equal(await link.program(...ends), "/usr/bin/psql");
    deepEqual(await link.revert(), ["tun delete vnet0"]);
    equal(helper.inForce, null);
    listener.close();
    for (const descriptor of [tunFd, raw4Fd, raw6Fd ?? 0]) sockets.close(descriptor);
    equal(helper.count("guard"), 1);
    deepEqual(helper.asked.map(({ op }) => op), [
      "detect",
      "open",
      "guard",
      "apply",
      "program",
      "revert",
    ]);
  }));

Deno.test("MemoryHelper gives away port 53", () =>
  withHelper(async (link, _helper, { sockets }) => {
    const { udpFd, tcpFd } = await link.dnsSockets("127.0.53.1");
    for (const descriptor of [udpFd, tcpFd]) {
      equal(formatEndpoint(sockets.localEndpoint(descriptor)), "127.0.53.1:53");
      sockets.close(descriptor);
    }
  }));

Deno.test("MemoryHelper fails as often as it was told to", () =>
  withHelper(async (link, helper) => {
    helper.fail("dns-sockets", "socket-busy", { call: "bind", errno: "EADDRINUSE" });
    helper.fail("detect", "resolved-missing");
    await rejects(link.dnsSockets("127.0.53.1"), { code: "socket-busy", errno: "EADDRINUSE" });
    await rejects(link.detect("auto"), { code: "resolved-missing" });
    deepEqual(await link.detect("auto"), helper.detected);
  }));

Deno.test("MemoryHelper tells what it is told to, and its end is heard of", () =>
  withHelper(async (link, helper, _machine, events) => {
    await link.detect("auto");
    await helper.tellUpstreams("198.51.100.53:53", "[2001:db8::53]:53");
    await helper.tell({ event: "warning", code: "dns-changed", message: "again" });
    await link.detect("auto"); // what was told comes first
    const told = events.map((event) =>
      event.kind === "upstreams" ? event.upstreams.map(formatEndpoint) : event.kind
    );
    deepEqual(told, [["198.51.100.53:53", "[2001:db8::53]:53"], "warning"]);
    await helper.vanish();
    await rejects(link.detect("auto"), { code: "helper-lost" });
    equal(events.at(-1)?.kind, "lost");
  }));

Deno.test("MemoryHelper takes nothing back when it is killed", async () => {
  const machine = new MemoryMachine();
  const helper = new MemoryHelper(machine);
  await using link = HelperLink.open(machine.sockets, helper.start(), () => {});
  const { tunFd } = await link.open({ ...LINK, ipv6: null });
  await link.apply([RANGE], null);
  await helper.vanish();
  deepEqual(machine.routing.routesOf("vnet0").map(formatPrefix), ["100.64.0.0/20"]);
  machine.sockets.close(tunFd); // the device goes with its last descriptor
  throws(() => machine.routing.linkIndex("vnet0"), { errno: "ENODEV" });
});

Deno.test("MemoryHelper takes back everything when its client goes", async () => {
  const machine = new MemoryMachine();
  const helper = new MemoryHelper(machine);
  const { tunFd, raw4Fd } = await (async () => {
    await using link = HelperLink.open(machine.sockets, helper.listen("/run/helper"), () => {});
    const opened = await link.open({ ...LINK, ipv6: null });
    equal(opened.raw6Fd, null);
    await link.apply([RANGE], { mode: "none", server: parseEndpoint("127.0.0.1:53"), zones: [] });
    return opened;
  })();
  await helper.ended;
  equal(helper.inForce, null);
  equal(machine.routing.routes().length, new MemoryMachine().routing.routes().length);
  for (const descriptor of [tunFd, raw4Fd]) machine.sockets.close(descriptor);
  deepEqual(machine.sockets.descriptors.open, []);
});
