/** vnet leaves nothing behind: not after up and down, and not after any of its processes was killed at any step. */
import { deepEqual, equal, match } from "node:assert/strict";
import { KillSwitch, type Role, type Shot } from "../world/kill_switch.ts";
import { story } from "../host/needs.ts";
import { killQuietly } from "../host/process.ts";
import { say } from "../host/say.ts";
import { difference, everything, networkOf } from "../check/traces.ts";
import { until } from "../host/wait.ts";
import { World } from "../world/world.ts";

story("traces: up and down change nothing of the host", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client, vnet } = world;
  await world.login();
  const look = () => everything(client);
  const before = await look();
  say(`${before.length} files, addresses, routes, rules and settings`);

  for (const way of ["down", "Ctrl-C"] as const) {
    await step(`after up and ${way}`, async () => {
      if (way === "down") await vnet.run(["up", "--detach"]);
      else {
        const up = vnet.start(["up"], lab.log("up"));
        await until("vnet is ready", 20_000, () => linkIsThere(client.pid));
        await vnet.run(["wait"]);
        await curlWeb();
        await up.stop("SIGINT");
      }
      if (way === "down") {
        await curlWeb();
        await vnet.run(["down"]);
      }
      await until("no process of vnet is left", 5_000, () => client.processes().length === 0);
      deepEqual(difference(before, await look()), []);
    });
  }

  async function curlWeb() {
    const curl = ["curl", "-sS", "--max-time", "10", "http://web.vnet.example.com/"];
    equal(await client.output(curl), "port 80");
  }
});

/** What a killed vnet is followed by. */
type Sequel = "down" | "up, then down";

/** What is going on when the shot falls; "repair" is the `vnet down` after helper, guard and daemon were killed. */
type Phase = "up" | "down" | "repair";

/** In CI, where time is short, every so many acts; else every one. */
const STRIDE = Deno.env.get("CI") === undefined ? 1 : 4;

story("traces: kill -9 at every step of up and of down heals", async (step, lab) => {
  const world = await World.open(lab);
  const { client, vnet } = world;
  await world.login();
  const before = await look();
  const killSwitch = await KillSwitch.install(client);
  const quiet = { expect: "any", quiet: true } as const;
  let shots = 0;
  let bad = 0;

  async function look(): Promise<string> {
    const journal = await client.output(["sh", "-c", "ls -A /var/lib/vnet 2>/dev/null || true"], {
      quiet: true,
    });
    return `${await networkOf(client)}\n--- journal\n${journal.replace(/^.*\.(lock|log)$/gm, "")}`
      .trimEnd();
  }

  /** Plays a phase with the switch aimed. @returns How many acts the victim got to, and which was its last. */
  async function play(phase: Phase, shot: Shot) {
    if (phase === "up") await killSwitch.aim(shot);
    await vnet.run(["up", "--detach"], quiet);
    if (phase === "up") return await killSwitch.rest();
    if (phase === "repair") killAll();
    await killSwitch.aim(shot);
    await vnet.run(["down"], quiet);
    return await killSwitch.rest();
  }

  function killAll(): void {
    for (const { pid } of client.processes()) killQuietly(pid, "SIGKILL");
  }

  async function recover(sequel: Sequel): Promise<void> {
    if (sequel === "up, then down") {
      const up = await vnet.run(["up", "--detach"], quiet);
      equal(up.code, 0, up.stderr);
      match(
        await client.output(["getent", "ahostsv4", "pg.vnet.example.com"], quiet),
        /^100\.100\./,
      );
    }
    await vnet.run(["down"], quiet);
    await until("no process of vnet is left", 8_000, () => client.processes().length === 0);
    equal(await look(), before);
  }

  async function sweep(phase: Phase, role: Role, acts: number): Promise<void> {
    for (let at = 1; at <= acts; at += STRIDE) {
      const turn = (at - 1) / STRIDE;
      const guardToo = role === "helper" && turn % 2 === 1;
      const sequel: Sequel = turn % 4 < 2 ? "down" : "up, then down";
      const { killedBefore } = await play(phase, { role, at, guardToo });
      const what = `${role} ${at}/${acts} of ${phase}, before ${killedBefore ?? "nothing"}` +
        `${guardToo ? ", its guard too" : ""}; then ${sequel}`;
      if (killedBefore !== null) shots++;
      try {
        await recover(sequel);
        say(`ok  ${what}`);
      } catch (thrown) {
        bad++;
        say(`BAD ${what}: ${thrown}`);
        killAll();
        await vnet.run(["down"], quiet);
      }
    }
  }

  const phases: readonly (readonly [Phase, readonly Role[]])[] = [
    ["up", ["helper", "daemon"]],
    ["down", ["helper", "daemon"]],
    ["repair", ["repair"]],
  ];
  for (const [phase, roles] of phases) {
    for (const role of roles) {
      const { acts } = await play(phase, { role, at: 0 });
      await recover("down");
      await step(`${role}, before each of the ${acts} acts of ${phase}`, async () => {
        const before = bad;
        await sweep(phase, role, acts);
        equal(bad, before);
      });
    }
  }
  say(`${shots} kills, ${bad} bad`);
});

function linkIsThere(pid: number): boolean {
  return Deno.readTextFileSync(`/proc/${pid}/net/dev`).includes("vnet0:");
}
