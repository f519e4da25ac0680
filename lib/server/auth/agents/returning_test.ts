import { deepEqual, equal } from "node:assert/strict";
import type { App } from "../../../wire/mod.ts";
import type { StoredAgent } from "../../store/mod.ts";
import { Returning } from "./returning.ts";

const NOW_MS = 10_000_000;

const app = (name: string): App => ({
  name,
  cluster: "c.example",
  app_id: name.padEnd(16, "0"),
  public_addrs: [`${name}.c.example`],
  labels: {},
});

const stored = (id: string, apps: string[], seenMs: number | null): StoredAgent => ({
  id,
  name: id,
  apps,
  scope: { kinds: ["app"], apps: null, labels: {}, publicAddrs: null },
  joinedMs: 0,
  renewedMs: 0,
  seenMs,
});

function start(known: readonly StoredAgent[] = []) {
  const clock = { nowMs: NOW_MS };
  const returning = new Returning(() => clock.nowMs, known);
  const found = (name: string) => returning.find(app(name).app_id)?.name ?? null;
  const listed = () => returning.listed().map(({ name }) => name);
  return { clock, returning, found, listed };
}

Deno.test("Returning knows an app for half a minute after its last agent has gone, and lists it for a moment", () => {
  const { clock, returning, found, listed } = start();
  returning.gone(app("db"), "agent1");
  deepEqual([found("db"), listed(), found("api")], ["db", ["db"], null]);
  clock.nowMs += 5_000;
  deepEqual([found("db"), listed()], ["db", []]);
  clock.nowMs += 25_000;
  equal(found("db"), null);
});

Deno.test("Returning knows nothing of an app that is served again, or whose agent is back or removed", () => {
  const { returning, found } = start();
  returning.gone(app("db"), "agent1");
  returning.gone(app("api"), "agent1");
  returning.gone(app("web"), "agent2");
  returning.served(app("db").app_id);
  deepEqual(["db", "api", "web"].map(found), [null, "api", "web"]);
  returning.forget("agent1");
  deepEqual(["api", "web"].map(found), [null, "web"]);
});

Deno.test("Returning waits after a start for the agents that were there when the server ended", async () => {
  const { clock, returning } = start([
    stored("recent", ["db"], NOW_MS - 60_000),
    stored("old", ["api"], NOW_MS - 3_600_000),
    stored("never", ["web"], null),
  ]);
  deepEqual(returning.missed, ["db"]);
  equal(returning.isStarting, true);
  clock.nowMs += 10_000;
  deepEqual([returning.missed, returning.isStarting], [[], false]);
  clock.nowMs = NOW_MS;
  returning.forget("recent");
  equal(returning.isStarting, false);
  await returning.allBack;
});

Deno.test("Returning waits for nobody where nobody was there", async () => {
  const { returning } = start();
  equal(returning.isStarting, false);
  await returning.allBack;
});
