/**
 * A host whose resolv.conf is written by a program named resolvconf: openresolv's, or Debian's.
 *
 * @module
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { formatEndpoint, parseEndpoint } from "../../../lib/ip/mod.ts";
import { type Change, OsDns, type OsDnsRequest, repair } from "../../../lib/os/linux/dns/mod.ts";
import { check, lookup, run, startProvider, startServer, until } from "./host.ts";

const APP = "app.corp.example.com";
const OURS = "100.64.0.10";
const JOURNAL = "/var/lib/vnet";
const REQUEST: OsDnsRequest = {
  link: "vnet0",
  ifindex: 1,
  server: parseEndpoint("127.0.53.1:53"),
  zones: ["corp.example.com"],
  mode: "auto",
};

const [flavour = "openresolv"] = Deno.args;
const backend = flavour === "openresolv" ? "openresolv" : "debian-resolvconf";

await Deno.writeTextFile("/etc/nsswitch.conf", "hosts: files dns\n");
await startProvider();
await startServer("127.0.53.1", 53);
if (flavour === "openresolv") {
  await Deno.remove("/etc/resolv.conf").catch(() => {});
} else {
  await run("resolvconf", "--create-runtime-directories");
  await run("resolvconf", "--enable-updates");
  await Deno.remove("/etc/resolv.conf").catch(() => {});
  await Deno.symlink("/run/resolvconf/resolv.conf", "/etc/resolv.conf");
}
await lease("wan0.dhcp", "nameserver 10.99.0.53\\nsearch corp.lan\\n");

const dns = await OsDns.open({ journalDir: JOURNAL });
const before = await effective();
const changes: Change[] = [];
const end = new AbortController();
let watch: Promise<void> = Promise.resolve();

await check("the host resolves with the provider's lease", async () => {
  equal(await lookup("www.public.test"), "198.51.100.53");
  match(before, /nameserver 10\.99\.0\.53/);
});

await check(`detection finds ${backend}`, async () => {
  const choice = await dns.detect("auto");
  equal(choice.backend, backend, choice.why.join("; "));
});

await check("apply makes ours the only server, and the lease's the upstream", async () => {
  const plan = await dns.plan(REQUEST);
  const applied = await dns.apply(REQUEST);
  deepEqual(applied.steps, plan);
  deepEqual(applied.upstreams.map(formatEndpoint), ["10.99.0.53:53"]);
  deepEqual(applied.search, ["corp.lan"]);
  equal(await effective(), "nameserver 127.0.53.1\nsearch corp.lan");
  watch = dns.watch((change) => changes.push(change), end.signal);
});

await check("our zone and other names resolve", async () => {
  equal(await lookup(APP), OURS);
  equal(await lookup("www.public.test"), "198.51.100.53");
});

await check("a renewed lease changes the upstreams and not the server", async () => {
  await lease("wan0.dhcp", "nameserver 10.99.0.54\\nsearch corp.lan\\n");
  await until(
    "other upstreams",
    () =>
      changes.some((change) =>
        change.kind === "upstreams" &&
        change.upstreams.map(formatEndpoint).join() === "10.99.0.54:53"
      ),
  );
  equal(await lookup(APP), OURS);
  await lease("wan0.dhcp", "nameserver 10.99.0.53\\nsearch corp.lan\\n");
});

await check("a record that someone deletes comes back", async () => {
  changes.length = 0;
  await run("resolvconf", "-d", flavour === "openresolv" ? "vnet0" : "tun-vnet.inet");
  await until("a reapply", () => changes.some((change) => change.kind === "reapplied"));
  equal(await lookup(APP), OURS);
});

await check("revert brings the lease's file back", async () => {
  end.abort();
  await watch;
  match((await dns.revert()).join(), /^resolvconf .*-d /);
  equal(await effective(), before);
});

await check("a kill -9 while up is repaired", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", new URL("./crash_up.ts", import.meta.url).pathname],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGKILL");
  await child.status;
  reader.releaseLock();
  await child.stdout.cancel();
  match(await effective(), /127\.0\.53\.1/);
  match((await repair(JOURNAL)).join(), /^resolvconf .*-d /);
  equal(await effective(), before);
  deepEqual(await repair(JOURNAL), []);
});

await dns.close();
Deno.exit(0);

/** Hands a lease to resolvconf, as a DHCP client does. */
async function lease(record: string, text: string): Promise<void> {
  await run("sh", "-c", `printf '${text}' | resolvconf -a ${record}`);
}

/** The lines a resolver reads, sorted: the two programs write them in different orders. */
async function effective(): Promise<string> {
  const lines = (await Deno.readTextFile("/etc/resolv.conf")).split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#")).sort().join("\n");
}
