import { equal } from "node:assert/strict";
import { renderReport } from "../../client/doctor/mod.ts";
import { examine, type Facts } from "../../health/mod.ts";
import { DOWN, HEALTHY, known } from "../../../tests/doubles/healthy.ts";
import { type DoctorV1, DoctorV1Schema } from "../../status/mod.ts";
import { parseIp } from "../../ip/mod.ts";
import { renderDoctor } from "./doctor_text.ts";

const HIJACKED = { kind: "addresses" as const, addresses: [parseIp("93.184.215.14")] };

/** A DHCP client writes resolv.conf, and a login ends soon. */
const TRAMPLED: Facts = {
  ...HEALTHY,
  resolvConf: known({
    path: "/etc/resolv.conf",
    kind: "file",
    isOurs: false,
    owner: "dhclient",
    nameservers: ["192.168.1.1"],
    modifiedMs: HEALTHY.nowMs - 5_000,
  }),
  zones: known([{
    zone: "company.test",
    probe: "vnet-diag-9f3c21.company.test",
    system: HIJACKED,
    nameservers: [{ server: "192.168.1.1", outcome: HIJACKED, elapsedMs: 8 }],
  }]),
  profiles: known([{
    name: "vnet.example.com",
    cluster: "example",
    user: "alice",
    expiresMs: HEALTHY.nowMs + 1_320_000,
  }]),
};

const CASES: readonly (readonly [name: string, facts: Facts, only: readonly string[]])[] = [
  ["a healthy machine", HEALTHY, []],
  ["a trampled file", TRAMPLED, []],
  ["a crash with leftovers", {
    ...DOWN,
    daemon: known({ kind: "down", crashed: true, lastError: null }),
    journal: known({ path: "/var/lib/vnet/osdns.journal.json", hasEntry: true, isOwned: false }),
  }, []],
  ["some checks of a machine where vnet is down", DOWN, ["tun", "leftover"]],
];

function reportOf(facts: Facts, only: readonly string[]): DoctorV1 {
  const report = renderReport({
    host: { os: "linux", kernel: "6.8.0", arch: "x86_64", distribution: "Debian 12", uid: 1000 },
    startedMs: facts.nowMs,
    durationMs: 412,
    findings: examine(facts, { only, skip: [] }),
    attempts: [
      { name: "daemon", elapsedMs: 12, reason: null },
      { name: "resolved", elapsedMs: 0, reason: "not the back end" },
    ],
    repaired: null,
  });
  return { ...report, version: "1.2.3" };
}

Deno.test("renderDoctor() puts consequences under their cause", async (t) => {
  for (const [name, facts, only] of CASES) {
    await t.step(name, async (t) => {
      const report = reportOf(facts, only);
      await t.assertSnapshot(renderDoctor(report, { color: false, verbose: false }));
    });
  }
});

Deno.test("renderDoctor() shows the evidence of what is well with --verbose", async (t) => {
  const report = reportOf(HEALTHY, ["dns"]);
  await t.assertSnapshot(renderDoctor(report, { color: false, verbose: true }));
});

Deno.test("renderDoctor() colours words, and nothing else", () => {
  const report = reportOf(TRAMPLED, []);
  const colored = renderDoctor(report, { color: true, verbose: false });
  // deno-lint-ignore no-control-regex
  const plain = colored.replace(/\x1b\[[0-9]+m/g, "");
  equal(plain, renderDoctor(report, { color: false, verbose: false }));
});

Deno.test("vnet.doctor/1 is what its schema says, whatever was found", async (t) => {
  for (const [name, facts, only] of CASES) {
    await t.step(name, () => {
      DoctorV1Schema.parse(JSON.parse(JSON.stringify(reportOf(facts, only))));
    });
  }
  await t.assertSnapshot(reportOf(TRAMPLED, ["dns.zone", "auth.profile"]));
});
