import { deepEqual } from "node:assert/strict";
import { compileRole, personalRole } from "../../../config/mod.ts";
import type { App } from "../../../wire/mod.ts";
import { AwayApps } from "./away_apps.ts";

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
  const away = new AwayApps(() => clock.nowMs);
  const names = () => away.listFor(DEV).map(({ name, last_seen }) => [name, last_seen]);
  return { clock, away, names };
}

Deno.test("AwayApps tells which apps an agent served that has gone, to those who may use them", () => {
  const { away, names, clock } = start();
  away.gone(app("db"), "agent1");
  clock.nowMs = 2000;
  away.gone(app("api"), "agent2");
  away.gone(app("secret", "prod"), "agent2");
  deepEqual(names(), [
    ["api", "1970-01-01T00:00:02.000Z"],
    ["db", "1970-01-01T00:00:01.000Z"],
  ]);
  away.served(app("api").app_id);
  away.back("agent1"); // and says itself what it serves
  deepEqual(names(), []);
});

Deno.test("AwayApps forgets after a week, and beyond a thousand", () => {
  const { away, names, clock } = start();
  away.gone(app("db"), "agent1");
  clock.nowMs += 7 * DAY_MS;
  deepEqual(names(), []);
  for (let n = 0; n < 1001; n++) away.gone(app(`a${String(n).padStart(4, "0")}`), "agent1");
  deepEqual([names().length, names()[0]?.[0]], [1000, "a0001"]);
});
