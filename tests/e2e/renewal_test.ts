/** Certificates for apps that live for seconds, and not one connection that fails for it. */
import { deepEqual, ok } from "node:assert/strict";
import { ownDriver } from "../../lib/client/cluster/own/mod.ts";
import { Session } from "../../lib/client/cluster/session.ts";
import { app, echoServer, never, NO_STORE, planned, saysHello, TestCluster } from "./cluster.ts";

/** How long a certificate lives, and how often one ends: `VNET_RENEWAL=20x6` is two minutes of 20 s each. */
const [LIFE_S = 5, LIVES = 4] = (Deno.env.get("VNET_RENEWAL") ?? "5x4").split("x").map(Number);
const CLOCK = {
  get nowMs() {
    return Date.now();
  },
};

Deno.test("connections go on while certificates end, and none waits or fails for that", async () => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([app("busy", echo.port), app("idle", echo.port)], {
    clock: CLOCK,
    appLifeMs: LIFE_S * 1000,
  });
  const { profile } = await cluster.login();
  const link = ownDriver({ nowMs: Date.now, store: NO_STORE }).open(profile);
  const session = new Session({ profile, link, nowMs: Date.now, secondFactor: null });
  const failures: string[] = [];
  let made = 0;
  try {
    await saysHello(await session.connect(planned("idle"), 80, never()));
    const untilMs = Date.now() + LIFE_S * LIVES * 1000;
    while (Date.now() < untilMs) {
      try {
        await saysHello(await session.connect(planned("busy"), 80, never()));
        made++;
      } catch (thrown) {
        failures.push(String(thrown));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await session.close();
  }
  deepEqual(failures, []);
  ok(made >= LIVES, `only ${made} connections`);
  const certificates = await issuedFor(cluster);
  const issued = (name: string) => certificates.filter((one) => one === name).length;
  ok(issued("busy") >= LIVES, `${issued("busy")} certificates for the app in use`);
  ok(issued("idle") <= 2, `${issued("idle")} certificates for one that was used once`);
});

/** The apps that certificates were issued for, one by one. */
async function issuedFor({ server }: TestCluster): Promise<string[]> {
  const apps: string[] = [];
  for (let after = 0;;) {
    const { events } = await server.auth.admin.readAudit(
      { after, limit: 1000, wait_seconds: 0 },
      never(),
    );
    if (events.length === 0) return apps;
    after = Math.max(...events.map(({ seq }) => seq));
    for (const { event, app } of events as { event: string; app?: string }[]) {
      if (event === "app.cert.issued" && app !== undefined) apps.push(app);
    }
  }
}
