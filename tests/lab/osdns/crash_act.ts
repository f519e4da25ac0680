/**
 * A process that points the host at a server, or back, or repairs, for the sweep of kills. Its arguments make it
 * what tools/kill_at.c counts: `helper --client cycle`, `helper --client up`, `repair`.
 *
 * - cycle: up and down once
 * - up: up, and killed as it is
 *
 * @module
 */
import { parseEndpoint } from "../../../lib/ip/mod.ts";
import { thisMachine } from "../../../lib/os/mod.ts";
import { OsDns, repair, serverNeedsPort53 } from "../../../lib/os/linux/dns/mod.ts";

const JOURNAL = "/var/lib/vnet";
const what = Deno.args.at(-1);

if (what === "repair") {
  await repair(JOURNAL);
} else {
  const { ifindex } = thisMachine().root.links.openTun({ name: "vnet0", vnetHeader: false });
  const dns = await OsDns.open({ journalDir: JOURNAL });
  const { backend } = await dns.detect("auto");
  const server = serverNeedsPort53(backend) ? "127.0.53.1:53" : "127.0.0.1:5300";
  await dns.apply({
    ...{ link: "vnet0", ifindex, zones: ["corp.example.com"], mode: "auto" },
    server: parseEndpoint(server),
  });
  if (what === "up") Deno.kill(Deno.pid, "SIGKILL");
  await dns.close();
}
