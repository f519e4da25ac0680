/** `vnet restart` brings vnet up as `up` was told to; whatever else is wished is said, before anything happens. */
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import type { Host } from "../host/host.ts";
import { killQuietly } from "../host/process.ts";
import { story } from "../host/needs.ts";
import { installPacked } from "../world/packed.ts";
import { addPerson } from "../world/people.ts";
import { until } from "../host/wait.ts";
import { type Status, Vnet } from "../world/vnet.ts";
import { World } from "../world/world.ts";

/** What the options of `up` come to. */
interface Seen {
  readonly range: string | undefined;
  readonly link: string;
  readonly sharedWith: "all" | readonly number[];
  readonly containers: string;
}

interface StatusWithAccess extends Status {
  readonly access: {
    readonly shared_with: "all" | readonly number[];
    readonly containers: string;
  };
}

const RANGE = "100.96.0.0/16";
const ADDRESS = /^100\.96\./;
const SETTINGS = "/home/alice/.local/state/vnet/settings.json";
const WEB = "web.vnet.example.com";

async function look(vnet: Vnet): Promise<Seen & { readonly pid: number }> {
  const { pid, link, access } = await vnet.json<StatusWithAccess>(["status"]);
  return {
    pid,
    range: link?.ranges[0],
    link: link?.name ?? "",
    sharedWith: access.shared_with,
    containers: access.containers,
  };
}

story("restart: keeps what up was told", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client } = world;
  const command = await installPacked(client);
  const alice = await addPerson(client, "alice", 12_345, command);
  const bob = await addPerson(client, "bob", 12_346, command);
  const carol = await addPerson(client, "carol", 12_347, command);
  await client.script("groupadd --gid 5000 dev && usermod -aG dev bob");
  await world.login(alice.vnet);
  const web = ["curl", "-sS", "--max-time", "10", `http://${WEB}/`];
  const told: Seen = { range: RANGE, link: "vnet7", sharedWith: [12_346], containers: "deny" };
  const check = async (want: Seen) => {
    const { pid, ...seen } = await look(alice.vnet);
    deepEqual(seen, want);
    return pid;
  };

  await step("a bad range is said on the terminal, and nothing is started", async () => {
    const bad = ["--cidr", "10.0.0.1/24"];
    for (const args of [["up"], ["up", "--detach"], ["up", "--dry-run"], ["restart"]]) {
      const { stderr } = await alice.sudo.run([...args, ...bad], { expect: [2] });
      match(stderr, /^error: .*"10\.0\.0\.1\/24": host bits are set.* \[usage\]\nhint: Use /m);
    }
    const { stderr } = await alice.sudo.run(["up", "--share", "group:nobodies"], { expect: [2] });
    match(stderr, /"group:nobodies": not found/);
    await alice.vnet.run(["status"], { expect: [5] });
  });

  let pid = 0;
  await step("up is told a range, a device and whom to share with", async () => {
    const args = ["--cidr", RANGE, "--link", "vnet7", "--share", "group:dev"];
    await alice.sudo.run(["up", "--detach", ...args]);
    pid = await check(told);
    match(await world.address(WEB, 4), ADDRESS);
    equal(await client.output(web, { user: bob.name }), "port 80");
    equal(await client.output(["stat", "-c", "%U %a", SETTINGS]), "alice 600");
  });

  await step("up again is no error, and with other options says which", async () => {
    match((await alice.sudo.run(["up"])).stderr, /vnet is up already/);
    match((await alice.sudo.run(["up", "--cidr", RANGE])).stderr, /vnet is up already/);
    const { stderr } = await alice.sudo.run(["up", "--cidr", "10.99.0.0/24"], { expect: [1] });
    match(stderr, /^error: vnet is up already with --cidr 100\.96\.0\.0\/16 \[already-up\]$/m);
    match(stderr, /^hint: Run `sudo vnet restart --cidr 10\.99\.0\.0\/24` to change that$/m);
    equal(await check(told), pid);
  });

  await step("restart keeps all of it, and says so", async () => {
    const { stderr } = await alice.sudo.run(["restart"]);
    match(stderr, /^Keeping --cidr 100\.96\.0\.0\/16 --link vnet7 --share group:dev$/m);
    const next = await check(told);
    notEqual(next, pid);
    pid = next;
    equal(await client.output(web, { user: bob.name }), "port 80");
  });

  await step("a group is who is in it when vnet is restarted", async () => {
    await client.script("usermod -aG dev carol");
    await alice.sudo.run(["restart"]);
    pid = await check({ ...told, sharedWith: [12_346, 12_347] });
    equal(await client.output(web, { user: carol.name }), "port 80");
    await client.script("gpasswd -d carol dev");
  });

  await step("restart changes what it is told, and that alone", async () => {
    await alice.sudo.run(["restart", "--cidr", "10.99.0.0/24"]);
    pid = await check({ ...told, range: "10.99.0.0/24" });
    match(await world.address(WEB, 4), /^10\.99\.0\./);
    await alice.sudo.run(["restart", "--cidr", RANGE]);
    pid = await check(told);
  });

  await step("a restart that fails loses nothing", async () => {
    const unknown = ["restart", "--share", "user:nobody-at-all"];
    await alice.sudo.run(unknown, { expect: [2] });
    equal(await check(told), pid);
    await alice.sudo.run(["restart", "--cidr", "192.168.77.0/24"], { expect: [1] });
    await alice.vnet.run(["status"], { expect: [5] });
    await alice.sudo.run(["restart"]);
    pid = await check(told);
  });

  await step("restart after kill -9 keeps it, too", async () => {
    await killDaemon(client);
    const { stderr } = await alice.sudo.run(["restart"]);
    match(stderr, /^vnet was not up$/m);
    notEqual(await check(told), pid);
  });

  await step("down forgets it, also when a kill came before", async () => {
    const plain: Seen = {
      range: "100.100.0.0/16",
      link: "vnet0",
      sharedWith: [],
      containers: "deny",
    };
    await alice.vnet.run(["down"]);
    await client.run(["test", "!", "-e", SETTINGS]);
    await alice.sudo.run(["restart"]);
    await check(plain);
    await alice.sudo.run(["restart", "--link", "vnet3"]);
    await killDaemon(client);
    await alice.sudo.run(["down"]);
    await client.run(["test", "!", "-e", SETTINGS]);
    await alice.sudo.run(["restart"]);
    await check(plain);
    await alice.vnet.run(["down"]);
  });

  await step("closing the terminal of a foreground up brings vnet down", async () => {
    const up = alice.sudo.start(["up"], lab.log("foreground"));
    await until("vnet is up", 20_000, async () => {
      return (await alice.vnet.run(["status"], { expect: "any", quiet: true })).code === 0;
    });
    await alice.vnet.run(["wait"]);
    up.signal("SIGHUP");
    await until("vnet is down", 20_000, async () => {
      return (await alice.vnet.run(["status"], { expect: "any", quiet: true })).code === 5;
    });
    await client.run(["test", "!", "-e", "/sys/class/net/vnet0"]);
  });
});

async function killDaemon(client: Host): Promise<void> {
  const daemons = () => client.processes().filter(({ command }) => command.includes("daemon"));
  for (const { pid } of daemons()) killQuietly(pid, "SIGKILL");
  await until("the daemon is gone", 5_000, () => daemons().length === 0);
}
