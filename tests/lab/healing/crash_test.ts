/** Processes of vnet die without a word: clients learn it at once, and the host heals. */
import { equal, match, ok } from "node:assert/strict";
import type { Host } from "../host/host.ts";
import { killQuietly, type LabProcess } from "../host/process.ts";
import { say } from "../host/say.ts";
import { type Step, story } from "../host/needs.ts";
import { hold } from "../check/tools.ts";
import { until } from "../host/wait.ts";
import { World } from "../world/world.ts";

/** How long a client of a dead daemon may wait for an error. */
const ERROR_WITHIN_MS = 1_000;

type Victim = "daemon" | "helper";

/** What /etc/resolv.conf may be on a host. */
const RESOLV_CONF: Readonly<Record<string, string>> = {
  "a file": `printf '# mine \\nnameserver 203.0.113.53\\noptions timeout:2' >/etc/resolv.conf`,
  "a file with mode 0600":
    `printf 'search example.com\\nnameserver 203.0.113.53\\n' >/etc/resolv.conf; chmod 600 /etc/resolv.conf`,
  "a relative symlink": `
    mkdir -p /run/resolvconf
    printf 'nameserver 203.0.113.53\\n' >/run/resolvconf/resolv.conf
    ln -sfn ../run/resolvconf/resolv.conf /etc/resolv.conf`,
  "an absolute symlink": `
    mkdir -p /run/NetworkManager
    printf 'nameserver 203.0.113.53\\n' >/run/NetworkManager/resolv.conf
    ln -sfn /run/NetworkManager/resolv.conf /etc/resolv.conf`,
  "bind-mounted, as in containers": `
    rm -f /etc/resolv.conf; touch /etc/resolv.conf
    printf 'nameserver 203.0.113.53\\n' >/run/container-resolv.conf
    mount --bind /run/container-resolv.conf /etc/resolv.conf`,
};

const CASES: readonly (readonly [original: string, victims: readonly Victim[]])[] = [
  ["a file", ["daemon"]],
  ["a file", ["helper"]],
  ["a file", ["daemon", "helper"]],
  ["a file with mode 0600", ["daemon"]],
  ["a relative symlink", ["daemon"]],
  ["a relative symlink", ["helper", "daemon"]],
  ["an absolute symlink", ["daemon"]],
  ["bind-mounted, as in containers", ["daemon"]],
  ["bind-mounted, as in containers", ["daemon", "helper"]],
];

story("crash: clients of a killed daemon get an error within 1 s", async (step, lab) => {
  const world = await World.open(lab, "postgres", "sockets");
  const { client } = world;
  await world.up();
  const clients = await holdClients(world);
  const killed = performance.now();
  kill(client, "daemon");
  await toldSoon(step, clients, killed);

  await step("a new connection fails at once, too", async () => {
    const uri = "http://sockets.vnet.example.com:7003/";
    const outcome = await client.run(["curl", "-sS", "--max-time", "5", uri], { expect: "any" });
    ok([6, 7].includes(outcome.code), `curl ended with ${outcome.code}: ${outcome.stderr}`);
  });

  await step("public names resolve, before anybody repaired anything", () => publicNames(client));

  await step("vnet comes up again and works", async () => {
    await world.up();
    await hold(client, "sockets.vnet.example.com", 7003, "idle");
  });
});

story(
  "crash: clients get an error within 1 s when helper and daemon are killed together",
  async (step, lab) => {
    const world = await World.open(lab, "postgres", "sockets");
    const { client } = world;
    await world.up();
    for (const victims of [["daemon", "helper"], ["helper", "daemon"]] as const) {
      const clients = await holdClients(world);
      const killed = performance.now();
      for (const victim of victims) kill(client, victim);
      await toldSoon(step, clients, killed);
      await step("the record of the link is gone", async () => {
        const count = ["sh", "-c", "cd /var/lib/vnet && ls | grep -c ^link- || :"];
        await until(
          "no record is left",
          5_000,
          async () => (await client.output(count)).trim() === "0",
        );
      });
      await world.up();
    }
  },
);

story("crash: /etc/resolv.conf is whole again after the next up and down", async (step, lab) => {
  const world = await World.open(lab);
  const { client, vnet } = world;
  await client.run(["cp", "/etc/resolv.conf", "/run/first-resolv.conf"]);
  await world.login();

  for (const [original, victims] of CASES) {
    await step(`${original}, ${victims.join(" and ")} killed`, async () => {
      await client.script(RESOLV_CONF[original]!);
      const before = await fingerprint(client);
      try {
        await vnet.run(["up", "--detach"]);
        match(await client.output(["getent", "ahostsv4", "pg.vnet.example.com"]), /100\.100\./);
        for (const victim of victims) kill(client, victim);
        await publicNames(client);
        await vnet.run(["up", "--detach"]);
        match(await client.output(["getent", "ahostsv4", "pg.vnet.example.com"]), /100\.100\./);
        await vnet.run(["down"]);
        equal(await fingerprint(client), before);
      } finally {
        await vnet.run(["down"], { expect: "any" });
        await client.script(`
          ! mountpoint -q /etc/resolv.conf || umount /etc/resolv.conf
          rm -f /etc/resolv.conf
          cp /run/first-resolv.conf /etc/resolv.conf
        `);
      }
    });
  }

  await step("down alone repairs as well", async () => {
    const before = await fingerprint(client);
    await vnet.run(["up", "--detach"]);
    for (const victim of ["helper", "daemon"] as const) kill(client, victim);
    await vnet.run(["down"]);
    equal(await fingerprint(client), before);
  });

  await step("nothing runs and no device is left", async () => {
    await until("no process of vnet is left", 5_000, () => client.processes().length === 0);
    equal(await client.output(["ip", "-o", "link", "show", "type", "tun"]), "");
  });
});

type Clients = readonly (readonly [name: string, held: LabProcess])[];

/** Programs with a connection each: idle, busy, and in the middle of a query. */
async function holdClients(world: World): Promise<Clients> {
  const { client } = world;
  const clients: [string, LabProcess][] = [];
  for (const family of [4, 6] as const) {
    const to = await world.address("sockets.vnet.example.com", family);
    for (const kind of ["idle", "active"] as const) {
      clients.push([`${kind} over IPv${family}`, await hold(client, to, 7003, kind)]);
    }
  }
  const uri = "postgres://alice@pg.vnet.example.com/postgres";
  const psql = client.spawn(["sh", "-c", `psql -Atq '${uri}' 2>&1; echo "ended $?"`]);
  await psql.write("select 'asleep';\nselect pg_sleep(600);\n");
  await psql.line(/^asleep$/, 10_000);
  return [...clients, ["psql in a query", psql]];
}

/** Each of them ends with an error in time. */
async function toldSoon(step: Step, clients: Clients, killedMs: number): Promise<void> {
  const ends = await Promise.all(clients.map(async ([name, held]) => {
    const line = await held.line(/^ended (.*)$/, 10_000).then((match) => match[1], String);
    return { name, line, elapsedMs: performance.now() - killedMs };
  }));
  for (const { name, line, elapsedMs } of ends) {
    await step(`${name}: ${line} after ${elapsedMs.toFixed(0)} ms`, () => {
      ok(elapsedMs < ERROR_WITHIN_MS, `${name} was told "${line}" after ${elapsedMs} ms`);
    });
  }
}

/** Kills a process of vnet on the client host, as nobody expects it. */
function kill(client: Host, victim: Victim): void {
  const found = client.processes().filter(({ command }) => command.includes(victim));
  say(`client# kill -9 ${found.map(({ pid }) => pid).join(" ")}   # ${victim}`);
  // The helper may be on its way out by itself when the daemon was killed first, and the other way round.
  for (const { pid } of found) killQuietly(pid, "SIGKILL");
}

/**
 * Public names resolve. A query that a dying process still took is lost, and glibc waits five seconds for it.
 */
async function publicNames(client: Host): Promise<void> {
  await until("public names resolve", 8_000, async () => {
    const getent = ["getent", "ahosts", "www.example.com"];
    const { stdout } = await client.run(getent, { expect: "any" });
    return stdout.includes("198.51.100.80");
  });
}

/** Everything about /etc/resolv.conf that a person could notice. */
async function fingerprint(client: Host): Promise<string> {
  return await client.output([
    "sh",
    "-euc",
    "stat -c '%F %a %u:%g %N' /etc/resolv.conf; stat -L -c '%a %u:%g %s' /etc/resolv.conf; " +
    "od -An -tx1 /etc/resolv.conf; ls /etc | grep -i resolv",
  ]);
}
