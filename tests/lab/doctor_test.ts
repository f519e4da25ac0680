/** `vnet doctor` finds what is wrong on a real host, says why, and repairs what a killed vnet left. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { Host } from "./host.ts";
import { story } from "./needs.ts";
import { installPacked } from "./packed.ts";
import { killQuietly, type Outcome } from "./process.ts";
import { say } from "./say.ts";
import { hold } from "./tools.ts";
import { Vnet } from "./vnet.ts";
import { until } from "./wait.ts";
import { World } from "./world.ts";

/** What a whole report may take, whatever hangs. */
const WITHIN_MS = 3_000;

/** What `vnet doctor --format json` says, as far as the stories look. */
interface Report {
  readonly schema: string;
  readonly duration_ms: number;
  readonly summary: { readonly ok: number; readonly warn: number; readonly fail: number };
  readonly checks: readonly {
    readonly id: string;
    readonly status: "ok" | "warn" | "fail" | "skip";
    readonly summary: string;
    readonly blocked_by?: string;
    readonly cause?: string;
    readonly evidence: readonly { readonly label: string; readonly text: string }[];
    readonly fix?: { readonly text: string; readonly automatic: boolean };
  }[];
}

const UID = 12_345;
const ZONES = ["company.test", "vnet.example.com"];

story("doctor: finds what is wrong while vnet is up", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client, vnet } = world;
  const name = "web.vnet.example.com";

  await step("without a login it says so, once", async () => {
    const report = await examine(world, [], 1);
    deepEqual(failed(report), ["auth.profile"]);
    ok(report.checks.filter(({ blocked_by }) => blocked_by === "auth.profile").length > 10);
  });

  await world.login();
  await step("with vnet down it says what up would do, and nothing fails", async () => {
    const report = await examine(world, [], 0);
    equal(find(report, "daemon.alive").status, "warn");
    equal(find(report, "addr.conflict").status, "skip"); // Nothing is known of the cluster yet.
    match(find(report, "dns.mode").summary, /^direct, when vnet comes up/);
    equal(find(report, "tun.link").blocked_by, "daemon.alive");
    equal((await vnet.run(["doctor", "--strict"], { expect: [3] })).code, 3);
  });

  await world.up();
  await step("on a healthy host nothing fails", async () => {
    await show(world);
    const report = await examine(world, [], 0);
    deepEqual(failed(report), []);
    equal(report.summary.warn, 0);
    for (const zone of ZONES) equal(find(report, `dns.zone.${zone}`).summary, "reaches vnet");
    equal(find(report, "helper.guard").status, "ok");
    equal(find(report, "route.effective").summary, "through vnet0");
  });

  await step("the way to an app is walked to its end", async () => {
    const report = await examine(world, ["--name", `${name}:80`, "--only", "name"], 0);
    deepEqual(statuses(report), {
      "name.verdict": "ok",
      "name.address": "ok",
      "name.port": "ok",
      "name.route": "ok",
      "name.refusals": "ok",
    });
    const closed = await examine(world, ["--name", `${name}:81`, "--only", "name"], 1);
    deepEqual(failed(closed), ["name.port"]);
    const unknown = await examine(world, ["--name", "nothing.company.test", "--only", "name"], 1);
    deepEqual(failed(unknown), ["name.verdict"]);
    await vnet.run(["doctor", "--name", "dead.vnet.example.com:80"]);
    await client.run(["curl", "-sS", "http://dead.vnet.example.com/"], { expect: [7] });
    const refused = ["--name", "dead.vnet.example.com:80", "--only", "name.refusals"];
    match(find(await examine(world, refused, 0), "name.refusals").summary, /refused lately/);
  });

  await step("a route into the range is a conflict, and a free range is computed", async () => {
    await client.run(["ip", "route", "add", "100.100.7.0/24", "dev", "eth0"]);
    await show(world, "--only", "addr,route");
    const report = await examine(world, [], 1);
    deepEqual(failed(report), ["addr.conflict"]);
    equal(evidence(report, "addr.conflict")[0], "100.100.7.0/24 on eth0");
    match(find(report, "addr.conflict").fix!.text, /^sudo vnet restart --cidr 100\.64\.0\.0\/1\d$/);
    await client.run(["ip", "route", "del", "100.100.7.0/24", "dev", "eth0"]);
  });

  await step("a policy rule that takes the range is found", async () => {
    await client.script(`
      ip route add default via 192.168.77.1 table 99
      ip rule add to 100.100.0.0/16 lookup 99 priority 100
    `);
    const report = await examine(world, [], 1);
    deepEqual(failed(report), ["route.effective"]);
    await client.script(`
      ip rule del to 100.100.0.0/16 lookup 99 priority 100
      ip route flush table 99
    `);
  });

  await step("a removed route is found", async () => {
    await client.run(["ip", "route", "del", "100.100.0.0/16", "dev", "vnet0"]);
    const report = await examine(world, ["--only", "route"], "any");
    // The helper may have put it back already.
    if (failed(report).length > 0) deepEqual(failed(report), ["route.range"]);
    await vnet.run(["restart"]);
    deepEqual(failed(await examine(world, [], 0)), []);
  });

  await step(
    "a program that insists on its own resolv.conf is found, and hides the zones",
    async () => {
      await client.script(`
      i=0; while [ $i -lt 400 ]; do printf '# Generated by dhclient\\nnameserver 203.0.113.53\\n' >/etc/resolv.conf.lab; mv /etc/resolv.conf.lab /etc/resolv.conf; sleep 0.01; i=$((i+1)); done
    `);
      await show(world);
      const report = await examine(world, [], 1);
      deepEqual(failed(report), ["dns.trample"]);
      for (const zone of ZONES) equal(find(report, `dns.zone.${zone}`).blocked_by, "dns.trample");
      await vnet.run(["restart"]);
      deepEqual(failed(await examine(world, [], 0)), []);
    },
  );

  await step("a dead proxy is found in time, and the names still resolve", async () => {
    await world.cluster.server.stop();
    const report = await examine(world, [], 1);
    deepEqual(failed(report), ["net.proxy.vnet.example.com"]);
    equal(find(report, "dns.zone.vnet.example.com").status, "ok");
    await world.proxy.run(["ip", "link", "set", "eth0", "down"]);
    deepEqual(failed(await examine(world, [], 1)), ["net.proxy.vnet.example.com"]);
    await show(world);
  });

  await step("a resolver that is gone is found in time", async () => {
    await world.resolver.run(["ip", "link", "set", "eth0", "down"]);
    const found = failed(await examine(world, [], 1));
    ok(found.includes("dns.upstream"), found.join(", "));
  });
});

story("doctor: finds and repairs what a killed vnet left", async (step, lab) => {
  const world = await World.open(lab, "sockets");
  const { client, vnet } = world;
  const before = await client.output(["cat", "/etc/resolv.conf"]);
  await world.up();

  await step("a killed daemon is found", async () => {
    kill(client, "daemon");
    await until("the helper is gone", 5_000, () => client.processes().length === 0);
    await show(world);
    const report = await examine(world, [], 1);
    deepEqual(failed(report), ["daemon.alive"]);
    match(find(report, "daemon.alive").summary, /not up any more/);
  });

  await step("after a killed helper the guard has repaired everything", async () => {
    await vnet.run(["up", "--detach"]);
    kill(client, "helper");
    await until("vnet and its guard ended", 10_000, () => client.processes().length === 0);
    const report = await examine(world, [], 1);
    match(find(report, "daemon.alive").summary, /ended by itself/);
    equal(find(report, "leftover.dns").summary, "none");
    equal(find(report, "dns.zone").blocked_by, "daemon.alive");
  });

  await step("leftovers are found, and --fix leaves the host as it was", async () => {
    await vnet.run(["up", "--detach"]);
    const idle = await hold(client, "sockets.vnet.example.com", 7003, "idle");
    const parts = ["vnet-guard", "helper", "daemon"];
    for (const part of parts) kill(client, part, "SIGSTOP"); // Nobody notices the others' end.
    for (const part of parts) kill(client, part);
    await until("nothing of vnet runs", 5_000, () => named(client, "daemon").length === 0);
    match(await client.output(["cat", "/etc/resolv.conf"]), /^# BEGIN vnet/);
    await show(world);
    const report = await examine(world, [], 1);
    deepEqual(failed(report), ["leftover.dns", "leftover.connections", "daemon.alive"]);
    equal(find(report, "net.proxy.vnet.example.com").blocked_by, "leftover.dns");
    equal(find(report, "addr.conflict").status, "ok");
    equal(find(report, "leftover.dns").fix?.automatic, true);
    const fixed = await vnet.run(["doctor", "--fix"]);
    say(fixed.stderr.trimEnd());
    match(fixed.stderr, /^Repaired: restored \/etc\/resolv\.conf/m);
    match(fixed.stderr, /^Repaired: ended 1 connection/m);
    await idle.line(/^ended /, 1_000);
    equal(await client.output(["cat", "/etc/resolv.conf"]), before);
    const after = await examine(world, [], 0);
    deepEqual(failed(after), []);
    equal(find(after, "leftover.dns").summary, "none");
    match((await vnet.run(["doctor", "--fix"])).stderr, /^Nothing to repair$/m);
  });

  await step("vnet comes up again, and nothing is wrong", async () => {
    await vnet.run(["up", "--detach"]);
    deepEqual(failed(await examine(world, [], 0)), []);
  });
});

story("doctor: works for a user without root", async (step, lab) => {
  const world = await World.open(lab);
  const { client } = world;
  await client.script(`
    useradd --create-home --home-dir /home/alice --uid ${UID} --shell /bin/sh alice
    useradd --create-home --home-dir /home/bob --shell /bin/sh bob
    install -d -o alice -g alice -m 700 /run/user/${UID}
  `);
  const command = await installPacked(client);
  const env = { HOME: "/home/alice", USER: "alice", XDG_RUNTIME_DIR: `/run/user/${UID}` };
  const alice = new Vnet(client, { command, user: "alice", env });
  const sudo = new Vnet(client, {
    command,
    env: { SUDO_UID: `${UID}`, SUDO_GID: `${UID}`, SUDO_USER: "alice", USER: "root" },
  });
  await world.login(alice);
  await sudo.run(["up", "--detach"]);

  await step("the owner sees a healthy host", async () => {
    const report = await examine({ vnet: alice }, [], 0);
    deepEqual(failed(report), []);
    equal(report.summary.warn, 0);
    for (const zone of ZONES) equal(find(report, `dns.zone.${zone}`).summary, "reaches vnet");
    equal(find(report, "leftover.dns").summary, "none: a running vnet will undo what it did");
  });

  await step("sudo acts for the same user", async () => {
    deepEqual(failed(await examine({ vnet: sudo }, [], 0)), []);
  });

  await step("another user is told to log in", async () => {
    const bob = new Vnet(client, { command, user: "bob", env: { HOME: "/home/bob" } });
    const report = await examine({ vnet: bob }, [], 1);
    deepEqual(failed(report), ["auth.profile"]);
    equal(find(report, "leftover.dns").status, "ok");
  });

  await step("a key that others can read is found", async () => {
    await client.script("chmod 644 /home/alice/.config/vnet/profiles/*.json");
    deepEqual(failed(await examine({ vnet: alice }, [], 1)), ["auth.files"]);
    await client.script("chmod 600 /home/alice/.config/vnet/profiles/*.json");
  });

  await step("what needs root is said to need root", async () => {
    for (const signal of ["SIGSTOP", "SIGKILL"] as const) {
      for (const part of ["vnet-guard", "helper", "daemon"]) kill(client, part, signal);
    }
    await until("nothing of vnet runs", 5_000, () => named(client, "daemon").length === 0);
    const refused = await alice.run(["doctor", "--fix"], { expect: [1] });
    match(refused.stderr, /^Not repaired: cannot repair this machine's DNS: this needs root$/m);
    match((await sudo.run(["doctor", "--fix"])).stderr, /^Repaired: /m);
  });
});

/** Examines the client host; the report must come in time, whatever it says. */
async function examine(
  { vnet }: { readonly vnet: Vnet },
  args: readonly string[],
  code: number | "any",
): Promise<Report> {
  const expect = code === "any" ? "any" : [0, 1];
  const ran: Outcome = await vnet.run(["doctor", ...args, "--format", "json"], { expect });
  const report = JSON.parse(ran.stdout) as Report;
  for (const { id, status, summary } of report.checks) {
    if (status === "fail" || status === "warn") say(`  ${status} ${id}: ${summary}`);
  }
  equal(report.schema, "vnet.doctor/1");
  ok(report.duration_ms < WITHIN_MS, `It took ${report.duration_ms} ms`);
  if (code !== "any") equal(ran.code, code);
  return report;
}

/** Shows the report as a person sees it. */
async function show({ vnet }: World, ...args: string[]): Promise<void> {
  const { stdout } = await vnet.run(["doctor", ...args], { expect: [0, 1] });
  say(stdout.trimEnd());
}

function find(report: Report, id: string): Report["checks"][number] {
  const found = report.checks.find((check) => check.id === id);
  if (found === undefined) throw new Error(`There is no check ${id}`);
  return found;
}

function failed(report: Report): string[] {
  return report.checks.filter(({ status }) => status === "fail").map(({ id }) => id);
}

function statuses(report: Report): Record<string, string> {
  return Object.fromEntries(report.checks.map(({ id, status }) => [id, status]));
}

function evidence(report: Report, id: string): string[] {
  return find(report, id).evidence.map(({ text }) => text);
}

function named(client: Host, part: string) {
  return client.processes().filter(({ command }) => command.includes(part));
}

/** Kills a process of vnet on the client host, as nobody expects it. */
function kill(client: Host, part: string, signal: Deno.Signal = "SIGKILL"): void {
  const found = named(client, part);
  say(`client# kill -${signal.slice(3)} ${found.map(({ pid }) => pid).join(" ")}   # ${part}`);
  for (const { pid } of found) killQuietly(pid, signal);
}
