/** Zones in a whole client: TXT records from a resolver, decisions from a person, two clusters. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import {
  answerTo,
  DnsUpstream,
  failing,
  type Script,
} from "../../../tests/doubles/dns_upstream.ts";
import { memoryApp, MemoryCluster } from "../../../tests/doubles/memory_cluster.ts";
import { codes, type Started, until, withDaemon } from "../../../tests/doubles/memory_client.ts";
import { decodeMessage, RCODE, RR_TYPE } from "../../dns/mod.ts";
import { formatEndpoint } from "../../ip/mod.ts";
import { ControlClient } from "../control/client.ts";
import { serveControl } from "../control/server.ts";
import { readRecords, readWords } from "./files.ts";

const ZONE = "company.test";
const DB = memoryApp("db", { publicAddrs: ["db.company.test"] });
const WEB = memoryApp("web");
const START_MS = Date.UTC(2026, 0, 1);

/** It sorts first, and asks for the zone, the names and the proxy of the other. */
function thief(): MemoryCluster {
  const theirs = (name: string, address: string) =>
    memoryApp(name, { cluster: "a-thief.test", id: `stolen-${name}`, publicAddrs: [address] });
  return new MemoryCluster({
    nowMs: () => START_MS,
    kind: "thief",
    root: {
      name: "a-thief.test",
      range: "100.64.0.0/10",
      zones: [ZONE, "github.com", "memory.test"].map((suffix) => ({ suffix, isPrivate: false })),
    },
    apps: [theirs("web", "web.memory.test"), theirs("db", "db.company.test")],
  });
}

/** Answers questions for TXT records of the zone with these texts, and knows nothing else. */
function publishing(...texts: readonly string[]): Script {
  return (question) => {
    const asked = decodeMessage(question)?.questions[0];
    if (asked?.type !== RR_TYPE.TXT || asked.name.toLowerCase() !== ZONE) {
      return [answerTo(question, [], { rcode: RCODE.NXDOMAIN })];
    }
    const records = texts.map((text) => {
      const bytes = new TextEncoder().encode(text);
      return [RR_TYPE.TXT, [bytes.length, ...bytes]] as const;
    });
    return [answerTo(question, records)];
  };
}

function grantsOf({ daemon }: Started): string[] {
  return daemon.zones().zones.map(({ suffix, cluster, state, grant }) =>
    `${suffix} ${cluster} ${grant ?? state}`
  );
}

/** Runs a client whose machine had this resolver. */
async function withResolver(
  script: Script,
  wishes: Parameters<typeof withDaemon>[0],
  test: (started: Started, upstream: DnsUpstream) => Promise<void>,
): Promise<void> {
  await using upstream = new DnsUpstream(script);
  await withDaemon({
    ...wishes,
    before: async (parts) => {
      const { address, port } = upstream.endpoint;
      if (address.family !== 4) throw new TypeError("The double listens on IPv4");
      parts.helper.applies = {
        upstreams: [{ address: "127.0.0.1", port }],
        search: [],
        warnings: [],
      };
      await wishes.before?.(parts);
    },
  }, (started) => test(started, upstream));
}

Deno.test("a cluster that sorts first takes nothing of another's, and is named for trying", () =>
  withResolver(
    publishing("vnet-cluster=memory.test"),
    { apps: [DB, WEB], zones: [ZONE], other: thief() },
    async (started) => {
      const { daemon, ask } = started;
      match(await ask("web.memory.test"), /^100\./);
      match(await ask("db.company.test"), /^100\./);
      const { apps } = daemon.apps();
      const shown = apps.map(({ name, cluster, addresses, refused = [] }) => [
        `${name} ${cluster}`,
        addresses.map(({ ipv4, grant }) => `${ipv4?.split(".")[0]} ${grant}`).join(),
        refused.map(({ why }) => why).join(),
      ]);
      deepEqual(shown, [
        [
          "db a-thief.test",
          "",
          'it belongs to cluster "memory.test"',
        ],
        ["web a-thief.test", "", 'it belongs to cluster "memory.test"'],
        ["db memory.test", "100 txt", ""],
        ["web memory.test", "100 own", ""],
      ]);
      const found = daemon.resolve("web.memory.test", "A");
      deepEqual(found.app, {
        name: "web",
        cluster: "memory.test",
        proxy: "memory.test",
        zone: "memory.test",
        grant: "own",
      });
      deepEqual(found.claims?.map(({ app, cluster }) => `${app} of ${cluster}`), [
        "web of a-thief.test",
      ]);
      deepEqual(grantsOf(started), [
        "a-thief.test a-thief.test own",
        "company.test a-thief.test pending",
        "company.test memory.test txt",
        "github.com a-thief.test pending",
        "memory.test a-thief.test refused",
        "memory.test memory.test own",
      ]);
      deepEqual(codes(daemon).sort(), ["zone-foreign", "zone-pending", "zone-pending"]);
      for (const { message } of daemon.status().findings) match(message, /a-thief\.test/);
      deepEqual(daemon.status().zones, daemon.zones().zones);
    },
  ));

Deno.test("a TXT record is asked for before names are there, and only upstream", () =>
  withResolver(
    publishing("v=spf1 -all", "teleport-cluster=memory.test"),
    { apps: [DB, WEB], zones: [ZONE] },
    async ({ helper, ask }, upstream) => {
      deepEqual(helper.inForce?.dns?.zones, [ZONE, "memory.test"]);
      match(await ask("db.company.test"), /^100\./);
      const types = upstream.asked.map((bytes) => decodeMessage(bytes)?.questions[0]?.type);
      deepEqual([...new Set(types)], [RR_TYPE.TXT]);
    },
  ));

Deno.test("a start asks once what is answered, and again what is not", async () => {
  const OTHER = "other.test";
  let asked: string[] = [];
  await withResolver(publishing("vnet-cluster=memory.test"), {
    apps: [DB, WEB],
    zones: [ZONE, OTHER],
    options: {
      askTxt: (zone) => {
        asked.push(zone);
        return Promise.resolve(
          zone === ZONE
            ? { kind: "answer", names: ["memory.test"] }
            : { kind: "failed", why: "not now" },
        );
      },
    },
  }, async ({ ask }, upstream) => {
    match(await ask("db.company.test"), /^100\./);
    deepEqual(asked.sort(), [ZONE, OTHER]);
    asked = upstream.asked.flatMap((bytes) => decodeMessage(bytes)?.questions[0]?.name ?? []);
    deepEqual([...new Set(asked.map((name) => name.toLowerCase()))], [OTHER]);
  });
});

Deno.test("a grant stays while lookups fail, and goes with the record", () =>
  withResolver(
    publishing("vnet-cluster=memory.test"),
    {
      apps: [DB, WEB],
      zones: [ZONE],
      profiles: (cluster) => [cluster.profile({ expiresMs: START_MS + 1_000 * 3_600_000 })],
    },
    async (started, upstream) => {
      const { daemon, helper, clock, options, ask } = started;
      const again = () => helper.tellUpstreams(formatEndpoint(upstream.endpoint));
      const why = () => daemon.zones().zones[0]?.why ?? "";
      upstream.script = failing(RCODE.SERVFAIL);
      await again();
      await until(() => /cannot be asked for now/.test(why()));
      match(await ask("db.company.test"), /^100\./);
      const [record] = await readRecords(options.paths);
      deepEqual([record?.failure, record?.names.map(({ name }) => name)], [
        "the resolver answers SERVFAIL",
        ["memory.test"],
      ]);
      clock.nowMs += 25 * 3_600_000;
      await again();
      await until(() => grantsOf(started)[0] === "company.test memory.test pending");
      upstream.script = publishing("vnet-cluster=memory.test");
      await again();
      await until(() => grantsOf(started)[0] === "company.test memory.test txt");
      upstream.script = failing(RCODE.NXDOMAIN);
      await again();
      await until(() => grantsOf(started)[0] === "company.test memory.test pending");
      await until(async () => await ask("db.company.test") === "NXDOMAIN");
      ok(codes(daemon).includes("zone-pending"));
    },
  ));

Deno.test("a decision reaches a running daemon at once, is kept, and a no beats a TXT record", () =>
  withResolver(
    publishing("vnet-cluster=memory.test"),
    { apps: [DB, WEB], zones: [ZONE], other: thief() },
    async (started) => {
      const { daemon, ask, options } = started;
      await using stack = new AsyncDisposableStack();
      const server = stack.adopt(
        await serveControl(options.paths.controlSocket, daemon),
        (one) => one.shutdown(),
      );
      ok(server);
      using control = new ControlClient(options.paths.controlSocket);
      const say = (verdict: "allow" | "deny" | "forget", suffix: string, cluster: string | null) =>
        control.decideZone({ suffix, cluster, verdict });

      await say("deny", "Company.Test.", null);
      equal(await ask("db.company.test"), "NXDOMAIN");
      match(daemon.resolve("db.company.test", "A").claims?.[0]?.why ?? "", /you denied it/);
      await say("allow", ZONE, "a-thief.test");
      match(await ask("db.company.test"), /^100\./);
      const served = () => daemon.resolve("db.company.test", "A").app;
      deepEqual([served()?.cluster, served()?.grant], ["a-thief.test", "user"]);
      await say("forget", ZONE, null);
      await until(() => served()?.cluster === "memory.test");
      await until(async () => /^100\./.test(await ask("db.company.test")));
      await say("allow", "github.com", null);
      deepEqual(
        (await readWords(options.paths)).map(({ suffix, verdict, profile }) =>
          `${verdict} ${suffix} ${profile}`
        ),
        ["allow github.com a-thief.test"],
      );
      deepEqual((await control.zones()).decisions.map(({ suffix }) => suffix), ["github.com"]);

      await rejects(say("allow", ZONE, null), { code: "usage", message: /several clusters ask/ });
      await rejects(say("allow", "memory.test", "a-thief.test"), {
        message: /it belongs to the proxy "memory\.test"/,
      });
      await rejects(say("allow", "x.example", "nobody"), { message: /There is no cluster/ });
      await rejects(say("allow", "com", null), { message: /belongs to everybody/ });
    },
  ));

Deno.test("an administrator's file grants, and one that is not to be trusted is told of", async (t) => {
  const admin = [{ suffix: "company.test" as never, proxy: "memory.test" }];
  await t.step("grants", () =>
    withResolver(publishing(), {
      apps: [DB, WEB],
      zones: [ZONE],
      options: { readAdmin: () => Promise.resolve({ grants: admin, refusal: null }) },
    }, async (started) => {
      match(await started.ask("db.company.test"), /^100\./);
      equal(grantsOf(started)[0], "company.test memory.test admin");
    }));
  await t.step("refused", () => {
    const refusal = { code: "client-file-refused" as const, message: "Nothing in it counts" };
    return withResolver(publishing(), {
      apps: [DB, WEB],
      zones: [ZONE],
      options: { readAdmin: () => Promise.resolve({ grants: [], refusal }) },
    }, async ({ daemon, ask }) => {
      equal(await ask("db.company.test"), "NXDOMAIN");
      deepEqual(codes(daemon), ["client-file-refused", "zone-pending"]);
      equal(daemon.zones().findings[0]?.code, "client-file-refused");
    });
  });
});

Deno.test("decisions that cannot be read grant nothing, and are told of", () =>
  withResolver(publishing("vnet-cluster=memory.test"), {
    apps: [DB, WEB],
    zones: [ZONE],
    before: async ({ options: { paths } }) => {
      await Deno.writeTextFile(`${paths.configDir}/zones.json`, "{");
    },
  }, async ({ daemon, ask }) => {
    ok(codes(daemon).includes("zones-damaged"));
    equal(await ask("db.company.test"), "NXDOMAIN");
    match(await ask("web.memory.test"), /^100\./);
  }));
