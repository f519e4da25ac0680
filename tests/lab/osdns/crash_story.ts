/**
 * kill -9 before every act of going up and down, and of the repair after it: whatever looks after the host's DNS,
 * a repair leaves it as it was. Argument: the back end; then every how many acts.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import { repair } from "../../../lib/os/linux/dns/mod.ts";
import { KillSwitch } from "../world/kill_switch.ts";
import {
  check,
  lookup,
  picture,
  run,
  startBus,
  startNetworkManager,
  startProvider,
  startResolved,
  until,
} from "./host.ts";

const JOURNAL = "/var/lib/vnet";
const LIBRARY = "/run/kill_at.so";
const LEAK = "203.0.113.99";
const PUBLIC = "198.51.100.53";
const [backend = "", stride = "1"] = Deno.args;

/** Kills who starts it to add a record, and is late; goes on at once when somebody deletes. */
const SLOW = `#!/bin/sh
case " $* " in
  *" -a "*)
    input=$(cat)
    kill -9 $PPID
    until [ -e /run/repairing ]; do sleep 0.01; done
    i=0
    while [ $i -lt 10 ] && ! [ -e /run/deleted ]; do sleep 0.1; i=$((i + 1)); done
    printf '%s\\n' "$input" | /usr/sbin/resolvconf.real "$@"
    touch /run/ended
    exit ;;
  *" -d "*)
    /usr/sbin/resolvconf.real "$@"
    status=$?
    touch /run/deleted
    exit $status ;;
esac
exec /usr/sbin/resolvconf.real "$@"
`;

/** What is killed, and what has happened before. */
type Phase = "cycle" | "repair";

await Deno.writeTextFile("/etc/nsswitch.conf", "hosts: files dns\n");
await Deno.remove("/etc/resolv.conf").catch(() => {});
await startProvider();
await prepare();
await until("a public name", async () => await lookup("www.public.test") === PUBLIC);
const source = new URL("../tools/kill_at.c", import.meta.url).pathname;
await run("gcc", "-std=gnu11", "-O1", "-shared", "-fPIC", "-o", LIBRARY, source, "-ldl");
const killSwitch = await KillSwitch.at("/run/kill-switch");
await play("cycle", 0); // The first one makes the folder of the journal, which stays.
const before = await settings();

for (const phase of ["cycle", "repair"] as const) {
  const { acts } = await play(phase, 0);
  await repair(JOURNAL);
  let kills = 0;
  const bad: string[] = [];
  for (let at = 1; at <= acts; at += Number(stride)) {
    const { killedBefore } = await play(phase, at);
    if (killedBefore !== null) kills++;
    await whole().catch((thrown) => bad.push(`before act ${at}, ${killedBefore}: ${thrown}`));
  }
  await check(`${phase}: ${acts} acts, ${kills} kills, ${bad.length} bad`, () => {
    deepEqual(bad, []);
    equal(kills > 0, true);
  });
}
if (backend.endsWith("resolvconf") || backend === "openresolv") {
  await check("a resolvconf at work when vnet is killed is waited for", outlived);
}
Deno.exit(0);

/**
 * A killed vnet leaves its `resolvconf -a` running. Here it gets to work a second after the repair began, unless
 * the repair has said `-d` meanwhile.
 */
async function outlived(): Promise<void> {
  const real = "/usr/sbin/resolvconf";
  await Deno.rename(real, `${real}.real`);
  await Deno.writeTextFile(real, SLOW, { mode: 0o755 });
  try {
    await act("helper", "--client", "cycle");
    await Deno.writeTextFile("/run/repairing", "");
    await whole();
    await until("it has ended", async () => (await run("test", "-e", "/run/ended")).status === 0);
    await whole();
  } finally {
    await Deno.rename(`${real}.real`, real);
  }
}

async function prepare(): Promise<void> {
  switch (backend) {
    case "resolved":
      await Deno.symlink("../run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf");
      await startBus();
      await startResolved();
      await run("resolvectl", "dns", "wan0", "10.99.0.53");
      return void await run("resolvectl", "domain", "wan0", "~.");
    case "nm-dnsmasq":
      await startBus();
      return await startNetworkManager("dnsmasq");
    case "debian-resolvconf":
      await Deno.mkdir("/run/resolvconf/interface", { recursive: true });
      await run("resolvconf", "--enable-updates");
      await Deno.symlink("/run/resolvconf/resolv.conf", "/etc/resolv.conf");
  }
  await run("sh", "-c", "echo nameserver 10.99.0.53 | resolvconf -a wan0.dhcp");
}

/** Runs one phase, killed before an act; 0 for never. @returns How many there were, and which was the last. */
async function play(phase: Phase, at: number) {
  if (phase === "repair") await act("helper", "--client", "up");
  await killSwitch.aim({ role: phase === "repair" ? "repair" : "helper", at });
  if (phase === "repair") await act("repair");
  else await act("helper", "--client", "cycle");
  return await killSwitch.rest();
}

async function act(...words: readonly string[]): Promise<void> {
  const program = new URL("./crash_act.ts", import.meta.url).pathname;
  const { signal, success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--cached-only", "-A", program, ...words],
    env: { LD_PRELOAD: LIBRARY, DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).output();
  if (!success && signal === null) throw new Error(new TextDecoder().decode(stderr));
}

/** Repairs, and finds all as it was. */
async function whole(): Promise<void> {
  await repair(JOURNAL);
  deepEqual(await repair(JOURNAL), []);
  await until("public names resolve", async () => await lookup("www.public.test") === PUBLIC);
  await until("the zone is forgotten", async () => await lookup("x.corp.example.com") === LEAK);
  equal(await settings(), before);
}

/** Everything of the host that a vnet could have left. */
async function settings(): Promise<string> {
  const etc = ["NetworkManager/dnsmasq.d", "resolvconf"].map((name) => `/etc/${name}`);
  const pictures = await Promise.all([...etc, JOURNAL, "/run/resolvconf"].map(picture));
  const resolvConf = await run(
    "sh",
    "-c",
    "ls -l --time-style=+ /etc/resolv.conf; cat /etc/resolv.conf",
  );
  const links = await run("ip", "-o", "link", "show", "type", "tun");
  return [...pictures, resolvConf.text, links.text].join("\n")
    // openresolv's own, and the lock that stays.
    .replace(/^.*(\.\/exclusive|osdns\.lock).*\n/gm, "")
    .replace(/^\. .*\n/gm, "");
}
