/** The same as `connect` behind a host firewall that drops what it does not know. */
import { checkBulk, checkReach, checkRefusals } from "../check/checks.ts";
import { story } from "../host/needs.ts";
import { World } from "../world/world.ts";

story("firewall: an INPUT policy of drop changes nothing", async (step, lab) => {
  const world = await World.open(lab, "postgres", "nginx", "redis", "sockets");
  await world.client.script(`
    nft add table inet firewall
    nft add chain inet firewall input '{ type filter hook input priority 0; policy drop; }'
    nft add rule inet firewall input iifname lo accept
    nft add rule inet firewall input ct state established,related accept
    nft add rule inet firewall input icmpv6 type '{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }' accept
  `);
  await world.up();
  await checkReach(step, world);
  await checkBulk(step, world);
  await checkRefusals(step, world);
});
