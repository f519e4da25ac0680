import { deepEqual, equal, throws } from "node:assert/strict";
import { ConfigError } from "../error.ts";
import { parsePrefix } from "../ip/mod.ts";
import { allowsZone, DEFAULT_HELPER_POLICY, parseHelperPolicy } from "./helper_policy.ts";

const parse = (text: string) => parseHelperPolicy(text, "helper.yaml");

Deno.test("parseHelperPolicy() reads what root wrote, and fills in what root did not", () => {
  deepEqual(parse("version: v1\n"), DEFAULT_HELPER_POLICY);
  deepEqual(parse("version: v1\ndns: direct\ncontainers: allow\nzones: [corp.example]\n"), {
    dnsMode: "direct",
    containers: true,
    zones: ["corp.example"],
    ranges: [],
  });
  deepEqual(parse("version: v1\nranges: [10.213.0.0/16, 192.168.7.0/24]\n"), {
    ...DEFAULT_HELPER_POLICY,
    ranges: [parsePrefix("10.213.0.0/16"), parsePrefix("192.168.7.0/24")],
  });
});

Deno.test("parseHelperPolicy() refuses what it does not know, whole", async (t) => {
  const cases: [name: string, text: string][] = [
    ["nothing", ""],
    ["no version", "dns: auto\n"],
    ["an unknown key", "version: v1\nzone: [corp.example]\n"],
    ["an unknown mode", "version: v1\ndns: magic\n"],
    ["a zone of one label", "version: v1\nzones: [corp]\n"],
    ["a zone in upper case", "version: v1\nzones: [Corp.example]\n"],
    ["a public range", "version: v1\nranges: [8.8.8.0/24]\n"],
    ["a range with host bits", "version: v1\nranges: [10.213.0.1/16]\n"],
    ["a range that is too large", "version: v1\nranges: [0.0.0.0/1]\n"],
    ["an IPv6 range", 'version: v1\nranges: ["fd00::/64"]\n'],
    ["more ranges than fit", `version: v1\nranges: [${Array(33).fill("10.0.0.0/16").join()}]\n`],
    ["two documents", "version: v1\n---\nversion: v1\n"],
  ];
  for (const [name, text] of cases) {
    await t.step(name, () => throws(() => parse(text), ConfigError));
  }
});

Deno.test("allowsZone() keeps to whole labels below what root allows", async (t) => {
  const policy = { ...DEFAULT_HELPER_POLICY, zones: ["corp.example"] };
  const cases: [zone: string, want: boolean][] = [
    ["corp.example", true],
    ["a.b.corp.example", true],
    ["xcorp.example", false],
    ["example", false],
    ["bank.example", false],
  ];
  for (const [zone, want] of cases) {
    await t.step(zone, () => equal(allowsZone(policy, zone), want));
  }
  equal(allowsZone({ ...policy, zones: [] }, "corp.example"), false);
  equal(allowsZone(DEFAULT_HELPER_POLICY, "bank.example"), true);
});
