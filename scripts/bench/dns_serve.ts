/**
 * vnet's DNS server alone, for the bench: a thousand owned names, everything else forwarded.
 * Prints its endpoint, then serves until its standard input ends.
 *
 *   deno run -A scripts/bench/dns_serve.ts UPSTREAM ZONE COUNT
 *
 * @module
 */
import { DnsServer } from "../../lib/client/dns/server.ts";
import type { HelperLink } from "../../lib/client/setup/helper_link.ts";
import { type NameEntry, NameTable, parseDomainName } from "../../lib/dns/mod.ts";
import { formatEndpoint, ipv4, parseEndpoint, parseIpv6, parsePrefix } from "../../lib/ip/mod.ts";
import { thisMachine } from "../../lib/os/mod.ts";

const [upstream = "", zone = "", count = ""] = Deno.args;
const FIRST_ADDRESS = 0x6440_0100;

const entry = (index: number): NameEntry => ({
  ipv4: ipv4(FIRST_ADDRESS + index),
  ipv6: parseIpv6(`fd00::${(index + 1).toString(16)}`),
});
const table = new NameTable({
  zones: [{ suffix: parseDomainName(zone), private: false }],
  names: new Map(
    Array.from({ length: Number(count) }, (_, i) => [parseDomainName(`app${i}.${zone}`), entry(i)]),
  ),
  reverse: [parsePrefix("100.64.0.0/16"), parsePrefix("fd00::/64")],
});
await using server = await DnsServer.open({
  sockets: thisMachine().sockets,
  helper: {} as HelperLink, // not asked: the port is a free one
  needsPort53: false,
  table,
});
server.setUpstreams([parseEndpoint(upstream)]);
Deno.stdout.writeSync(new TextEncoder().encode(`${formatEndpoint(server.endpoint)}\n`));
for await (const _ of Deno.stdin.readable) {
  // Whatever it is: only the end counts.
}
