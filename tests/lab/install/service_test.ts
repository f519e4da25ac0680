/** The service under a real systemd: `vnet up` without sudo, from boot, and nothing left behind. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import type { Host } from "../host/host.ts";
import { HOST_KINDS, HOST_PACKAGES } from "../host/kinds.ts";
import { fetchPackages } from "../host/packages.ts";
import { killQuietly } from "../host/process.ts";
import { story } from "../host/needs.ts";
import { say } from "../host/say.ts";
import { buildPacked } from "../world/packed.ts";
import { lackingSystemd, Systemd } from "../host/systemd.ts";
import { filesBelow } from "../check/traces.ts";
import { type Status, Vnet } from "../world/vnet.ts";
import { until } from "../host/wait.ts";
import { World } from "../world/world.ts";

const LACKING = lackingSystemd();
const unfetched = await fetchPackages(...HOST_PACKAGES);
const PROGRAM = "/opt/vnet/bin/vnet";
const UIDS = { alice: 12_345, bob: 12_346 } as const;
const CURL = ["curl", "-sS", "--max-time", "5", "http://web.vnet.example.com/"];
const CAPABILITIES = (1n << 0n) | (1n << 10n) | (1n << 12n) | (1n << 13n); // chown, net bind, admin, raw

type User = keyof typeof UIDS;

/** A client host with two users, systemd, and vnet where a package would put it. */
async function prepare(world: World, bus?: "own" | "other"): Promise<Systemd> {
  for (const [name, uid] of Object.entries(UIDS)) {
    await world.client.script(`
      useradd --create-home --home-dir /home/${name} --uid ${uid} --shell /bin/sh ${name}
      install -d -o ${name} -g ${name} -m 700 /run/user/${uid}
    `);
  }
  await world.client.script(`
    mount -t tmpfs -o mode=755 opt /opt
    install -D -m 755 ${await buildPacked()} ${PROGRAM}
  `);
  return await Systemd.boot(world.client, world.lab.log("systemd"), bus);
}

function vnetOf(host: Host, user: User): Vnet {
  const home = `/home/${user}`;
  const env = { HOME: home, USER: user, XDG_RUNTIME_DIR: `/run/user/${UIDS[user]}` };
  return new Vnet(host, { command: [PROGRAM], user, env });
}

/** The processes of vnet by what they are, as the whole machine counts them. */
function pidsOf(systemd: Systemd, part: "daemon" | "helper"): number[] {
  return systemd.host.processes()
    .filter(({ command }) => command[0] === PROGRAM && command[1] === part)
    .map(({ pid }) => pid);
}

/** The one process of vnet that is this. */
function onePid(systemd: Systemd, part: "daemon" | "helper"): number {
  const [pid, ...others] = pidsOf(systemd, part);
  ok(pid !== undefined && others.length === 0, `not one ${part}: ${pid} ${others}`);
  return pid;
}

function factsOf(pid: number): (key: string) => string {
  const text = Deno.readTextFileSync(`/proc/${pid}/status`);
  return (key) => new RegExp(`^${key}:\\s*(.*)$`, "m").exec(text)?.[1] ?? "";
}

/** What the helper and systemd have to say of it but that it came and went. */
async function complaints(systemd: Systemd): Promise<string[]> {
  const said = (await systemd.journal("vnet-helper@*")).split("\n");
  return said.filter((line) => !/^(Starting|Started|Stopped|Deactivated) /.test(line));
}

const resolvConf = (host: Host) => host.output(["cat", "/etc/resolv.conf"], { quiet: true });

story("service: without sudo, for members of a group", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  await using systemd = await prepare(world);
  const { host } = systemd;
  const root = new Vnet(host, { command: [PROGRAM] });
  const [alice, bob] = [vnetOf(host, "alice"), vnetOf(host, "bob")];
  const before = await filesBelow(host, "/etc", "/var/lib", "/usr/lib/systemd");
  const resolver = await resolvConf(host);
  await world.login(alice);
  await world.login(bob);

  await step("without the service a user is told what to do", async () => {
    const { stderr } = await alice.run(["up", "--detach"], { expect: [5] });
    match(stderr, /\[not-permitted\]\nhint: .*sudo vnet service install/);
    equal((await root.run(["service", "status"], { expect: [5] })).code, 5);
  });

  await step("install says what it writes, and writes it once", async () => {
    match((await root.run(["service", "install"])).stderr, /^Wrote .*vnet-helper\.socket$/m);
    const again = (await root.run(["service", "install"])).stderr;
    equal(/Wrote|Made/.test(again), false, again);
    const refused = await alice.run(["service", "install"], { expect: [5] });
    match(refused.stderr, /\[not-permitted\]/);
    const status = await alice.json<{ ready: boolean }>(["service", "status"]);
    equal(status.ready, true);
  });

  await step("who is not in the group is refused", async () => {
    const { stderr } = await bob.run(["up", "--detach"], { expect: [5] });
    match(stderr, /\[helper-denied\]\nhint: .*usermod -aG vnet/);
  });

  await host.script("usermod -aG vnet alice");
  await step("a member brings vnet up, and it works", async () => {
    await alice.run(["up", "--detach"]);
    equal(await host.output(CURL, { user: "alice" }), "port 80");
    equal((await host.run(CURL, { user: "bob", expect: [7] })).code, 7);
    equal((await alice.json<Status>(["status"])).uid, UIDS.alice);
    await alice.run(["doctor", "--strict"], { expect: [0, 3] });
  });

  await step("the helper has what it needs and no more; the daemon has nothing", () => {
    const helper = onePid(systemd, "helper");
    const facts = factsOf(helper);
    match(Deno.readTextFileSync(`/proc/${helper}/mountinfo`), / \/ \/ ro[, ]/);
    deepEqual([facts("NoNewPrivs"), facts("Seccomp")], ["1", "2"]);
    equal(BigInt(`0x${facts("CapBnd")}`), CAPABILITIES);
    const daemon = factsOf(onePid(systemd, "daemon"));
    deepEqual([daemon("CapEff"), daemon("NoNewPrivs")], ["0000000000000000", "1"]);
  });

  await step("the kernel holds the helper's cgroup to its addresses and devices", async () => {
    const units = ["systemctl", "show", "--property=ControlGroup", "--value", "vnet-helper@*"];
    const group = await host.output(units);
    const inside = (command: string) =>
      host.run(["sh", "-c", `echo $$ >'/sys/fs/cgroup${group}/cgroup.procs' && ${command}`], {
        expect: "any",
      });
    const dial = "curl -sS --max-time 3 http://203.0.113.10:443/";
    const kmsg = ": </run/kmsg";
    await host.script("mknod /run/kmsg c 1 11");
    equal((await host.run(["sh", "-c", kmsg], { expect: "any" })).code, 0);
    notEqual((await inside(kmsg)).code, 0);
    equal((await host.run(["sh", "-c", dial], { expect: "any" })).code, 0);
    notEqual((await inside(dial)).code, 0);
    equal((await inside(": </dev/zero")).code, 0);
    await host.script("rm /run/kmsg");
  });

  await step("nothing the sandbox forbids was missed", async () => {
    deepEqual(await complaints(systemd), []);
  });

  await step("a second daemon of the same user is refused by the helper", async () => {
    const elsewhere = ["--home", "/home/alice/other"];
    await world.login(alice, ...elsewhere);
    const { stderr } = await alice.run([...elsewhere, "up", "--detach"], { expect: [1] });
    match(stderr, /\[already-up\]/);
  });

  for (const victims of [["helper"], ["daemon"], ["helper", "daemon"]] as const) {
    await step(`kill -9 of ${victims.join(" and ")}: all is back by itself`, async () => {
      await alice.run(["up", "--detach"]);
      notEqual(await resolvConf(host), resolver);
      const killedMs = performance.now();
      for (const part of victims) {
        for (const pid of pidsOf(systemd, part)) killQuietly(pid, "SIGKILL");
      }
      await until("resolv.conf is back", 5_000, async () => await resolvConf(host) === resolver);
      say(`resolv.conf is back after ${Math.round(performance.now() - killedMs)} ms`);
      await until("nothing runs", 5_000, () => {
        return pidsOf(systemd, "daemon").concat(pidsOf(systemd, "helper")).length === 0;
      });
      equal(await host.output(["sh", "-c", "ip -o link | grep -c vnet || :"]), "0");
    });
  }

  await step("restart and down need no sudo either", async () => {
    await alice.run(["up", "--detach"]);
    const { pid } = await alice.json<Status>(["status"]);
    await alice.run(["restart"]);
    notEqual((await alice.json<Status>(["status"])).pid, pid);
    equal(await host.output(CURL, { user: "alice" }), "port 80");
    await alice.run(["down"]);
    equal(await resolvConf(host), resolver);
  });

  await step("what root writes into helper.yaml holds", async () => {
    const cases: [yaml: string, mode: string, code: string][] = [
      ["version: v1\nzones: [other.test]\n", "644", "zone-forbidden"],
      ["version: v1\nzone: []\n", "644", "config-invalid"],
      ["version: v1\n", "666", "file-unreadable"],
    ];
    await host.script("mkdir -p /etc/vnet");
    for (const [yaml, mode, code] of cases) {
      await host.script(`cat >/etc/vnet/helper.yaml\nchmod ${mode} /etc/vnet/helper.yaml`, {
        stdin: yaml,
      });
      const { stderr } = await alice.run(["up", "--detach"], { expect: [1] });
      match(stderr, new RegExp(`\\[${code}\\]`));
    }
    await host.script("rm -r /etc/vnet");
  });

  await step("uninstall leaves what was edited, and else no trace", async () => {
    const file = "/etc/systemd/system/vnet-repair.service";
    await host.script(`cp -p ${file} /run/kept\necho '# mine' >>${file}`);
    match((await root.run(["service", "install"], { expect: [1] })).stderr, /service-file-foreign/);
    await host.script(`cp -p /run/kept ${file}`);
    await alice.run(["up", "--detach"]);
    await root.run(["service", "uninstall"]);
    equal(await resolvConf(host), resolver);
    deepEqual(pidsOf(systemd, "helper"), []);
    const backups = /^\/etc\/(group|gshadow|subuid|subgid)-? /; // groupadd and groupdel keep the version before
    const after = await filesBelow(host, "/etc", "/var/lib", "/usr/lib/systemd");
    const told = (files: readonly string[]) => files.filter((line) => !backups.test(line));
    deepEqual(told(after), told(before));
    equal(
      await host.output(["sh", "-c", "grep -c vnet /etc/group /etc/gshadow || :"]),
      "/etc/group:0\n/etc/gshadow:0",
    );
    await root.run(["service", "uninstall"]); // nothing to do is no error
  });
}, LACKING);

story("service: from boot", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  await using systemd = await prepare(world);
  const root = () => new Vnet(systemd.host, { command: [PROGRAM] });
  const alice = () => vnetOf(systemd.host, "alice");
  const resolver = await resolvConf(systemd.host);

  await step("before the first login the daemon waits for it", async () => {
    await root().run(["service", "install", "--user", "alice"]);
    await until("the daemon waits", 10_000, async () => {
      const status = await alice().json<Status>(["status"]).catch(() => null);
      return status?.state === "starting";
    }).catch(async (thrown) => {
      throw new Error(await systemd.journal("vnet@alice"), { cause: thrown });
    });
    await world.login(alice());
    await alice().run(["wait"]);
    equal(await systemd.host.output(CURL, { user: "alice" }), "port 80");
  });

  await step("the daemon sees of the home only its own folders", async () => {
    const pid = await systemd.mainPid("vnet@alice.service");
    const facts = factsOf(onePid(systemd, "daemon"));
    equal(facts("Uid").split("\t")[0], `${UIDS.alice}`);
    deepEqual([facts("CapBnd"), facts("Seccomp")], ["0000000000000000", "2"]);
    const seen = await systemd.host.output(["sh", "-c", `find /proc/${pid}/root/home -maxdepth 3`]);
    const names = seen.split("\n").map((line) => line.replace(/^.*\/root\/home\/?/, "")).sort();
    deepEqual(names, [
      "",
      "alice",
      "alice/.config",
      "alice/.config/vnet",
      "alice/.local",
      "alice/.local/state",
    ]);
  });

  await step("a daemon that is killed comes back by itself", async () => {
    const pid = await systemd.mainPid("vnet@alice.service");
    killQuietly(onePid(systemd, "daemon"), "SIGKILL");
    await until("another one is ready", 15_000, async () => {
      const status = await alice().json<Status>(["status"]).catch(() => null);
      return status !== null && status.state === "ready" && status.pid !== pid;
    });
    equal(await systemd.host.output(CURL, { user: "alice" }), "port 80");
  });

  await step("its user restarts it, and cannot give it other options", async () => {
    const { pid } = await alice().json<Status>(["status"]);
    await alice().run(["restart"]);
    notEqual((await alice().json<Status>(["status"])).pid, pid);
    ok(await systemd.mainPid("vnet@alice.service") > 0);
    const { stderr } = await alice().run(["restart", "--dns", "direct"], { expect: [2] });
    match(
      stderr,
      /^error: Cannot restart with --dns direct: a service runs this daemon \[usage\]$/m,
    );
    match(stderr, /^hint: Change it with `sudo systemctl edit vnet@alice`, or /m);
    await alice().run(["up", "--detach", "--dns", "direct"], { expect: [1] });
  });

  await step("a power failure is repaired at boot, and vnet is up again", async () => {
    notEqual(await resolvConf(systemd.host), resolver);
    await systemd.crash();
    notEqual(await resolvConf(world.client), resolver);
    await systemd.start();
    match(await systemd.journal("vnet-repair.service"), /Repaired/);
    await until("it is ready", 15_000, async () => {
      const status = await alice().json<Status>(["status"]).catch(() => null);
      return status?.state === "ready";
    });
    equal(await systemd.host.output(CURL, { user: "alice" }), "port 80");
  });

  await step("down lasts until the next start", async () => {
    await alice().run(["down"]);
    equal(await resolvConf(systemd.host), resolver);
    const unit = ["systemctl", "is-active", "vnet@alice.service"];
    equal((await systemd.host.run(unit, { expect: [3] })).stdout.trim(), "inactive");
  });

  await step("uninstall leaves no unit", async () => {
    await root().run(["service", "uninstall"]);
    const left =
      "find /etc/systemd /var/lib/vnet /run/vnet /run/vnet-daemon -name '*vnet*' 2>/dev/null || :";
    equal(await systemd.host.output(["sh", "-c", left]), "");
  });
}, LACKING);

story("service: polkit decides about those outside the group", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  // Its actions lie below /usr, which is the machine's.
  await world.client.script(`
    cp -a /usr/share/polkit-1 /run/polkit-1
    mount --bind /run/polkit-1 /usr/share/polkit-1
  `);
  await using systemd = await prepare(world);
  const { host } = systemd;
  const root = new Vnet(host, { command: [PROGRAM] });
  const [alice, bob] = [vnetOf(host, "alice"), vnetOf(host, "bob")];
  const actions = await filesBelow(host, "/usr/share/polkit-1");
  await world.login(alice);
  await world.login(bob);
  await root.run(["service", "install", "--polkit"]);

  await step("without a rule nobody is let in who gives no password", async () => {
    const { stderr } = await bob.run(["up", "--detach"], { expect: [5] });
    match(stderr, /\[helper-denied\]\nhint: .*polkit rule/);
  });

  await step("a member needs no rule", async () => {
    await host.script("usermod -aG vnet alice");
    await alice.run(["up", "--detach"]);
    await alice.run(["down"]);
  });

  await step("whom a rule lets in is let in", async () => {
    const rule = `polkit.addRule(function (action, subject) {
      if (action.id == "org.vnet.helper.use" && subject.user == "bob") return polkit.Result.YES;
    });`;
    await host.script("cat >/etc/polkit-1/rules.d/50-vnet.rules", { stdin: rule });
    await host.script("chmod 644 /etc/polkit-1/rules.d/50-vnet.rules");
    await until("polkit has read the rule", 10_000, async () => {
      return (await bob.run(["up", "--detach"], { expect: [0, 5], quiet: true })).code === 0;
    });
    equal(await host.output(CURL, { user: "bob" }), "port 80");
    await bob.run(["down"]);
  });

  await step("uninstall takes the action along", async () => {
    await root.run(["service", "uninstall"]);
    deepEqual(await filesBelow(host, "/usr/share/polkit-1"), actions);
  });
}, LACKING);

for (const { name, backend, prepare: prepareKind } of HOST_KINDS) {
  story(`service: the sandbox lets the helper do its work: ${name}`, async (step, lab) => {
    const world = await World.open(lab, "nginx");
    await prepareKind(lab, world.client);
    await using systemd = await prepare(world, "other");
    const { host } = systemd;
    const root = new Vnet(host, { command: [PROGRAM] });
    const alice = vnetOf(host, "alice");
    await world.login(alice);
    await root.run(["service", "install"]);
    await host.script("usermod -aG vnet alice");
    const isPublic = async () => {
      const asked = ["getent", "ahostsv4", "www.example.com"];
      return (await host.run(asked, { expect: "any", quiet: true })).code === 0;
    };

    await step("names and connections work", async () => {
      await alice.run(["up", "--detach"]);
      equal((await alice.json<Status>(["status"])).dns?.backend, backend);
      equal(await host.output(CURL, { user: "alice" }), "port 80");
      ok(await isPublic());
      deepEqual(await complaints(systemd), []);
    });

    await step("kill -9 of the helper costs the host no name", async () => {
      killQuietly(onePid(systemd, "helper"), "SIGKILL");
      await until("the daemon has ended", 10_000, () => pidsOf(systemd, "daemon").length === 0);
      await until("public names resolve", 5_000, isPublic);
      const left =
        "cat /etc/resolv.conf; ls /var/lib/vnet /etc/NetworkManager/dnsmasq.d 2>/dev/null || :";
      equal(/127\.0\.53|journal|zz-vnet/.test(await host.output(["sh", "-c", left])), false);
      await alice.run(["up", "--detach"]);
      equal(await host.output(CURL, { user: "alice" }), "port 80");
      await alice.run(["down"]);
      ok(await isPublic());
    });
  }, LACKING ?? unfetched);
}
