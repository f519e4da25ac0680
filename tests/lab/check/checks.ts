/**
 * What must work on a client host where vnet is up, whatever else is the matter with that host.
 *
 * @module
 */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { formatIp, parseEndpoint } from "../../../lib/ip/mod.ts";
import type { Step } from "../host/needs.ts";
import { BIG_FILE_BYTES, SPEAKS_FIRST_BYTES } from "../world/services.ts";
import { connect, readThenSend, sendThenRead } from "./tools.ts";
import type { Attempt } from "./tools.ts";
import type { Status } from "../world/vnet.ts";
import type { World } from "../world/world.ts";

/** How long a client may wait for the truth about a target that refuses. */
const REFUSED_WITHIN_MS = 1_000;

/** Where a TUN client's IPv6 twin lies: unique local addresses. */
const TWIN = /^fd[0-9a-f]{2}:/;

/** Names become addresses, addresses become connections to real servers, by real programs. */
export async function checkReach(step: Step, world: World): Promise<void> {
  const { client } = world;

  await step("getent finds an app in the cluster's range, by IPv4 and IPv6", async () => {
    match(await world.address("pg.vnet.example.com", 4), /^100\.100\./);
    match(await world.address("pg.vnet.example.com", 6), TWIN);
    match(await world.address("redis.eu.company.test", 4), /^100\.100\./);
  });

  await step("dig gets the same addresses, by UDP and by TCP", async () => {
    const ipv4 = await world.address("web.vnet.example.com", 4);
    const ipv6 = await world.address("web.vnet.example.com", 6);
    equal(await client.output(["dig", "+short", "web.vnet.example.com"]), ipv4);
    equal(await client.output(["dig", "+short", "+tcp", "AAAA", "WEB.vnet.example.com"]), ipv6);
  });

  await step("dig gets them over IPv6 as well as over IPv4", async () => {
    const ipv4 = await world.address("web.vnet.example.com", 4);
    const { dns } = await world.vnet.json<Status>(["status"]);
    const listeners = (dns?.listeners ?? []).map(parseEndpoint);
    deepEqual(listeners.map(({ address }) => address.family), [4, 6]);
    for (const { address, port } of listeners) {
      const dig = ["dig", `-${address.family}`, `@${formatIp(address)}`, "-p", `${port}`, "+short"];
      equal(await client.output([...dig, "web.vnet.example.com"]), ipv4);
      equal(await client.output([...dig, "+tcp", "web.vnet.example.com"]), ipv4);
      equal(await client.output([...dig, "TXT", "www.example.com"]), `"upstream"`);
    }
  });

  for (const family of [4, 6] as const) {
    await step(`psql asks PostgreSQL over IPv${family}`, async () => {
      const address = await world.address("pg.vnet.example.com", family);
      const uri = `postgres://alice@pg.vnet.example.com/postgres?hostaddr=${address}`;
      equal(await client.output(["psql", "-Atqc", "select 6 * 7", uri]), "42");
    });

    await step(`curl asks nginx over IPv${family}`, async () => {
      const curl = ["curl", `-${family}`, "-sS", "--max-time", "10"];
      equal(await client.output([...curl, "http://web.vnet.example.com/"]), "port 80");
      equal(await client.output([...curl, "http://web.vnet.example.com:8081/"]), "port 8081");
      equal(await client.output([...curl, "http://web6.vnet.example.com/"]), "port 80");
      equal(await client.output([...curl, "http://www.company.test:12345/"]), "port 80");
    });

    await step(`redis-cli asks Redis over IPv${family}`, async () => {
      const address = await world.address("redis.eu.company.test", family);
      equal(await client.output(["redis-cli", "-h", address, "set", "k", `v${family}`]), "OK");
      equal(
        await client.output(["redis-cli", "-h", "redis.eu.company.test", "get", "k"]),
        `v${family}`,
      );
    });
  }

  await step("psql finds its server by name alone", async () => {
    const uri = "postgres://alice@pg.vnet.example.com/postgres";
    equal(await client.output(["psql", "-Atqc", "select current_user", uri]), "alice");
  });
}

/** Much data each way, and each side shutting its half first. */
export async function checkBulk(step: Step, world: World): Promise<void> {
  const { client, agent } = world;
  const web = "http://web.vnet.example.com";
  const sumOf = async (host: typeof client, file: string) =>
    (await host.output(["sha256sum", file])).split(" ")[0];

  for (const family of [4, 6] as const) {
    const curl = ["curl", `-${family}`, "-sS", "--fail", "--max-time", "30"];

    await step(`64 MiB come down unchanged over IPv${family}`, async () => {
      await client.run([...curl, "-o", "/tmp/big", `${web}/big`], { timeoutMs: 40_000 });
      equal(await client.output(["stat", "-c", "%s", "/tmp/big"]), `${BIG_FILE_BYTES}`);
      equal(await sumOf(client, "/tmp/big"), await sumOf(agent, "/srv/www/big"));
    });

    await step(`64 MiB go up unchanged over IPv${family}`, async () => {
      await client.script(`head -c ${BIG_FILE_BYTES} /dev/urandom >/tmp/up`);
      await client.run([...curl, "-T", "/tmp/up", `${web}/upload/up${family}`], {
        timeoutMs: 40_000,
      });
      equal(await sumOf(agent, `/srv/www/upload/up${family}`), await sumOf(client, "/tmp/up"));
    });

    await step(`the client may shut its side first over IPv${family}`, async () => {
      const address = await world.address("sockets.vnet.example.com", family);
      await sendThenRead(client, address, 7001, 3_000_001);
      await sendThenRead(client, address, 7001, 0);
    });

    await step(`the server may shut its side first over IPv${family}`, async () => {
      const address = await world.address("sockets.vnet.example.com", family);
      await readThenSend(client, address, 7002, SPEAKS_FIRST_BYTES);
      await world.sockets!.line(/^received 1000003 /, 5_000);
    });
  }
}

/** What must not work, and how soon a program learns. */
export async function checkRefusals(step: Step, world: World): Promise<void> {
  const { client } = world;

  for (const family of [4, 6] as const) {
    const address = (name: string) => world.address(name, family);

    await step(`a target that refuses is refused at the client over IPv${family}`, async () => {
      refused(await connect(client, await address("dead.vnet.example.com"), 80));
    });

    await step(`a port the app does not have is refused over IPv${family}`, async () => {
      refused(await connect(client, await address("web.vnet.example.com"), 81));
      refused(await connect(client, await address("web.vnet.example.com"), 8082));
    });

    await step(`an address nobody was given is refused over IPv${family}`, async () => {
      refused(await connect(client, await unleased(world, family), 80));
    });
  }

  await step("curl says that the connection was refused, and why is in vnet status", async () => {
    const curl = ["curl", "-sS", "--max-time", "5", "http://dead.vnet.example.com/"];
    equal((await client.run(curl, { expect: [7] })).code, 7);
    const { connections } = await world.vnet.json<Status>(["status"]);
    const failure = connections.recent_failures.find(({ name }) => name.startsWith("dead."));
    equal(failure?.code, "target-refused");
  });

  await step("names that are not ours get the answers they got before", async () => {
    const dig = async (...words: string[]) => await client.output(["dig", ...words]);
    match(await dig("nothing.vnet.example.com"), /status: NXDOMAIN/);
    match(await dig("ledger.vnet.example.com"), /status: NXDOMAIN/); // Not for this user.
    match(await dig("nothing.company.test"), /status: NXDOMAIN/);
    equal(await dig("+short", "intranet.company.test"), "198.51.100.7");
    equal(await dig("+short", "vnet.example.com"), "203.0.113.10");
    equal(await dig("+short", "TXT", "www.example.com"), `"upstream"`);
    equal(await dig("+short", "AAAA", "www.example.com"), "2001:db8:198::80");
  });

  await step("types we do not have are an empty answer, not somebody else's", async () => {
    const answer = await client.output(["dig", "HTTPS", "web.vnet.example.com"]);
    match(answer, /status: NOERROR.*\n.*ANSWER: 0, AUTHORITY: 1/);
    const queries = await Deno.readTextFile(world.lab.log("resolver"));
    ok(!queries.includes("web.vnet.example.com"), "The upstream resolver was asked for our name");
  });

  await step("a datagram to an app's address is refused, not lost", async () => {
    const address = await world.address("web.vnet.example.com", 4);
    const answer = await client.run(["dig", "+time=2", "+tries=1", `@${address}`, "x.example"], {
      expect: [9],
    });
    match(answer.stdout, /connection refused/);
  });
}

function refused(attempt: Attempt): void {
  equal(attempt.result, "refused");
  ok(attempt.elapsed_ms < REFUSED_WITHIN_MS, `It took ${attempt.elapsed_ms} ms`);
}

/** An address in the range that no name has. */
async function unleased(world: World, family: 4 | 6): Promise<string> {
  const { apps } = await world.vnet.json<{
    apps: { addresses: { ipv4?: string; ipv6?: string }[] }[];
  }>(["apps", "ls"]);
  const leases = apps.flatMap((app) => app.addresses).filter((lease) => lease.ipv4 !== undefined);
  notEqual(leases.length, 0, "No app has an address");
  const taken = new Set(leases.map((lease) => lease.ipv4));
  const free = ["100.100.77.77", "100.100.77.78", "100.100.77.79"].filter((ip) => !taken.has(ip));
  if (family === 4) return free[0]!;
  // The twin has the IPv4 address in its low 32 bits.
  const prefix = leases[0]!.ipv6!.split(":").slice(0, 4).join(":").replace(/:+$/, "");
  return `${prefix}::${free[0]!}`;
}
