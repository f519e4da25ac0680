import { equal } from "node:assert/strict";
import { parseIp } from "./address.ts";
import { parsePrefix } from "./prefix.ts";
import {
  isCgnat,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isPrivate,
  isPrivatePrefix,
  isUniqueLocal,
  isUnspecified,
} from "./ranges.ts";

Deno.test("addresses are of the kind the registry says, at both edges", async (t) => {
  const cases: [
    kind: (address: ReturnType<typeof parseIp>) => boolean,
    inside: string[],
    outside: string[],
  ][] = [
    [isLoopback, ["127.0.0.0", "127.255.255.255", "::1", "::ffff:127.0.0.1"], [
      "126.255.255.255",
      "128.0.0.0",
      "::2",
    ]],
    [isUnspecified, ["0.0.0.0", "::"], ["0.0.0.1", "::1"]],
    [isLinkLocal, ["169.254.0.1", "fe80::1", "febf::1"], ["169.253.0.1", "fec0::1"]],
    [isMulticast, ["224.0.0.1", "239.255.255.255", "ff02::1"], [
      "223.255.255.255",
      "240.0.0.0",
      "fe00::",
    ]],
    [isCgnat, ["100.64.0.0", "100.127.255.255", "::ffff:100.64.0.1"], [
      "100.63.255.255",
      "100.128.0.0",
    ]],
    [isUniqueLocal, ["fc00::", "fdff::1"], ["fbff::", "fe00::"]],
    [isPrivate, ["10.0.0.0", "172.31.255.255", "192.168.0.1", "100.64.0.1", "fd00::1"], [
      "172.32.0.0",
      "11.0.0.0",
      "2001:db8::1",
      "8.8.8.8",
    ]],
  ];
  for (const [kind, inside, outside] of cases) {
    await t.step(kind.name, () => {
      for (const text of inside) equal(kind(parseIp(text)), true, text);
      for (const text of outside) equal(kind(parseIp(text)), false, text);
    });
  }
});

Deno.test("isPrivatePrefix() wants the whole prefix inside", () => {
  for (const text of ["10.0.0.0/8", "100.64.0.0/10", "192.168.4.0/27", "fd00::/64"]) {
    equal(isPrivatePrefix(parsePrefix(text)), true, text);
  }
  for (const text of ["10.0.0.0/7", "100.0.0.0/9", "0.0.0.0/0", "::/0", "8.8.8.0/24"]) {
    equal(isPrivatePrefix(parsePrefix(text)), false, text);
  }
});
