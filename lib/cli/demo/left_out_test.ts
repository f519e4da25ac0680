import { deepEqual, equal, match } from "node:assert/strict";
import { CHECKS } from "./checks.ts";
import { leftOutOf, renderLeftOut } from "./left_out.ts";

const up = { title: "bring vnet up", evidence: "vnet0 100.64.0.0/10" };

Deno.test("leftOutOf() shows every claim where the machine has all it takes", () => {
  const { shown, hidden } = leftOutOf(CHECKS, { prepared: true, hasIpv6: true, last: up });
  deepEqual([shown, hidden], [CHECKS, []]);
  equal(renderLeftOut(hidden), "");
});

Deno.test("leftOutOf() leaves out what needs IPv6 where there is none", () => {
  const { shown, hidden } = leftOutOf(CHECKS, { prepared: true, hasIpv6: false, last: up });
  equal(shown.length, CHECKS.length - 1);
  match(renderLeftOut(hidden), /^the web app answers over IPv6 +this machine has no IPv6 +sudo /m);
});

Deno.test("leftOutOf() tells the cause and the hint of a world that did not get up", () => {
  const last = {
    title: "bring vnet up",
    evidence: "Cannot open: no /dev/net/tun; Run `modprobe tun`",
  };
  const { shown, hidden } = leftOutOf(CHECKS, { prepared: false, hasIpv6: true, last });
  deepEqual([shown, hidden], [[], [{
    what: `${CHECKS.length} claims, after "bring vnet up"`,
    why: "Cannot open: no /dev/net/tun",
    remedy: "Run `modprobe tun`",
  }]]);
});
