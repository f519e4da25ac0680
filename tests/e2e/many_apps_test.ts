/** Agents with more apps than one certificate, and one message, has room for. */
import { equal, ok, rejects } from "node:assert/strict";
import { ConfigError } from "../../lib/error.ts";
import { appId } from "../../lib/io/mod.ts";
import { app, carriesHello, CLUSTER, echoServer, TestCluster } from "./cluster.ts";

/** What one agent serves at most, as docs/configuration.md says. */
const MOST = 5000;

function apps(count: number, port: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    app(`app-${i}`, port, {
      labels: { env: "dev", team: `team-${i % 50}`, purpose: "one of very many services" },
    }));
}

Deno.test("an agent serves 5000 apps, and is told clearly when it names more", async (t) => {
  await using echo = echoServer();
  await using cluster = await TestCluster.start([]);
  const login = await cluster.login();
  const pool = cluster.pool();
  try {
    await using _agent = await cluster.joinAgent("many", apps(MOST, echo.port));

    await t.step("all are served, and listed", async () => {
      await cluster.served(`app-${MOST - 1}`);
      const link = cluster.driver.open(login.profile);
      const view = await link.view(new AbortController().signal).finally(() => link.close());
      equal(view.apps.length, MOST);
    });

    for (const index of [0, 63, 64, 849, MOST - 1]) {
      await t.step(`a flow to number ${index + 1}`, async () => {
        await carriesHello(pool, await cluster.target(`app-${index}`, { login }));
      });
    }

    await t.step("its certificates name each app once, and few at a time", async () => {
      const target = await cluster.target("app-70", { login });
      const other = { ...target, appId: appId(CLUSTER, "app-1") };
      await rejects(carriesHello(pool, other), { code: /^(ticket-refused|agent-untrusted)$/ });
    });
  } finally {
    await pool.close();
  }

  await t.step("one more is a mistake in its file", async () => {
    await rejects(
      cluster.joinAgent("too-many", apps(MOST + 1, echo.port)),
      (thrown: ConfigError) => {
        ok(thrown instanceof ConfigError);
        ok(thrown.message.includes("at most 5000 apps"), thrown.message);
        return true;
      },
    );
  });
});
