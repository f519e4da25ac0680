/** A person logs in, brings vnet up, and everything they know how to use just works. */
import { deepEqual, equal, match } from "node:assert/strict";
import { checkBulk, checkReach, checkRefusals } from "../check/checks.ts";
import { checkSecondFactor } from "../check/second_factor.ts";
import { story } from "../host/needs.ts";
import type { Vnet } from "../world/vnet.ts";
import { until } from "../host/wait.ts";
import { World } from "../world/world.ts";

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

  const judgedUp = await judged(world.vnet, "daemon");
  await checkSecondFactor(step, world);

  await step("vnet down leaves the host as it was", async () => {
    await world.vnet.run(["down"]);
    equal(await world.client.output(["cat", "/etc/resolv.conf"]), before);
    equal(await world.client.output(["ip", "-o", "link", "show", "type", "tun"]), "");
    equal(await world.client.output(["ip", "route", "show", "table", "all", "100.100.0.0/16"]), "");
    match(await world.client.output(["dig", "pg.vnet.example.com"]), /status: NXDOMAIN/);
    await until("no process is left", 2_000, () => world.client.processes().length === 0);
  });

  await step("vnet resolve says the same with the daemon down", async () => {
    deepEqual(await judged(world.vnet, "saved-state"), judgedUp);
    deepEqual(judgedUp.map(({ rule }) => rule), [
      ...["app-address", "app-address", "app-other-type", "probe", "proxy-name"],
      ...["zone-unknown", "outside", "reverse-known"],
    ]);
  });

  await step("without a login there is nothing to bring up", async () => {
    await world.vnet.run(["logout"]);
    equal((await world.vnet.run(["up", "--detach"], { expect: [4] })).code, 4);
    equal((await world.vnet.run(["status"], { expect: [5] })).code, 5);
  });
});

/** What `vnet resolve` says about a name of every kind. */
async function judged(vnet: Vnet, source: string): Promise<Judged[]> {
  const [address = ""] = (await resolve(vnet, "pg.vnet.example.com", "A")).addresses;
  const questions: [name: string, type: string][] = [
    ["pg.vnet.example.com", "A"],
    ["WEB.vnet.example.com.", "AAAA"],
    ["web.vnet.example.com", "HTTPS"],
    ["vnet-diag-0a1b2c.company.test", "A"],
    ["vnet.example.com", "A"],
    ["nothing.company.test", "A"],
    ["www.example.com", "A"],
    [address, "PTR"],
  ];
  const answers: Judged[] = [];
  for (const [name, type] of questions) {
    const { source: from, ...rest } = await resolve(vnet, name, type);
    equal(from, source);
    answers.push(rest);
  }
  return answers;
}

interface Judged {
  readonly verdict: string;
  readonly rule: string;
  readonly reason: string;
  readonly addresses: readonly string[];
}

function resolve(vnet: Vnet, name: string, type: string) {
  return vnet.json<Judged & { source: string }>(["resolve", name, "--type", type]);
}
