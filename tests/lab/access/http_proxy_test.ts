/** A client that only an HTTP proxy leads out of its network: login, up, connections, and what is said when it fails. */
import { equal, match, ok } from "node:assert/strict";
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import { story } from "../host/needs.ts";
import { here } from "../host/paths.ts";
import { killQuietly, type LabProcess } from "../host/process.ts";
import { until } from "../host/wait.ts";
import { PASSWORD, USER, World } from "../world/world.ts";
import type { Status } from "../world/vnet.ts";

const PROXY = "192.168.77.20:3128";
const URL_OF = (password: string) => ({ HTTPS_PROXY: `http://carol:${password}@${PROXY}` });

story("http proxy: a client behind a firewall that lets nothing else out", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client, lan, router, vnet, cluster } = world;
  // deno-fmt-ignore
  const login = ["login", "--proxy", "vnet.example.com", "--user", USER, "--ca-pin", cluster.caPin,
    "--password-stdin"];
  const stdin = `${PASSWORD}\n`;
  const curl = [
    "curl",
    "-sS",
    "-o",
    "/dev/null",
    "--max-time",
    "10",
    "http://web.vnet.example.com/big",
  ];
  let proxy = await startProxy(lab, lan);
  await router.script(`
    nft add table inet wall
    nft add chain inet wall forward '{ type filter hook forward priority 0; }'
    nft add rule inet wall forward ip saddr 192.168.77.10 tcp dport 443 reject with tcp reset
    nft add rule inet wall forward ip6 saddr 2001:db8:77::10 tcp dport 443 reject with tcp reset
  `);

  await step("there is no direct way: proxy-unreachable", async () => {
    const outcome = await vnet.run(login, { stdin, expect: "any" });
    equal(outcome.code, 1);
    match(outcome.stderr, /\[proxy-unreachable\]/);
  });

  await step(
    "another password: http-proxy-denied, with a hint and without the password",
    async () => {
      const outcome = await vnet.run(login, { stdin, expect: "any", env: URL_OF("guess") });
      equal(outcome.code, 1);
      match(outcome.stderr, /\[http-proxy-denied\]\n.*hint: .*HTTPS_PROXY/s);
      ok(!outcome.stderr.includes("guess"));
    },
  );

  await step("the right one: logged in", async () => {
    await vnet.run(login, { stdin, env: URL_OF("s%3Acret") });
  });

  await step("up without a variable, and an app is reached through it", async () => {
    await vnet.run(["up", "--detach"]);
    await vnet.run(["wait"]);
    await client.run(curl);
  });

  await step("the doctor goes the same way", async () => {
    const { stdout } = await vnet.run(["doctor", "--only", "net.proxy"]);
    match(stdout, /answers in \d+ ms/);
  });

  await step("the HTTP proxy is gone: refused, and the status says by whom", async () => {
    killQuietly(proxy.pid, "SIGKILL");
    await proxy.status;
    await client.run(curl, { expect: [7] });
    const { connections } = await vnet.json<Status>(["status"]);
    equal(connections.recent_failures.at(-1)?.code, "http-proxy-unreachable");
  });

  await step("it is back: reached again, without another login", async () => {
    proxy = await startProxy(lab, lan);
    await until("the app is reached", 20_000, async () => {
      return (await client.run(curl, { expect: "any" })).code === 0;
    });
  });

  await vnet.run(["down"]);
});

async function startProxy(lab: Lab, host: Host): Promise<LabProcess> {
  // deno-fmt-ignore
  const started = host.spawn(["deno", "run", "-A", "--config", here("../../deno.json"),
    here("../doubles/connect_proxy.ts"), "0.0.0.0", "3128", "carol:s:cret"], { log: lab.log("http-proxy") });
  await started.line(/^ready$/, 15_000);
  return started;
}
