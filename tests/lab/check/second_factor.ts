/**
 * Apps that ask for a second factor for each session, with real programs that wait for it.
 *
 * @module
 */
import { deepEqual, equal, match } from "node:assert/strict";
import { type TOTP, URI } from "otpauth";
import type { Step } from "../host/needs.ts";
import { until } from "../host/wait.ts";
import type { Status, Vnet } from "../world/vnet.ts";
import { PASSWORD, USER, type World } from "../world/world.ts";

const PERIOD_MS = 30_000;

const STRICT = `kind: role
version: v1
metadata: { name: dev }
spec:
  allow: { app_labels: { env: [dev] } }
  options: { require_session_mfa: true }
`;

interface Waiting {
  readonly waiting: readonly { readonly id: string; readonly app: string; readonly port: number }[];
}

/** Has the role ask for a code, and logs in again. @returns What makes codes; one of them was used. */
export async function demandSecondFactor({ cluster }: World, vnet: Vnet): Promise<TOTP> {
  const reset = ["users", "reset", USER, "--totp", "--password-stdin"];
  const said = await cluster.ctl(reset, `${PASSWORD}\n`);
  const totp = URI.parse(/otpauth:\S+/.exec(said)?.[0] ?? "") as TOTP;
  await cluster.ctl(["create", "--force", "-f", "-"], STRICT);
  // A code works once, and so does the one before it.
  const earlier = totp.generate({ timestamp: Date.now() - PERIOD_MS });
  await vnet.run(["login", "--proxy", "vnet.example.com", "--user", USER, "--password-stdin"], {
    stdin: `${PASSWORD}\n${earlier}\n`,
  });
  return totp;
}

/** The role asks for a code, and everybody is logged in again. The role stays so. */
export async function checkSecondFactor(step: Step, world: World): Promise<void> {
  const { client, vnet } = world;
  const get = (port: number) =>
    client.run(["curl", "-sS", "--max-time", "20", `http://web.vnet.example.com:${port}/`], {
      expect: [0, 7],
    });
  const waiting = () => vnet.json<Waiting>(["mfa", "ls"], { quiet: true });

  await step("a second factor is asked for once, and connections wait for it", async () => {
    const totp = await demandSecondFactor(world, vnet);
    const both = Promise.all([get(80), get(80)]);
    await until("a question waits", 5_000, async () => (await waiting()).waiting.length > 0);
    deepEqual((await waiting()).waiting.map(({ app, port }) => [app, port]), [["web", 80]]);
    match(await vnet.run(["status"]).then(({ stdout }) => stdout), /waits +web .*vnet mfa approve/);
    equal((await vnet.run(["mfa", "approve", "000000"], { expect: [1] })).code, 1);
    await vnet.run(["mfa", "approve", totp.generate()]);
    deepEqual((await both).map(({ code, stdout }) => [code, stdout.trim()]), [
      [0, "port 80"],
      [0, "port 80"],
    ]);
    equal((await get(80)).code, 0); // as long as the certificate lasts
  });

  await step("a no refuses the connection at once", async () => {
    const refused = get(8080);
    await until("a question waits", 5_000, async () => (await waiting()).waiting.length > 0);
    await vnet.run(["mfa", "decline"]);
    equal((await refused).code, 7);
    const { connections } = await vnet.json<Status>(["status"]);
    equal(connections.recent_failures[0]?.code, "mfa-declined");
    equal((await vnet.run(["mfa", "approve", "123456"], { expect: [2] })).code, 2);
  });
}
