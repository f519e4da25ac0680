/** A name that has no usable address says why, in the DNS answer itself, and is well again when the reason is gone. */
import { equal, match } from "node:assert/strict";
import { HOST_KINDS, HOST_PACKAGES } from "../host/kinds.ts";
import { story } from "../host/needs.ts";
import { fetchPackages } from "../host/packages.ts";
import { Vnet } from "../world/vnet.ts";
import { until } from "../host/wait.ts";
import { openLanHost, PASSWORD, USER, World } from "../world/world.ts";

const NEWS_MS = 10_000;
/** A refusal is told at once: nobody waits for another server, or asks for ever. */
const FAILS_MS = 5_000;
const FORGOTTEN_MS = 20_000;

story("reasons: DNS says why a name has no address", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client, cluster, vnet } = world;
  await world.up();
  const dig = async (name: string, quiet = false) => await client.output(["dig", name], { quiet });
  const comesTo = async (name: string, want: RegExp) =>
    await until(
      `dig ${name} says ${want}`,
      NEWS_MS,
      async () => want.exec(await dig(name, true)) !== null,
    );
  const create = (resource: string) => cluster.ctl(["create", "--force", "-f", "-"], resource);
  const address = await world.address("web.vnet.example.com", 4);

  await step("a zone that nobody else answers for", async () => {
    equal(await client.output(["dig", "+short", "intranet.company.test"]), "198.51.100.7");
    await create(zone(true));
    await comesTo("intranet.company.test", /status: NXDOMAIN/);
    match(await dig("intranet.company.test"), /company\.test\.\s+5\s+IN\s+SOA\s+company\.test\./);
    equal(await client.output(["curl", "-sS", "http://www.company.test:12345/"]), "port 80");
  });

  await step("an app that is withdrawn", async () => {
    await create(role("nothing"));
    await create(zone(false)); // of this the client hears at once, and asks for its apps as well
    await comesTo("web.vnet.example.com", /EDE: 0 \(Other\): \(app removed, or no longer allowed/);
    match(await dig("web.vnet.example.com"), /status: NXDOMAIN.*\n.* aa /);
    const { stdout } = await vnet.run(["resolve", "web.vnet.example.com"]);
    match(stdout, /app removed/);
    equal(await client.output(["dig", "+short", "intranet.company.test"]), "198.51.100.7");
  });

  await step("an app that is back, at its old address", async () => {
    await create(role("dev"));
    await create(zone(true));
    await comesTo("web.vnet.example.com", /status: NOERROR/);
    equal(await world.address("web.vnet.example.com", 4), address);
  });

  await step(
    "another range while a connection is open: it goes on, and the old range leaves with it",
    async () => {
      const routes = () => client.output(["ip", "route", "show", "dev", "vnet0"], { quiet: true });
      const program = `exec 3<>/dev/tcp/${address}/80; touch /run/open; ` +
        "until [ -e /run/go ]; do sleep 0.1; done; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
      const open = client.run(["bash", "-c", program], { timeoutMs: 90_000 });
      await until(
        "the connection is open",
        30_000,
        async () =>
          (await client.run(["test", "-e", "/run/open"], { expect: "any", quiet: true })).code ===
            0,
      );
      await create(zone(true, "100.101.0.0/16"));
      await comesTo("web.vnet.example.com", /\sA\s+100\.101\./);
      equal(
        await client.output(["curl", "-sS", "--max-time", "5", "http://web.vnet.example.com/"]),
        "port 80",
      );
      match(await routes(), /^100\.100\.0\.0\/16 /m);
      await client.run(["touch", "/run/go"]);
      match((await open).stdout, /port 80/);
      await until(
        "the old range is gone",
        30_000,
        async () => !/^100\.100\.0\.0\/16 /m.test(await routes()),
      );
      match(await routes(), /^100\.101\.0\.0\/16 /m);
    },
  );

  await step("an app that is denied: refused, or unknown by then, and why", async () => {
    const curl = ["curl", "-sS", "--max-time", "5", "http://web.vnet.example.com/"];
    equal(await client.output(curl), "port 80");
    await create(role("nothing"));
    // The news may be there before curl is.
    const { code } = await client.run(curl, { expect: [6, 7] });
    await comesTo(
      "web.vnet.example.com",
      code === 7
        ? /EDE: (18 \(Prohibited\): \(access denied\)|0 \(Other\): \(app removed)/
        : /EDE: 0 \(Other\): \(app removed, or no longer allowed/,
    );
    await create(role("dev"));
    await create(zone(false));
    await comesTo("web.vnet.example.com", /status: NOERROR/);
  });

  await step(
    "a proxy that is stopped: refused with the reason, and well again when it goes on",
    async () => {
      const curl = ["curl", "-sS", "--max-time", "30", "http://web.vnet.example.com/"];
      cluster.server.signal("SIGSTOP");
      try {
        await client.run(curl, { expect: [7], timeoutMs: 40_000 });
        match((await vnet.run(["status"])).stdout, /the proxy is silent/);
      } finally {
        cluster.server.signal("SIGCONT");
      }
      await until(
        "the app answers",
        30_000,
        async () =>
          (await client.run(curl, { expect: "any", timeoutMs: 40_000, quiet: true })).stdout
            .trim() ===
            "port 80",
      );
    },
  );

  await step("a login that is over", async () => {
    await cluster.ctl(["users", "reset", USER]);
    await comesTo("web.vnet.example.com", /status: REFUSED/);
    match(
      await dig("web.vnet.example.com"),
      /EDE: 18 \(Prohibited\): \(not logged in to \S+, run: vnet login --proxy vnet\.example\.com\)/,
    );
    match(await dig("nothing.vnet.example.com"), /status: NXDOMAIN/);
  });
  await vnet.run(["down"]);
});

story(
  "reasons: a login that is over and one that is new, whoever looks after DNS",
  async (step, lab) => {
    const world = await World.open(lab, "nginx");
    for (const [index, kind] of HOST_KINDS.entries()) {
      await step(kind.name, async () => {
        const host = await openLanHost(lab, world.router, kind.name, 30 + index);
        await kind.prepare(lab, host);
        const vnet = new Vnet(host);
        await world.login(vnet);
        await vnet.run(["up", "--detach"]);
        const lookup = ["getent", "ahostsv4", "web.vnet.example.com"];
        match(await host.output(lookup), /^100\.100\./);
        const reset = ["users", "reset", USER, "--password-stdin"];
        await world.cluster.ctl(reset, `${PASSWORD}\n`);
        await until("the login is over", NEWS_MS, async () => {
          const { profiles } = await vnet.json<Profiles>(["status"], { quiet: true });
          return profiles[0]?.state === "expired";
        });
        // what was answered before lives 10 s in the caches of the machine
        await until("the name has no address", FORGOTTEN_MS, async () => {
          const { code } = await host.run(lookup, {
            expect: "any",
            timeoutMs: FAILS_MS,
            quiet: true,
          });
          return code === 2;
        });
        match(await host.output(["getent", "ahostsv4", "www.example.com"]), /^198\.51\.100\.80 /);
        await world.login(vnet);
        await until("the name is back", FORGOTTEN_MS, async () => {
          const { stdout } = await host.run(lookup, { expect: "any", quiet: true });
          return /^100\.100\./.test(stdout);
        });
        equal(await host.output(["curl", "-sS", "http://web.vnet.example.com/"]), "port 80");
        await vnet.run(["down"]);
      });
    }
  },
  await fetchPackages(...HOST_PACKAGES),
);

interface Profiles {
  readonly profiles: readonly { readonly state: string }[];
}

function role(env: string): string {
  return JSON.stringify({
    kind: "role",
    version: "v1",
    metadata: { name: "dev" },
    spec: { allow: { app_labels: { env: [env] } } },
  });
}

function zone(isPrivate: boolean, range = "100.100.0.0/16"): string {
  const custom = { suffix: "company.test", private: isPrivate };
  return JSON.stringify({
    kind: "vnet_config",
    version: "v1",
    metadata: { name: "vnet-config" },
    spec: { ipv4_cidr_range: range, custom_dns_zones: [custom] },
  });
}
