import { deepEqual, equal, match, ok } from "node:assert/strict";
import { DoctorV1Schema } from "../../lib/status/mod.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs `vnet doctor` with an empty home of its own. */
async function doctor(...args: string[]) {
  const home = await Deno.makeTempDir();
  try {
    const output = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", `${ROOT}main.ts`, "doctor", ...args],
      env: { VNET_HOME: home, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return {
      code: output.code,
      stdout: decoder.decode(output.stdout),
      stderr: decoder.decode(output.stderr),
    };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("vnet doctor without a login says what to do, in text and JSON, with status 1", async () => {
  const text = await doctor();
  equal(text.code, 1);
  match(text.stdout, /^FAIL\s+auth\.profile\s+you are not logged in to any cluster$/m);
  match(text.stdout, /^\s+fix\s+vnet login HOST --user NAME$/m);
  const json = await doctor("--format", "json");
  equal(json.code, 1);
  const report = DoctorV1Schema.parse(JSON.parse(json.stdout));
  deepEqual(report.checks.filter(({ status }) => status === "fail").map(({ id }) => id), [
    "auth.profile",
  ]);
  ok(report.duration_ms < 3_000, `It took ${report.duration_ms} ms`);
  equal(json.stderr, "");
});

Deno.test("vnet doctor --only and --skip choose checks by id", async () => {
  const { code, stdout } = await doctor("--only", "dns.nss,sys", "--skip", "sys.privilege");
  equal(code, 0);
  const ids = [...stdout.matchAll(/^ OK\s+([a-z.]+)/gm)].map(([, id]) => id);
  deepEqual(ids, ["sys.tun", "dns.nss"]);
});

Deno.test("vnet doctor --list names every check", async (t) => {
  const { code, stdout } = await doctor("--list");
  equal(code, 0);
  await t.assertSnapshot(stdout);
});

Deno.test("vnet doctor refuses what is no check and no name", async (t) => {
  const cases: [args: string[], stderr: RegExp][] = [
    [["--only", "dns.zon"], /^error: There is no check "dns\.zon" \[usage\]\nhint: .*--list/],
    [["--name", "192.0.2.1:80"], /^error: Cannot check "192\.0\.2\.1:80".* \[usage\]\nhint: /],
    [["--name", "a.test:0"], /^error: Cannot check "a\.test:0"/],
    [["--name", "a..test"], /^error: Cannot check "a\.\.test"/],
  ];
  for (const [args, stderr] of cases) {
    await t.step(args.join(" "), async () => {
      const ran = await doctor(...args);
      match(ran.stderr, stderr);
      deepEqual([ran.code, ran.stdout], [2, ""]);
    });
  }
});

Deno.test("vnet doctor --fix with nothing to repair says so", async () => {
  const { stderr } = await doctor("--fix", "--only", "sys");
  match(stderr, /^Nothing to repair$/m);
});
