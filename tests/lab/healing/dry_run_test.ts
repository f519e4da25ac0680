/** `vnet up --dry-run` prints what `vnet -v up` says while it does it, line by line. */
import { deepEqual, ok } from "node:assert/strict";
import type { Host } from "../host/host.ts";
import { HOST_KINDS, HOST_PACKAGES } from "../host/kinds.ts";
import { story } from "../host/needs.ts";
import { fetchPackages } from "../host/packages.ts";
import { Vnet } from "../world/vnet.ts";
import { openLanHost, World } from "../world/world.ts";

const LOG = "/var/lib/vnet/daemon-0.log";

/** The kernel chooses a free port of the loopback address where any will do. */
const CHOSEN_PORT = /(127\.0\.0\.1[:#])[0-9]+/;
/** The first start chooses a prefix that it then keeps. */
const CHOSEN_PREFIX = /\bfd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::/;
const CHOSEN_REVERSE = /([0-9a-f]\.){10}d\.f\.ip6/;

const unfetched = await fetchPackages(...HOST_PACKAGES);

story("dry run: what is printed is what is done", async (step, lab) => {
  const world = await World.open(lab);
  for (const [index, kind] of HOST_KINDS.entries()) {
    await step(kind.name, async () => {
      const host = await openLanHost(lab, world.router, kind.name, 30 + index);
      await kind.prepare(lab, host);
      const vnet = new Vnet(host);
      await world.login(vnet);
      const first = await dryRun(vnet);
      await vnet.run(["-v", "up", "--detach"]);
      const done = (await doneOn(host)).map((line) => line.replace(CHOSEN_PORT, "$1PORT"));
      ok(done.length > 5);
      deepEqual(first, done.map(withoutPrefix));
      await vnet.run(["down"]);
      deepEqual(await dryRun(vnet), done);
    });
  }
}, unfetched);

function withoutPrefix(line: string): string {
  return line.replace(CHOSEN_PREFIX, "fdxx:xxxx:xxxx::")
    .replace(CHOSEN_REVERSE, `${"x.".repeat(10)}d.f.ip6`);
}

async function dryRun(vnet: Vnet): Promise<string[]> {
  return (await vnet.run(["up", "--dry-run"])).stdout.trimEnd().split("\n");
}

/** The lines that the daemon says while it goes through them. */
async function doneOn(host: Host): Promise<string[]> {
  const text = await host.output(["cat", LOG], { quiet: true });
  return text.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))
    .filter(({ message }) => message === "Applied")
    .map(({ properties }) => String(properties.step));
}
