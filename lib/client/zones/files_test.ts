import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { parseDomainName } from "../../dns/mod.ts";
import type { Paths } from "../paths.ts";
import { memoryApp, MemoryCluster } from "../../../tests/doubles/memory_cluster.ts";
import { ProfileStore } from "../cluster/profile.ts";
import { saveViews } from "../cluster/saved_views.ts";
import { objectionTo, readAdminFile, readRecords, readWords, writeRecords } from "./files.ts";
import { changeZone, listZones } from "./list.ts";

const NOW = Date.UTC(2026, 0, 1);
const UID = Deno.uid() ?? 0;

async function inHome(test: (paths: Paths, home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    await Deno.chmod(home, 0o755);
    await test({
      configDir: `${home}/config`,
      stateDir: home,
      runtimeDir: home,
      controlSocket: `${home}/control.sock`,
      appSocket: `${home}/app.sock`,
    }, home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("readAdminFile() takes a file of root's alone", async (t) => {
  const GOOD = "version: v1\nzones:\n- { suffix: company.test, proxy: Teleport.Example.com:443 }\n";
  const cases: [what: string, text: string | null, mode: number, want: RegExp | null][] = [
    ["no file", null, 0o644, null],
    ["a good one", GOOD, 0o644, null],
    ["writable by the group", GOOD, 0o664, /can be written by others$/],
    ["writable by all", GOOD, 0o646, /can be written by others$/],
    ["another key", `${GOOD}dns: direct\n`, 0o644, /expected one of version, zones/],
    [
      "everybody's zone",
      "version: v1\nzones: [{ suffix: co.uk, proxy: a.test }]\n",
      0o644,
      /co\.uk/,
    ],
    ["no proxy", "version: v1\nzones: [{ suffix: a.test }]\n", 0o644, /zones\[0\]\.proxy/],
    ["too large", `${GOOD}${"#".repeat(1024 * 1024)}`, 0o644, /more than 1 MiB/],
  ];
  for (const [what, text, mode, want] of cases) {
    await t.step(what, () =>
      inHome(async (_paths, home) => {
        const path = `${home}/client.yaml`;
        if (text !== null) await Deno.writeTextFile(path, text);
        if (text !== null) await Deno.chmod(path, mode);
        const { grants, refusal } = await readAdminFile(path, UID);
        if (want !== null) match(refusal?.message ?? "", want);
        else equal(refusal, null);
        deepEqual(
          grants,
          want === null && text !== null
            ? [{ suffix: "company.test", proxy: "teleport.example.com" }]
            : [],
        );
      }));
  }
  await t.step("in a folder that others may write to", () =>
    inHome(async (_paths, home) => {
      await Deno.writeTextFile(`${home}/client.yaml`, GOOD, { mode: 0o644 });
      await Deno.chmod(home, 0o777);
      const { refusal } = await readAdminFile(`${home}/client.yaml`, UID);
      match(refusal?.message ?? "", /its folder can be written by others$/);
      match(refusal?.hint ?? "", /sudo chown root:root/);
    }));
});

Deno.test("objectionTo() wants root, and nobody else to write", () => {
  const file = { isFile: true, isDirectory: false };
  equal(objectionTo({ ...file, uid: 0, mode: 0o100644 }, 0), null);
  match(objectionTo({ ...file, uid: 1000, mode: 0o100644 }, 0) ?? "", /belongs to user 1000/);
  match(objectionTo({ ...file, uid: 0, mode: null }, 0) ?? "", /written by others/);
  match(
    objectionTo({ uid: 0, mode: 0o20644, isFile: false, isDirectory: false }, 0) ?? "",
    /no plain file/,
  );
});

Deno.test("`vnet zones` works without a daemon, in files that the next one reads", () =>
  inHome(async (paths) => {
    const cluster = new MemoryCluster({
      nowMs: () => NOW,
      root: { zones: [{ suffix: "company.test", isPrivate: false }] },
      apps: [memoryApp("db", { publicAddrs: ["db.company.test"] })],
    });
    await new ProfileStore(paths.configDir).save(cluster.profile());
    const standing = async () => {
      const { zones, source } = await listZones(paths, NOW);
      equal(source, "saved-state");
      return zones.map(({ suffix, state, grant }) => `${suffix} ${grant ?? state}`);
    };
    deepEqual(await standing(), []);
    // Nothing is known of the only login's cluster yet.
    await changeZone(paths, { suffix: "early.test", cluster: null, verdict: "allow" }, NOW);
    await saveViews(paths.stateDir, new Map([[cluster.name, cluster.published]]));
    deepEqual(await standing(), ["company.test pending", "memory.test own"]);
    const changed = await changeZone(
      paths,
      { suffix: "company.test", cluster: null, verdict: "allow" },
      NOW,
    );
    equal(changed.zones[0]?.since, "2026-01-01T00:00:00.000Z");
    deepEqual(await standing(), ["company.test user", "memory.test own"]);
    deepEqual(
      (await readWords(paths)).map(({ suffix, profile, cluster }) => [suffix, profile, cluster]),
      [["early.test", "memory.test", "memory.test"], [
        "company.test",
        "memory.test",
        "memory.test",
      ]],
    );
    await changeZone(paths, { suffix: "company.test", cluster: null, verdict: "deny" }, NOW);
    deepEqual(await standing(), ["company.test denied", "memory.test own"]);
    equal((await Deno.stat(`${paths.configDir}/zones.json`)).mode! & 0o777, 0o600);
    await Deno.writeTextFile(`${paths.configDir}/zones.json`, "[]");
    await rejects(
      changeZone(paths, { suffix: "company.test", cluster: null, verdict: "allow" }, NOW),
      { code: "zones-damaged" },
    );
  }));

Deno.test("what TXT records said is kept over a restart", () =>
  inHome(async (paths, home) => {
    const record = {
      suffix: parseDomainName("company.test"),
      names: [{ name: "prod", sinceMs: NOW }],
      answeredMs: NOW,
      askedMs: NOW + 1_000,
      failure: "no answer",
    };
    await writeRecords(paths, [record]);
    deepEqual(await readRecords(paths), [record]);
    await Deno.writeTextFile(`${home}/zones.json`, "{}");
    deepEqual(await readRecords(paths), []);
  }));
