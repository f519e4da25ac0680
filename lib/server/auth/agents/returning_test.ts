import { deepEqual, equal } from "node:assert/strict";
import { appId } from "../../../io/mod.ts";
import type { StoredAgent } from "../../store/mod.ts";
import { Returning } from "./returning.ts";

const NOW_MS = 10_000_000;
const CLUSTER = "c.example";

const stored = (id: string, apps: string[], seenMs: number | null): StoredAgent => ({
  id,
  name: id,
  apps,
  scope: { kinds: ["app"], apps: null, labels: {}, publicAddrs: null },
  joinedMs: 0,
  renewedMs: 0,
  seenMs,
});

function start(joined: readonly StoredAgent[]) {
  const clock = { nowMs: NOW_MS };
  const returning = new Returning({ cluster: CLUSTER, nowMs: () => clock.nowMs }, joined);
  const expected = (...names: string[]) =>
    names.filter((name) => returning.isExpected(appId(CLUSTER, name)));
  return { clock, returning, expected };
}

Deno.test("Returning waits after a start for the agents that were there when the server ended", async () => {
  const { clock, returning, expected } = start([
    stored("recent", ["db", "both"], NOW_MS - 60_000),
    stored("other", ["both"], NOW_MS - 60_000),
    stored("old", ["api"], NOW_MS - 3_600_000),
    stored("never", ["web"], null),
  ]);
  deepEqual(expected("db", "both", "api", "web"), ["db", "both"]);
  equal(returning.isStarting, true);
  clock.nowMs += 10_000;
  deepEqual([expected("db"), returning.isStarting], [[], false]);
  clock.nowMs = NOW_MS;
  returning.forget("recent");
  returning.forget("recent");
  deepEqual([expected("db", "both"), returning.isStarting], [["both"], true]);
  returning.forget("other");
  deepEqual([expected("db", "both"), returning.isStarting], [[], false]);
  await returning.allBack;
});

Deno.test("Returning waits for nobody where nobody was there", async () => {
  const { returning } = start([]);
  equal(returning.isStarting, false);
  await returning.allBack;
});
