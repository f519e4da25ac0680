/**
 * A host whose DNS NetworkManager looks after: by a dnsmasq of its own, or by writing resolv.conf itself.
 *
 * @module
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { formatEndpoint, parseEndpoint } from "../../../lib/ip/mod.ts";
import {
  type Change,
  OsDns,
  type OsDnsRequest,
  serverNeedsPort53,
} from "../../../lib/os/linux/dns/mod.ts";
import {
  askedUs,
  check,
  lookup,
  picture,
  run,
  startBus,
  startNetworkManager,
  startProvider,
  startServer,
  until,
} from "./host.ts";

const APP = "app.corp.example.com";
const OURS = "100.64.0.10";
const [mode = "dnsmasq"] = Deno.args;
const backend = mode === "dnsmasq" ? "nm-dnsmasq" : "direct";
const server = serverNeedsPort53(backend) ? "127.0.53.1:53" : "127.0.0.1:5300";
const REQUEST: OsDnsRequest = {
  link: "vnet0",
  ifindex: 1,
  server: parseEndpoint(server),
  zones: ["corp.example.com"],
  mode: "auto",
};

await Deno.writeTextFile("/etc/nsswitch.conf", "hosts: files dns\n");
await Deno.remove("/etc/resolv.conf").catch(() => {});
await startProvider();
const [host = "", port = ""] = server.split(":");
await startServer(host, Number(port));
await startBus();
await startNetworkManager(mode);

const dns = await OsDns.open({ journalDir: "/var/lib/vnet" });
const before = await dnsFiles();
const changes: Change[] = [];
const end = new AbortController();
let watch: Promise<void> = Promise.resolve();

await check("the host resolves with NetworkManager's connection", async () => {
  await until("a public name", async () => await lookup("www.public.test") === "198.51.100.53");
});

await check(`detection finds ${backend}`, async () => {
  const choice = await dns.detect("auto");
  equal(choice.backend, backend, choice.why.join("; "));
  match(choice.why.join("; "), /NetworkManager/);
});

await check("apply does what the plan says, and names the connection's resolver", async () => {
  const plan = await dns.plan(REQUEST);
  const applied = await dns.apply(REQUEST);
  deepEqual(applied.steps, plan);
  deepEqual(applied.upstreams.map(formatEndpoint), ["10.99.0.53:53"]);
  deepEqual(applied.search, ["corp.lan"]);
  watch = dns.watch((change) => changes.push(change), end.signal);
});

await check("our zone comes to us, other names resolve", async () => {
  await until("our zone", async () => await lookup(APP) === OURS);
  equal(await lookup("www.public.test"), "198.51.100.53");
  equal((await askedUs("www.public.test")).length > 0, backend === "direct");
});

await check("another connection changes the upstreams and not our zone", async () => {
  await run("nmcli", "connection", "modify", "wan", "ipv4.dns", "10.99.0.54");
  await run("nmcli", "device", "reapply", "wan0");
  await until(
    "other upstreams",
    () =>
      changes.some((change) =>
        change.kind === "upstreams" &&
        change.upstreams.map(formatEndpoint).join() === "10.99.0.54:53"
      ),
  );
  await until("our zone", async () => await lookup(APP) === OURS);
  await run("nmcli", "connection", "modify", "wan", "ipv4.dns", "10.99.0.53");
  await run("nmcli", "device", "reapply", "wan0");
  await until("the old upstreams", () => {
    const last = changes.findLast((change) => change.kind === "upstreams");
    return last?.kind === "upstreams" &&
      last.upstreams.map(formatEndpoint).join() === "10.99.0.53:53";
  });
});

await check("revert leaves the DNS files as they were", async () => {
  end.abort();
  await watch;
  await dns.revert();
  await until("a public name", async () => await lookup("www.public.test") === "198.51.100.53");
  equal(await lookup(APP), "203.0.113.99");
  equal(await dnsFiles(), before);
});

await dns.close();
Deno.exit(0);

/** What vnet may touch here; NetworkManager itself writes its connections beside it. */
async function dnsFiles(): Promise<string> {
  return await picture("/etc/NetworkManager/dnsmasq.d") +
    await Deno.readTextFile("/etc/resolv.conf");
}
