/** What a leaf and its root's users hold does not last: it is renewed ahead, and nobody waits for that. */
import { deepEqual, ok } from "node:assert/strict";
import { ownDriver } from "../../lib/client/cluster/own/mod.ts";
import { Session } from "../../lib/client/cluster/session.ts";
import { appId } from "../../lib/io/mod.ts";
import { parsePrefix } from "../../lib/ip/mod.ts";
import { audited, never, NO_STORE, saysHello } from "./cluster.ts";
import { LeafWorld, refOf } from "./leaf_world.ts";

const HALF_A_LIFE_MS = 13 * 3_600_000;
/** How long a certificate for an app lives, and for how many of these lives connections are made. */
const LIFE_MS = 4_000;
const LIVES = 3;
const CLOCK = {
  get nowMs() {
    return Date.now();
  },
};

Deno.test("a leaf renews its certificate at half its life, and is connected by the new one", async (t) => {
  await using world = await LeafWorld.joined({ behindMs: HALF_A_LIFE_MS });
  const { root, leaf } = world;
  const until = () => leaf.server.auth.roots.links()[0]?.expiresMs ?? 0;
  const first = until();
  await t.step("ahead of its end, and on record at the root", async () => {
    for (const { clock } of [root, leaf]) clock.nowMs += HALF_A_LIFE_MS;
    await root.restart(); // its own certificate is to last for what follows
    await leaf.restart();
    for (;;) {
      const revision = leaf.server.auth.revision();
      if (until() > first) break;
      await leaf.server.auth.changed(revision, never());
    }
    await audited(root, ({ event, name }) => event === "leaf.renewed" && name === leaf.name);
    await world.online();
    await using client = world.client(await root.login());
    await saysHello(await client.open("echo"));
  });
  await t.step("it comes in by the new one when the first has ended", async () => {
    const channel = () => root.server.auth.leaves.agents.agentsFor(appId(leaf.name, "echo"))[0];
    const before = channel()?.instance;
    root.clock.nowMs = first;
    await leaf.restart();
    for (;;) {
      const revision = root.server.auth.revision();
      const { instance } = channel() ?? {};
      if (instance !== undefined && instance !== before) break;
      await root.server.auth.changed(revision, never());
    }
  });
});

Deno.test("connections to a leaf's app go on while certificates for it end", async () => {
  await using world = await LeafWorld.joined({ clock: CLOCK, appLifeMs: LIFE_MS });
  const { profile } = await world.root.login();
  const link = ownDriver({ nowMs: Date.now, store: NO_STORE }).open(profile);
  const session = new Session({ profile, link, nowMs: Date.now, secondFactor: null });
  const target = { ...refOf("echo"), range: parsePrefix("100.64.0.0/10") };
  let made = 0;
  try {
    const untilMs = Date.now() + LIFE_MS * LIVES;
    while (Date.now() < untilMs) {
      await saysHello(await session.connect(target, 80, never()));
      made++;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await session.close();
  }
  ok(made >= LIVES, `only ${made} connections`);
  const { events } = await world.root.server.auth.admin.readAudit(
    { after: 0, limit: 1000, wait_seconds: 0 },
    never(),
  );
  const issued = events.filter(({ event }) => event === "app.cert.issued");
  ok(issued.length >= LIVES, `${issued.length} certificates`);
  deepEqual([...new Set(issued.map(({ app }) => app))], ["echo"]);
});
