/**
 * Links, addresses and routes in a namespace of their own. Run by tests/netns/os_test.ts.
 *
 * @module
 */
import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { formatIp, formatPrefix, parseIp, parsePrefix } from "../../../lib/ip/mod.ts";
import {
  addAddress,
  addRoute,
  closeFd,
  confineLink,
  linkDelete,
  linkDown,
  linkIndex,
  linkName,
  linkUp,
  listAddresses,
  listRoutes,
  loadShim,
  NetworkWatch,
  openRaw,
  openTun,
  removeAddress,
  removeRoute,
  type Tun,
} from "../../../lib/os/mod.ts";
import { needing } from "./world.ts";

const shim = loadShim();
const ip = await needing("ip", "iproute2");

function withTun(test: (tun: Tun) => void): () => void {
  return () => {
    const tun = openTun(shim, { name: "vnet7" });
    try {
      test(tun);
    } finally {
      closeFd(shim, tun.fd);
    }
  };
}

function addressesOf(ifindex: number): string[] {
  return listAddresses(shim).filter((entry) => entry.ifindex === ifindex)
    .map((entry) => `${formatIp(entry.address)}/${entry.prefixLength}`);
}

function routesOf(ifindex: number, table: number): string[] {
  return listRoutes(shim)
    .filter((route) => route.ifindex === ifindex && route.table === table && route.type === 1)
    .map((route) => formatPrefix(route.prefix));
}

Deno.test("openTun() names the device and its link", () => {
  const tun = openTun(shim, { name: "" });
  match(tun.name, /^tun\d+$/);
  equal(linkName(shim, tun.ifindex), tun.name);
  equal(linkIndex(shim, tun.name), tun.ifindex);
  closeFd(shim, tun.fd);
  throws(() => linkIndex(shim, tun.name), { code: "link-unknown", errno: "ENODEV" });
});

Deno.test(
  "openTun() refuses a name that is taken",
  withTun(() => {
    throws(() => openTun(shim, { name: "vnet7" }), { code: "tun-busy", errno: "EBUSY" });
    throws(() => openTun(shim, { name: "lo" }), { name: "OsError" });
    throws(() => openTun(shim, { name: "a-name-too-long-for-a-link" }), { errno: "ENAMETOOLONG" });
  }),
);

Deno.test(
  "linkUp() makes no link-local address",
  withTun((tun) => {
    linkUp(shim, tun.ifindex, 65535);
    deepEqual(addressesOf(tun.ifindex), []);
    equal(Deno.readTextFileSync("/proc/net/dev").includes("vnet7"), true);
    linkDown(shim, tun.ifindex);
  }),
);

Deno.test(
  "confineLink() sets what it says, and says what it cannot set",
  withTun((tun) => {
    Deno.writeTextFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    Deno.writeTextFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    deepEqual(confineLink(tun.name), []);
    const path = `/proc/sys/net/ipv6/conf/${tun.name}/forwarding`;
    equal(Deno.readTextFileSync(path).trim(), "0");
    equal(Deno.readTextFileSync(`/proc/sys/net/ipv4/conf/${tun.name}/rp_filter`).trim(), "1");
    equal(confineLink("absent0").length, 2);
    Deno.writeTextFileSync(`/proc/sys/net/ipv4/conf/${tun.name}/forwarding`, "1");
    Deno.writeTextFileSync(`/proc/sys/net/ipv6/conf/${tun.name}/accept_ra`, "1");
    deepEqual(confineLink(tun.name, { forwarding: true }), []);
    const read = (path: string) => Deno.readTextFileSync(`/proc/sys/net/${path}`).trim();
    equal(read(`ipv4/conf/${tun.name}/forwarding`), "1");
    equal(read(`ipv6/conf/${tun.name}/accept_ra`), "0");
    Deno.writeTextFileSync("/proc/sys/net/ipv4/ip_forward", "0");
    Deno.writeTextFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "0");
  }),
);

Deno.test(
  "addAddress() and removeAddress() undo each other",
  withTun((tun) => {
    linkUp(shim, tun.ifindex, 1500);
    for (const [text, length] of [["100.64.0.1", 32], ["fd7a::1", 128]] as const) {
      const address = parseIp(text);
      addAddress(shim, tun.ifindex, address, length);
      throws(() => addAddress(shim, tun.ifindex, address, length), {
        code: "address-exists",
        errno: "EEXIST",
      });
      ok(addressesOf(tun.ifindex).includes(`${text}/${length}`));
      equal(removeAddress(shim, tun.ifindex, address, length), true);
      equal(removeAddress(shim, tun.ifindex, address, length), false);
    }
    deepEqual(addressesOf(tun.ifindex), []);
  }),
);

Deno.test(
  "addRoute() and removeRoute() undo each other",
  withTun((tun) => {
    linkUp(shim, tun.ifindex, 1500);
    addAddress(shim, tun.ifindex, parseIp("100.64.0.1"), 32);
    for (const text of ["100.64.0.0/10", "fd7a:115c::/64"]) {
      const prefix = parsePrefix(text);
      const source = prefix.address.family === 4 ? { source: parseIp("100.64.0.1") } : {};
      equal(addRoute(shim, tun.ifindex, prefix, { ...source, congestion: "cubic" }), true);
      throws(() => addRoute(shim, tun.ifindex, prefix, source), { code: "route-exists" });
      deepEqual(routesOf(tun.ifindex, 254), [text]);
      equal(removeRoute(shim, tun.ifindex, prefix), true);
      equal(removeRoute(shim, tun.ifindex, prefix), false);
    }
  }),
);

Deno.test(
  "addRoute() does without a congestion control the kernel lacks",
  withTun((tun) => {
    linkUp(shim, tun.ifindex, 1500);
    const prefix = parsePrefix("100.64.0.0/10");
    equal(addRoute(shim, tun.ifindex, prefix, { congestion: "nosuchthing" }), false);
    deepEqual(routesOf(tun.ifindex, 254), ["100.64.0.0/10"]);
  }),
);

Deno.test(
  "closing the descriptor removes device, addresses and routes",
  () => {
    const tun = openTun(shim, { name: "vnet8" });
    linkUp(shim, tun.ifindex, 1500);
    addRoute(shim, tun.ifindex, parsePrefix("100.64.0.0/10"));
    closeFd(shim, tun.fd);
    deepEqual(routesOf(tun.ifindex, 254), []);
    throws(() => linkUp(shim, tun.ifindex, 1500), { code: "link-unknown" });
  },
);

Deno.test(
  "linkDelete() removes a link under its owner",
  withTun((tun) => {
    linkDelete(shim, tun.ifindex);
    throws(() => linkIndex(shim, "vnet7"), { code: "link-unknown" });
  }),
);

Deno.test({
  ...ip("listRoutes() sees every table"),
  fn: async () => {
    const lo = linkIndex(shim, "lo");
    linkUp(shim, lo, 0);
    const args = ["route", "add", "100.64.0.0/10", "dev", "lo", "table", "52"];
    ok((await new Deno.Command("ip", { args }).output()).success);
    deepEqual(routesOf(lo, 52), ["100.64.0.0/10"]);
    ok(listRoutes(shim).some((route) => route.table === 255 && route.type === 2), "local table");
    ok(addressesOf(lo).includes("127.0.0.1/8"));
  },
});

Deno.test({
  ...ip("a listing longer than the first buffer is complete"),
  fn: async () => {
    const lo = linkIndex(shim, "lo");
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
  },
});

Deno.test("NetworkWatch tells of addresses, routes and links, once each", async () => {
  await using watch = NetworkWatch.open(shim);
  const tun = openTun(shim, { name: "vnet9" });
  equal(await watch.next(), true);
  for (
    const act of [
      () => linkUp(shim, tun.ifindex, 1500),
      () => addAddress(shim, tun.ifindex, parseIp("100.64.0.1"), 32),
      () => addAddress(shim, tun.ifindex, parseIp("fd7a::1"), 128),
      () => addRoute(shim, tun.ifindex, parsePrefix("100.64.0.0/10")),
      () => addRoute(shim, tun.ifindex, parsePrefix("fd7a::/64")),
      () => removeRoute(shim, tun.ifindex, parsePrefix("100.64.0.0/10")),
      () => closeFd(shim, tun.fd),
    ]
  ) {
    act();
    equal(await watch.next(), true);
  }
});

Deno.test("NetworkWatch ends its wait when it is closed or aborted", async () => {
  const watch = NetworkWatch.open(shim);
  const stop = new AbortController();
  const aborted = rejects(watch.next(stop.signal), { name: "AbortError" });
  stop.abort();
  await aborted;
  const waiting = watch.next();
  await watch[Symbol.asyncDispose]();
  equal(await waiting, false);
});

Deno.test("openRaw() needs a link that exists", () => {
  throws(() => openRaw(shim, 4, 4711), { code: "raw-failed", errno: "ENODEV" });
});
