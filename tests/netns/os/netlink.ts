/**
 * Links, addresses and routes in a namespace of their own. Run by tests/netns/os_test.ts.
 *
 * @module
 */
import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { formatIp, formatPrefix, parseIp, parsePrefix } from "../../../lib/ip/mod.ts";
import type { Tun } from "../../../lib/os/mod.ts";
import { machine } from "../../machine.ts";
import { needing } from "../../needs.ts";

const { links, routing, sockets } = machine.root;

function withTun(test: (tun: Tun) => void): () => void {
  return () => {
    const tun = links.openTun({ name: "vnet7" });
    try {
      test(tun);
    } finally {
      sockets.close(tun.fd);
    }
  };
}

function addressesOf(ifindex: number): string[] {
  return routing.addresses().filter((entry) => entry.ifindex === ifindex)
    .map((entry) => `${formatIp(entry.address)}/${entry.prefixLength}`);
}

function routesOf(ifindex: number, table: number): string[] {
  return routing.routes()
    .filter((route) => route.ifindex === ifindex && route.table === table && route.type === 1)
    .map((route) => formatPrefix(route.prefix));
}

Deno.test("Links.openTun() names the device and its link", () => {
  const tun = links.openTun({ name: "" });
  match(tun.name, /^tun\d+$/);
  equal(routing.linkName(tun.ifindex), tun.name);
  equal(routing.linkIndex(tun.name), tun.ifindex);
  sockets.close(tun.fd);
  throws(() => routing.linkIndex(tun.name), { code: "link-unknown", errno: "ENODEV" });
});

Deno.test(
  "Links.openTun() refuses a name that is taken",
  withTun(() => {
    throws(() => links.openTun({ name: "vnet7" }), { code: "tun-busy", errno: "EBUSY" });
    throws(() => links.openTun({ name: "lo" }), { name: "OsError" });
    throws(() => links.openTun({ name: "a-name-too-long-for-a-link" }), { errno: "ENAMETOOLONG" });
  }),
);

Deno.test(
  "Links.up() makes no link-local address",
  withTun((tun) => {
    links.up(tun.ifindex, 65535);
    deepEqual(addressesOf(tun.ifindex), []);
    equal(Deno.readTextFileSync("/proc/net/dev").includes("vnet7"), true);
    links.down(tun.ifindex);
  }),
);

Deno.test(
  "Links.confine() sets what it says, and says what it cannot set",
  withTun((tun) => {
    Deno.writeTextFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    Deno.writeTextFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    deepEqual(links.confine(tun.name), []);
    const read = (path: string) => Deno.readTextFileSync(`/proc/sys/net/${path}`).trim();
    equal(read(`ipv4/conf/${tun.name}/forwarding`), "0");
    equal(read(`ipv6/conf/${tun.name}/forwarding`), "0");
    equal(read(`ipv4/conf/${tun.name}/rp_filter`), "1");
    equal(links.confine("absent0").length, 3);
    Deno.writeTextFileSync(`/proc/sys/net/ipv4/conf/${tun.name}/forwarding`, "1");
    Deno.writeTextFileSync(`/proc/sys/net/ipv6/conf/${tun.name}/accept_ra`, "1");
    deepEqual(links.confine(tun.name, { forwarding: true }), []);
    equal(read(`ipv4/conf/${tun.name}/forwarding`), "1");
    equal(read(`ipv6/conf/${tun.name}/accept_ra`), "0");
    Deno.writeTextFileSync("/proc/sys/net/ipv4/ip_forward", "0");
    Deno.writeTextFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "0");
  }),
);

Deno.test(
  "Links.addAddress() and removeAddress() undo each other",
  withTun((tun) => {
    links.up(tun.ifindex, 1500);
    for (const [text, length] of [["100.64.0.1", 32], ["fd7a::1", 128]] as const) {
      const address = parseIp(text);
      links.addAddress(tun.ifindex, address, length);
      throws(() => links.addAddress(tun.ifindex, address, length), {
        code: "address-exists",
        errno: "EEXIST",
      });
      ok(addressesOf(tun.ifindex).includes(`${text}/${length}`));
      equal(links.removeAddress(tun.ifindex, address, length), true);
      equal(links.removeAddress(tun.ifindex, address, length), false);
    }
    deepEqual(addressesOf(tun.ifindex), []);
  }),
);

Deno.test(
  "Links.addRoute() and removeRoute() undo each other",
  withTun((tun) => {
    links.up(tun.ifindex, 1500);
    links.addAddress(tun.ifindex, parseIp("100.64.0.1"), 32);
    for (const text of ["100.64.0.0/10", "fd7a:115c::/64"]) {
      const prefix = parsePrefix(text);
      const source = prefix.address.family === 4 ? { source: parseIp("100.64.0.1") } : {};
      equal(links.addRoute(tun.ifindex, prefix, { ...source, congestion: "cubic" }), true);
      throws(() => links.addRoute(tun.ifindex, prefix, source), { code: "route-exists" });
      deepEqual(routesOf(tun.ifindex, 254), [text]);
      equal(links.removeRoute(tun.ifindex, prefix), true);
      equal(links.removeRoute(tun.ifindex, prefix), false);
    }
  }),
);

Deno.test(
  "Links.addRoute() does without a congestion control the kernel lacks",
  withTun((tun) => {
    links.up(tun.ifindex, 1500);
    const prefix = parsePrefix("100.64.0.0/10");
    equal(links.addRoute(tun.ifindex, prefix, { congestion: "nosuchthing" }), false);
    deepEqual(routesOf(tun.ifindex, 254), ["100.64.0.0/10"]);
  }),
);

Deno.test(
  "closing the descriptor removes device, addresses and routes",
  () => {
    const tun = links.openTun({ name: "vnet8" });
    links.up(tun.ifindex, 1500);
    links.addRoute(tun.ifindex, parsePrefix("100.64.0.0/10"));
    sockets.close(tun.fd);
    deepEqual(routesOf(tun.ifindex, 254), []);
    throws(() => links.up(tun.ifindex, 1500), { code: "link-unknown" });
  },
);

Deno.test(
  "Links.delete() removes a link under its owner",
  withTun((tun) => {
    links.delete(tun.ifindex);
    throws(() => routing.linkIndex("vnet7"), { code: "link-unknown" });
  }),
);

Deno.test(needing(["ip"], "Routing.routes() sees every table", async () => {
  const lo = routing.linkIndex("lo");
  links.up(lo, 0);
  const args = ["route", "add", "100.64.0.0/10", "dev", "lo", "table", "52"];
  ok((await new Deno.Command("ip", { args }).output()).success);
  deepEqual(routesOf(lo, 52), ["100.64.0.0/10"]);
  ok(routing.routes().some((route) => route.table === 255 && route.type === 2), "local table");
  ok(addressesOf(lo).includes("127.0.0.1/8"));
}));

Deno.test(needing(["ip"], "a listing longer than the first buffer is complete", async () => {
  const lo = routing.linkIndex("lo");
  const count = 3000;
  const batch = Array.from(
    { length: count },
    (_, n) => `route add 10.${n >> 8}.${n & 255}.0/24 dev lo table 77`,
  ).join("\n");
  const child = new Deno.Command("ip", { args: ["-batch", "-"], stdin: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(batch));
  await writer.close();
  ok((await child.status).success);
  equal(new Set(routesOf(lo, 77)).size, count);
}));

Deno.test("NetworkWatch tells of addresses, routes, settings and links, once each", async () => {
  await using watch = links.watch();
  const tun = links.openTun({ name: "vnet9" });
  equal(await watch.next(), true);
  for (
    const act of [
      () => links.up(tun.ifindex, 1500),
      () => links.addAddress(tun.ifindex, parseIp("100.64.0.1"), 32),
      () => links.addAddress(tun.ifindex, parseIp("fd7a::1"), 128),
      () => links.addRoute(tun.ifindex, parsePrefix("100.64.0.0/10")),
      () => links.addRoute(tun.ifindex, parsePrefix("fd7a::/64")),
      () => links.removeRoute(tun.ifindex, parsePrefix("100.64.0.0/10")),
      () => Deno.writeTextFileSync("/proc/sys/net/ipv4/conf/vnet9/forwarding", "1"),
      () => Deno.writeTextFileSync("/proc/sys/net/ipv6/conf/vnet9/forwarding", "1"),
      () => sockets.close(tun.fd),
    ]
  ) {
    act();
    equal(await watch.next(), true);
  }
});

Deno.test("NetworkWatch ends its wait when it is closed or aborted", async () => {
  const watch = links.watch();
  const stop = new AbortController();
  const aborted = rejects(watch.next(stop.signal), { name: "AbortError" });
  stop.abort();
  await aborted;
  const waiting = watch.next();
  await watch[Symbol.asyncDispose]();
  equal(await waiting, false);
});

Deno.test("RootSockets.openRaw() needs a link that exists", () => {
  throws(() => sockets.openRaw(4, 4711), { code: "raw-failed", errno: "ENODEV" });
});
