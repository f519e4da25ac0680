import { deepEqual, equal } from "node:assert/strict";
import { compileRole, personalRole } from "../../../config/mod.ts";
import type { App } from "../../../wire/mod.ts";
import { GoneApps } from "./gone_apps.ts";

const DAY_MS = 86_400_000;

const app = (name: string, env = "dev"): App => ({
  name,
  cluster: "c.example",
  app_id: name.padEnd(16, "0"),
  public_addrs: [`${name}.c.example`],
  labels: { env },
});

const ALICE = { user: "alice", claims: {} };
const DEV = [compileRole("dev", {
  allow: { app_labels: { env: ["dev"] } },
  deny: {},
  options: {},
})].map((role) => personalRole(role, ALICE));

function start() {
  const clock = { nowMs: 1000 };
  const apps = new GoneApps(() => clock.nowMs);
  const found = (name: string) => apps.find(app(name).app_id)?.name ?? null;
  const listed = () => apps.listed().map(({ name }) => name);
  const away = () => apps.awayFor(DEV).map(({ name, last_seen }) => [name, last_seen]);
  return { clock, apps, found, listed, away };
}

Deno.test("GoneApps lists an app for a moment, expects it for half a minute, and tells of it for a week", async (t) => {
  const { clock, apps, found, listed, away } = start();
  const told = [["db", "1970-01-01T00:00:01.000Z"]];
  apps.gone(app("db"), "agent1");
  const cases: [atMs: number, listed: string[], found: string | null, away: string[][]][] = [
    [1000, ["db"], "db", []],
    [5_999, ["db"], "db", []],
    [6_000, [], "db", told],
    [30_999, [], "db", told],
    [31_000, [], null, told],
    [999 + 7 * DAY_MS, [], null, told],
    [1000 + 7 * DAY_MS, [], null, []],
  ];
  for (const [atMs, ...wanted] of cases) {
    await t.step(`at ${atMs}`, () => {
      clock.nowMs = atMs;
      deepEqual([listed(), found("db"), away()], wanted);
    });
  }
  equal(found("api"), null);
});

Deno.test("GoneApps knows nothing of an app that is served again, or whose agent is back", () => {
  const { clock, apps, found, away } = start();
  apps.gone(app("db"), "agent1");
  apps.gone(app("api"), "agent1");
  apps.gone(app("web"), "agent2");
  apps.served(app("db").app_id);
  deepEqual(["db", "api", "web"].map(found), [null, "api", "web"]);
  apps.back("agent1"); // and says itself what it serves
  deepEqual(["db", "api", "web"].map(found), [null, null, "web"]);
  clock.nowMs += 5_000;
  deepEqual(away().map(([name]) => name), ["web"]);
});

Deno.test("GoneApps expects nothing of an agent that was given up, and tells of its apps", () => {
  const { apps, found, listed, away } = start();
  apps.gone(app("db"), "agent1");
  apps.gone(app("api"), "agent2");
  apps.giveUp("agent1");
  deepEqual([listed(), found("db"), away().map(([name]) => name)], [["api"], null, ["db"]]);
});

Deno.test("GoneApps tells those who may use them", () => {
  const { clock, apps, away } = start();
  apps.gone(app("db"), "agent1");
  clock.nowMs = 2000;
  apps.gone(app("api"), "agent2");
  apps.gone(app("secret", "prod"), "agent2");
  clock.nowMs += 5_000;
  deepEqual(away(), [
    ["api", "1970-01-01T00:00:02.000Z"],
    ["db", "1970-01-01T00:00:01.000Z"],
  ]);
});

Deno.test("GoneApps expects as many as go, and tells of the latest thousand", () => {
  const { clock, apps, found, away } = start();
  const name = (n: number) => `a${String(n).padStart(5, "0")}`;
  for (let n = 0; n < 50_001; n++) apps.gone(app(name(n)), "agent1");
  deepEqual([found(name(0)), found(name(1))], [null, name(1)]);
  clock.nowMs += 30_000;
  apps.gone(app("last"), "agent2");
  clock.nowMs += 5_000;
  const names = away().map(([name]) => name);
  deepEqual([names.length, names[0], names.at(-1)], [1000, name(49_002), "last"]);
  apps.back("agent2");
  equal(away().length, 999, "the others are forgotten");
});
