/**
 * A host with systemd-resolved: our zones come to us, nothing else does, and it stays so.
 *
 * @module
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { MAX_ZONES } from "../../../lib/config/mod.ts";
import { formatEndpoint, parseEndpoint, parsePrefix } from "../../../lib/ip/mod.ts";
import { thisMachine } from "../../../lib/os/mod.ts";
import {
  type Change,
  claimedReverseZones,
  OsDns,
  type OsDnsRequest,
} from "../../../lib/os/linux/dns/mod.ts";
import {
  ask,
  askedUs,
  check,
  hasOwner,
  lookup,
  run,
  start,
  startBus,
  startProvider,
  startResolved,
  startServer,
  until,
} from "./host.ts";

const LINK = "vnet0";
const APP = "app.corp.example.com";
const OURS = "100.64.0.10";
const LEAK = "203.0.113.99";

await Deno.remove("/etc/resolv.conf").catch(() => {});
await Deno.symlink("../run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf");
await setHosts("files resolve [!UNAVAIL=return] dns");
await startProvider();
await startServer("127.0.0.1", 5300);
await startBus();
let resolved = await startResolved();
await run("resolvectl", "dns", "wan0", "10.99.0.53");
await run("resolvectl", "domain", "wan0", "~.");

const { links, sockets } = thisMachine().root;
let tun = await openLink();
const dns = await OsDns.open({ journalDir: "/var/lib/vnet" });
const changes: Change[] = [];
const end = new AbortController();
let watch: Promise<void> = Promise.resolve();

await check("the host resolves, and our zone leads to the provider", async () => {
  equal(await lookup("www.public.test"), "198.51.100.53");
  equal(await lookup(APP), LEAK);
});

await check("detection finds resolved, by stub and by nss", async () => {
  const { backend, why, warnings } = await dns.detect("auto");
  equal(backend, "resolved");
  match(why.join("; "), /stub.*nss-resolve/);
  deepEqual(warnings, []);
});

await check("apply does what the plan says, and names the provider as upstream", async () => {
  const request = requestFor(tun.ifindex);
  const plan = await dns.plan(request);
  const applied = await dns.apply(request);
  deepEqual(applied.steps, plan);
  deepEqual(applied.upstreams.map(formatEndpoint), ["10.99.0.53:53"]);
  deepEqual(applied.warnings, []);
  watch = dns.watch((change) => changes.push(change), end.signal);
});

await check("a name of the zone comes to us, with the port", async () => {
  equal(await lookup(APP), OURS);
  equal(await ask("127.0.0.53", 53, APP), OURS);
});

await check("other names go to the provider and never to us", async () => {
  equal(await lookup("www.public.test"), "198.51.100.53");
  const { text } = await run("resolvectl", "query", "www.public.test");
  match(text, /link: wan0/);
  deepEqual(await askedUs("www.public.test"), []);
  equal((await askedUs(APP)).length > 0, true);
});

await check("the settings on the link are what a split resolver needs", async () => {
  const { text } = await run("resolvectl", "status", LINK);
  match(text, /-DefaultRoute/);
  match(text, /-LLMNR/);
  match(text, /-mDNS/);
  match(text, /-DNSOverTLS/);
  match(text, /DNSSEC=no/);
  match(text, /127\.0\.0\.1:5300/);
  match(text, /DNS Domain: ~corp\.example\.com/);
});

await check("another upstream is told", async () => {
  await run("resolvectl", "dns", "wan0", "10.99.0.54");
  await until(
    "an upstreams change",
    () =>
      changes.some((change) =>
        change.kind === "upstreams" &&
        change.upstreams.map(formatEndpoint).join() === "10.99.0.54:53"
      ),
  );
  equal(await lookup("www.public.test"), "198.51.100.54");
});

await check("settings that someone reverts come back", async () => {
  changes.length = 0;
  await run("resolvectl", "revert", LINK);
  await until("a reapply", () => changes.some((change) => change.kind === "reapplied"));
  equal(await lookup(APP), OURS);
});

await check("a restart of resolved is survived", async () => {
  changes.length = 0;
  await resolved.stop("SIGKILL");
  await Deno.remove("/run/systemd/resolve/netif", { recursive: true }).catch(() => {});
  await until("a warning", () => changes.some((change) => change.kind === "warning"));
  resolved = await startResolved();
  await until("a reapply", () => changes.some((change) => change.kind === "reapplied"));
  await run("resolvectl", "dns", "wan0", "10.99.0.53");
  equal(await lookup(APP), OURS);
});

await check("a zone that another link claims is warned of", async () => {
  await run("resolvectl", "domain", "wan0", "~corp.example.com", "~.");
  const { warnings } = await dns.apply(requestFor(tun.ifindex));
  match(warnings.join(), /claimed by interface \d+ as well/);
  await run("resolvectl", "domain", "wan0", "~.");
});

await check("global DNSSEC=yes and DNSOverTLS=yes do not reach our zone", async () => {
  await Deno.mkdir("/etc/systemd/resolved.conf.d", { recursive: true });
  await Deno.writeTextFile(
    "/etc/systemd/resolved.conf.d/strict.conf",
    "[Resolve]\nDNSSEC=yes\nDNSOverTLS=yes\n",
  );
  await restart();
  equal(await lookup(APP), OURS);
  await Deno.remove("/etc/systemd/resolved.conf.d/strict.conf");
  await restart();
});

await check("as many zones as are ever claimed are taken, and then as many others", async () => {
  for (const letter of ["a", "b"]) {
    const zones = [
      "corp.example.com",
      ...Array.from({ length: MAX_ZONES - 1 }, (_, n) => `${letter}${n}.example.com`),
      ...claimedReverseZones(["10.64.0.0/10", "172.16.0.0/14"].map(parsePrefix)),
    ];
    await dns.apply({ ...requestFor(tun.ifindex), zones });
    equal(await lookup(APP), OURS);
    const { text } = await run("resolvectl", "domain", LINK);
    equal(text.includes(`~${letter}${MAX_ZONES - 2}.example.com`), true);
    equal(text.includes("~127.10.in-addr.arpa"), true);
  }
  await dns.apply(requestFor(tun.ifindex));
});

await check("revert leaves nothing on the link", async () => {
  end.abort();
  await watch;
  match((await dns.revert()).join(), /RevertLink/);
  equal((await run("resolvectl", "domain", LINK)).text.trim(), `Link ${tun.ifindex} (${LINK}):`);
  equal((await run("resolvectl", "dns", LINK)).text.trim(), `Link ${tun.ifindex} (${LINK}):`);
  equal(await lookup(APP), LEAK);
});

await check("with the link every setting is gone", async () => {
  await dns.apply(requestFor(tun.ifindex));
  equal(await lookup(APP), OURS);
  sockets.close(tun.fd);
  await until("the zone forgotten", async () => await lookup(APP) === LEAK);
  deepEqual(await dns.revert(), ["resolve1 RevertLink vnet0"]);
});

await check("a link that networkd manages is set through networkd", async () => {
  await Deno.mkdir("/etc/systemd/network", { recursive: true });
  await Deno.writeTextFile(
    "/etc/systemd/network/zz-everything.network",
    "[Match]\nName=vnet*\n[Network]\nKeepConfiguration=static\n",
  );
  await Deno.mkdir("/run/systemd/netif", { recursive: true });
  await run("chown", "-R", "systemd-network:systemd-network", "/run/systemd/netif");
  start("/lib/systemd/systemd-networkd", []);
  await until("systemd-networkd", () => hasOwner("org.freedesktop.network1"));
  tun = await openLink();
  await until("networkd managing the link", async () => {
    const { text } = await run("networkctl", "list", "--no-legend", LINK);
    return /configured|configuring|degraded/.test(text);
  });
  const { ifindex } = tun;
  const manager = "org.freedesktop.resolve1.Manager";
  const object = ["org.freedesktop.resolve1", "/org/freedesktop/resolve1", manager];
  const busy = await run("busctl", "call", ...object, "SetLinkLLMNR", "is", String(ifindex), "no");
  match(busy.text, /managed/);
  await dns.apply(requestFor(ifindex));
  await until("the zone with us", async () => await lookup(APP) === OURS);
  await dns.revert();
  await until("the zone with the provider", async () => await lookup(APP) === LEAK);
});

await dns.close();
Deno.exit(0);

async function openLink(): Promise<{ fd: number; ifindex: number }> {
  const { fd, ifindex } = links.openTun({ name: LINK, vnetHeader: false });
  await run("ip", "address", "add", "100.64.0.1/24", "dev", LINK);
  await run("ip", "link", "set", LINK, "up");
  return { fd, ifindex };
}

function requestFor(ifindex: number): OsDnsRequest {
  const server = parseEndpoint("127.0.0.1:5300");
  return { link: LINK, ifindex, server, zones: ["corp.example.com"], mode: "auto" };
}

async function restart(): Promise<void> {
  changes.length = 0;
  await resolved.stop();
  resolved = await startResolved();
  await until("a reapply", () => changes.some((change) => change.kind === "reapplied"));
}

async function setHosts(sources: string): Promise<void> {
  const text = await Deno.readTextFile("/etc/nsswitch.conf");
  await Deno.writeTextFile("/etc/nsswitch.conf", text.replace(/^hosts:.*$/m, `hosts: ${sources}`));
}
