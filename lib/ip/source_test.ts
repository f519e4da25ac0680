import { deepEqual } from "node:assert/strict";
import { sourceOf } from "./source.ts";

Deno.test("sourceOf() counts a host, a line and a network as one", async (t) => {
  const cases: [address: string, host: string, site: string, network: string][] = [
    ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.0/24"],
    ["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.0/24"],
    ["2001:db8:1:2345::6", "2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"],
    ["::1", "::/64", "::/56", "::/48"],
    ["somewhere", "unknown", "unknown", "unknown"],
  ];
  for (const [address, host, site, network] of cases) {
    await t.step(address, () => deepEqual(sourceOf(address), { host, site, network }));
  }
});
