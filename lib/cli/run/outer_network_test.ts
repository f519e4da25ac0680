import { equal } from "node:assert/strict";
import { leadsOut, notCarried } from "./outer_network.ts";

const HEAD =
  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const DEFAULT4 = "eth0\t00000000\t014DA8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
const RANGE4 = "vnet0\t00004064\t00000000\t0001\t0\t0\t0\t0000C0FF\t0\t0\t0\n";
const ZEROS = "0".repeat(32);
const line6 = (bits: string, link: string) =>
  `${ZEROS} ${bits} ${ZEROS} 00 ${ZEROS} 00000400 00000001 00000000 00000003     ${link}\n`;

Deno.test("leadsOut() tells a default route from all others", async (t) => {
  const cases: [name: string, route: string, route6: string, wanted: boolean][] = [
    ["nothing at all", "", "", false],
    ["our own range only", HEAD + RANGE4, "", false],
    ["IPv4", HEAD + RANGE4 + DEFAULT4, "", true],
    ["IPv6 alone", HEAD, line6("00", "eth0"), true],
    ["the kernel's own refusal, which is on lo", HEAD, line6("00", "lo"), false],
    ["half of a default route", HEAD, line6("01", "eth0"), false],
    ["our own link", HEAD + DEFAULT4.replace("eth0", "vnet0"), line6("00", "vnet0"), false],
  ];
  for (const [name, route, route6, wanted] of cases) {
    await t.step(name, () => equal(leadsOut(route, route6), wanted));
  }
});

Deno.test("notCarried() names what is missing or failed, of what was asked for", () => {
  const left = "Only your apps are reachable, not the rest of the network: ";
  const cases: [Parameters<typeof notCarried>, string][] = [
    [["auto", []], "neither pasta nor slirp4netns is installed; pasta is in package passt"],
    [["pasta", []], "pasta is not installed; it is in package passt"],
    [["slirp4netns", []], "slirp4netns is not installed; it is in package slirp4netns"],
    [
      ["auto", ["pasta", "slirp4netns"]],
      "pasta and slirp4netns could not set it up; `vnet --verbose run` shows what was said",
    ],
    [
      ["pasta", ["pasta"]],
      "pasta could not set it up; `vnet --verbose run` shows what was said",
    ],
  ];
  for (const [args, want] of cases) equal(notCarried(...args), left + want);
});
