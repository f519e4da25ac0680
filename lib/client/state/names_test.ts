import { deepEqual } from "node:assert/strict";
import type { AppTarget, Plan } from "../../plan/mod.ts";
import { EDE, judge, parseDomainName, questionOf, RR_TYPE } from "../../dns/mod.ts";
import { parseIpv4, parseIpv6, parsePrefix } from "../../ip/mod.ts";
import { loggedOut } from "./troubles.ts";
import { compileNames, type NamesOptions } from "./names.ts";

const RANGE = parsePrefix("100.64.0.0/24");

function target(profile: string, appId: string): AppTarget {
  return {
    kind: "tcp",
    profile,
    cluster: profile,
    app: appId,
    appId,
    ports: null,
    httpHosts: null,
    range: RANGE,
  };
}

const PLAN: Plan = {
  zones: [parseDomainName("corp.example"), parseDomainName("secret.test")],
  privateZones: new Set([parseDomainName("secret.test")]),
  excluded: [parseDomainName("proxy.corp.example")],
  targets: new Map([
    [parseDomainName("db.corp.example"), target("corp", "db")],
    [parseDomainName("web.corp.example"), target("corp", "web")],
    [parseDomainName("full.corp.example"), target("corp", "full")],
    [parseDomainName("old.secret.test"), target("other", "old")],
  ]),
  ranges: [RANGE],
  warnings: [],
  standings: [],
  grants: new Map(),
  refusedNames: [],
};

const OPTIONS: NamesOptions = {
  plan: PLAN,
  addresses: new Map(
    ["db.corp.example", "web.corp.example", "old.secret.test"].map((name, index) => [
      parseDomainName(name),
      { ipv4: parseIpv4(`100.64.0.${10 + index}`), ipv6: parseIpv6(`fd00::${10 + index}`) },
    ]),
  ),
  link: {
    self4: parseIpv4("100.64.0.1"),
    peer4: parseIpv4("100.64.0.2"),
    self6: parseIpv6("fd00::1"),
    peer6: parseIpv6("fd00::2"),
    prefix6: parsePrefix("fd00::/64"),
  },
  ipv6: true,
  allDns: false,
  troubles: {
    denied: new Map([["web", {
      untilMs: 1,
      trouble: { kind: "access-denied", text: "access denied" },
    }]]),
    removed: new Map([
      [parseDomainName("gone.corp.example"), 1],
      [parseDomainName("gone.elsewhere.test"), 1],
    ]),
  },
  profiles: new Map([["other", loggedOut("Other", "other.example:443")]]),
};

Deno.test("compileNames() has DNS say why a name has no address", () => {
  const { table } = compileNames(OPTIONS);
  const found = (name: string) => {
    const verdict = judge(questionOf(name, RR_TYPE.A), table);
    const error = "error" in verdict ? verdict.error : null;
    return error === null ? [verdict.kind, verdict.rule] : [verdict.kind, error.code, error.text];
  };
  const cases: [name: string, want: unknown[]][] = [
    ["db.corp.example", ["answer", "app-address"]],
    ["vnet-diag-0a1b.corp.example", ["answer", "probe"]],
    ["web.corp.example", ["refuse", EDE.PROHIBITED, "access denied"]],
    ["gone.corp.example", [
      "nx-domain",
      EDE.OTHER,
      "app removed, or no longer allowed by your roles",
    ]],
    ["full.corp.example", ["refuse", EDE.OTHER, "no free address for this name"]],
    ["old.secret.test", [
      "refuse",
      EDE.PROHIBITED,
      "not logged in to Other, run: vnet login --proxy other.example:443",
    ]],
    ["gone.elsewhere.test", ["forward", "outside"]],
    ["nobody.corp.example", ["forward", "zone-unknown"]],
    ["corp.example", ["forward", "zone-apex"]],
    ["proxy.corp.example", ["forward", "proxy-name"]],
    ["nobody.secret.test", ["nx-domain", "private-unknown"]],
    ["secret.test", ["no-data", "private-apex"]],
  ];
  deepEqual(cases.map(([name]) => [name, found(name)]), cases);
});
