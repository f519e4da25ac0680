/** `sudo vnet up` by an ordinary user: the daemon is the user's, the keys never leave it, strangers stay out. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Host } from "../host/host.ts";
import { remembers } from "../check/memory.ts";
import { killQuietly } from "../host/process.ts";
import { story } from "../host/needs.ts";
import { installPacked } from "../world/packed.ts";
import { connectAll } from "../check/tools.ts";
import { type Status, Vnet } from "../world/vnet.ts";
import { until } from "../host/wait.ts";
import { World } from "../world/world.ts";

const UID = 12_345;
/** chown, dac-read-search, net-bind-service, net-admin, net-raw, sys-ptrace: linux/capability.h. */
const HELPER_CAPABILITIES = "0000000000083405";

story("user: the daemon is the user's, the helper is root's", async (step, lab) => {
  const world = await World.open(lab, "postgres", "nginx");
  const { client } = world;
  await client.script(`
    useradd --create-home --home-dir /home/alice --uid ${UID} --shell /bin/sh alice
    useradd --create-home --home-dir /home/bob --shell /bin/sh bob
    install -d -o alice -g alice -m 700 /run/user/${UID}
  `);
  const command = await installPacked(client);
  const ownEnv = { HOME: "/home/alice", USER: "alice", XDG_RUNTIME_DIR: `/run/user/${UID}` };
  const alice = new Vnet(client, { command, user: "alice", env: ownEnv });
  // What sudo leaves of the invoker.
  const sudo = new Vnet(client, {
    command,
    env: { SUDO_UID: `${UID}`, SUDO_GID: `${UID}`, SUDO_USER: "alice", USER: "root" },
  });
  await world.login(alice);
  await sudo.run(["up", "--detach"]);
  await alice.run(["wait"]);

  await step("the user may bring down what is theirs, and only root brings up", async () => {
    await alice.run(["down"]);
    await until("the helper is gone", 5_000, () => vnetProcesses(client, "helper").length === 0);
    const refused = await alice.run(["up", "--detach"], { expect: [5] });
    match(refused.stderr, /\[not-permitted\]/);
    await sudo.run(["up", "--detach"]);
  });

  await step("the daemon runs as the user, without any capability", async () => {
    const status = await alice.json<{ uid: number }>(["status"]);
    equal(status.uid, UID);
    const daemons = vnetProcesses(client, "daemon");
    equal(daemons.length, 1);
    const facts = Deno.readTextFileSync(`/proc/${daemons[0]!.pid}/status`);
    match(facts, new RegExp(`^Uid:\\t${UID}\\t${UID}\\t${UID}\\t${UID}$`, "m"));
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) {
      match(facts, new RegExp(`^${set}:\\t0+$`, "m"));
    }
    equal(vnetProcesses(client, "helper")[0]?.uid, 0);
  });

  await step("every process has what it needs and no more, and nobody looks into it", () => {
    const start = (host: Host, part: string) =>
      host.processes().find(({ command }) => command.includes(part))?.pid ?? 0;
    const cases = [
      ["helper", vnetProcesses(client, "helper")[0]?.pid ?? 0, HELPER_CAPABILITIES],
      ["daemon", vnetProcesses(client, "daemon")[0]?.pid ?? 0, "0000000000000000"],
      ["server", start(world.proxy, "server"), null],
      ["agent", start(world.agent, "agent"), null],
    ] as const;
    for (const [part, pid, capabilities] of cases) {
      const facts = Deno.readTextFileSync(`/proc/${pid}/status`);
      match(facts, /^NoNewPrivs:\t1$/m, part);
      match(facts, /^Seccomp:\t2$/m, part);
      if (capabilities !== null) {
        for (const set of ["CapPrm", "CapEff", "CapBnd"]) {
          match(facts, new RegExp(`^${set}:\t${capabilities}$`, "m"), part);
        }
      }
      const limits = Deno.readTextFileSync(`/proc/${pid}/limits`);
      match(limits, /^Max core file size +0 +0 /m, part);
      // What may not be dumped belongs to root in /proc, whoever runs it.
      equal(Deno.statSync(`/proc/${pid}/environ`).uid, 0, part);
    }
  });

  await step("the user's programs reach the apps", async () => {
    const uri = "postgres://alice@pg.vnet.example.com/postgres";
    const options = { user: "alice", env: ownEnv };
    equal(await client.output(["psql", "-Atqc", "select 1", uri], options), "1");
    const curl = ["curl", "-sS", "--max-time", "5", "http://web.vnet.example.com/"];
    equal(await client.output(curl, options), "port 80");
  });

  await step("another user's programs are refused", async () => {
    const curl = ["curl", "-sS", "--max-time", "5", "http://web.vnet.example.com/"];
    equal((await client.run(curl, { user: "bob", expect: [7] })).code, 7);
    const foreign = new Vnet(client, { command, user: "bob", env: { HOME: "/home/bob" } });
    equal((await foreign.run(["status"], { expect: [5] })).code, 5);
  });

  await step("the LAN reaches no listener of the user's daemon", async () => {
    const link = (await alice.json<Status>(["status"])).link!;
    const [self4, self6] = [link.ipv4, link.ipv6].map((text) => text?.split("/")[0] ?? "");
    await world.lan.script(`
      ip route add ${self4} via 192.168.77.10
      ip -6 route add ${self6} via 2001:db8:77::10
    `);
    const ports = [...new Set(client.tcpListeners().map(({ port }) => port))];
    ok(ports.length > 0);
    const targets = ports.flatMap((port) => [[self4!, port] as const, [self6!, port] as const]);
    const attempts = await connectAll(world.lan, targets, 1_000);
    deepEqual(targets.filter((_, i) => attempts[i]?.result === "connected").map(String), []);
  });

  await step("keys are the user's files, and in no process of root", async () => {
    const found = await client.output(["grep", "-rl", "PRIVATE KEY", "/home/alice"]);
    const files = found.split("\n");
    ok(files.length > 0);
    for (const file of files) {
      equal(await client.output(["stat", "-c", "%a %U", file]), "600 alice");
    }
    const needles = (await Promise.all(files.map((file) => keyBytes(client, file)))).flat();
    const helper = vnetProcesses(client, "helper")[0]!;
    const daemon = vnetProcesses(client, "daemon")[0]!;
    ok(await remembers(daemon.pid, needles), "The scan does not find the key where it must be");
    equal(await remembers(helper.pid, needles), false);
  });

  await step("the user's files stay the user's", async () => {
    const foreign = "find /home/alice /run/user/12345 ! -user alice";
    equal(await client.output(["sh", "-c", foreign]), "");
  });

  await step("vnet down leaves nothing that runs", async () => {
    await sudo.run(["down"]);
    await until("both processes are gone", 2_000, () => {
      return vnetProcesses(client, "helper").concat(vnetProcesses(client, "daemon")).length === 0;
    });
  });

  // Several folders are mounts of their own.
  const find = "find /var/lib /run /home/alice /tmp -path '*vnet*' | sort";
  const kept = async () => (await client.output(["sh", "-c", find])).split("\n");
  for (const state of ["up", "killed", "down"] as const) {
    await step(`vnet down --purge while ${state} leaves the login, and nothing else`, async () => {
      if (state !== "down") await sudo.run(["up", "--detach"]);
      if (state === "killed") {
        for (const { pid } of client.processes()) killQuietly(pid, "SIGKILL");
      }
      await sudo.run(["down", "--purge"]);
      const left = (await kept()).filter((path) => LEFT.test(path));
      deepEqual(left.filter((path) => !path.includes("/.config/vnet")), []);
      ok(left.some((path) => path.startsWith("/home/alice/.config/vnet/profiles/")));
    });
  }
});

/** Where vnet keeps things; the program itself and its cluster lie elsewhere. */
const LEFT = /^\/(var\/lib\/vnet|run\/|home\/alice\/)/;

function vnetProcesses(client: Host, part: "daemon" | "helper") {
  return client.processes().filter(({ command }) => command.includes(part));
}

/** A private key as a program may hold it: a line of its PEM text, and its secret bytes. */
async function keyBytes(client: Host, file: string): Promise<Uint8Array[]> {
  // A profile is JSON: its PEM has \n where a PEM file has ends of line.
  const text = (await client.output(["cat", file], { quiet: true })).replaceAll("\\n", "\n");
  const pem = /-----BEGIN PRIVATE KEY-----\n([^-]+)-----END/.exec(text);
  ok(pem !== null, `No PKCS #8 key in ${file}`);
  const lines = pem[1]!.trim().split("\n");
  // PKCS #8 of a P-256 key: 36 bytes that every such key begins with, then the 32 secret ones.
  const der = Buffer.from(lines.join(""), "base64");
  return [Buffer.from(lines[1]!), der.subarray(36, 36 + 32)];
}
