/** A person logs in, brings vnet up, and everything they know how to use just works. */
import { equal, match } from "node:assert/strict";
import { checkBulk, checkReach, checkRefusals } from "./checks.ts";
import { story } from "./needs.ts";
import { until } from "./wait.ts";
import { World } from "./world.ts";

story("connect: real programs reach real servers by name", async (step, lab) => {
  const world = await World.open(lab, "postgres", "nginx", "redis", "sockets");
  const before = await world.client.output(["cat", "/etc/resolv.conf"]);
  const status = await world.up();

  await step("vnet status tells what is up", () => {
    equal(status.state, "ready");
    equal(status.link?.name, "vnet0");
    match(status.link?.ipv4 ?? "", /^100\.100\.0\.1(\/16)?$/);
  });
  await checkReach(step, world);
  await checkBulk(step, world);
  await checkRefusals(step, world);

  await step("vnet down leaves the host as it was", async () => {
    await world.vnet.run(["down"]);
    equal(await world.client.output(["cat", "/etc/resolv.conf"]), before);
    equal(await world.client.output(["ip", "-o", "link", "show", "type", "tun"]), "");
    equal(await world.client.output(["ip", "route", "show", "table", "all", "100.100.0.0/16"]), "");
    match(await world.client.output(["dig", "pg.vnet.example.com"]), /status: NXDOMAIN/);
    await until("no process is left", 2_000, () => world.client.processes().length === 0);
  });

  await step("without a login there is nothing to bring up", async () => {
    await world.vnet.run(["logout"]);
    equal((await world.vnet.run(["up", "--detach"], { expect: [4] })).code, 4);
    equal((await world.vnet.run(["status"], { expect: [5] })).code, 5);
  });
});
