/** `vnet doctor` on a client in memory: what it measures, and what the checks make of it. */
import { deepEqual, equal } from "node:assert/strict";
import { MemoryFacts } from "../../../tests/doubles/host_facts.ts";
import { type Started, type Wishes, withDaemon } from "../../../tests/doubles/memory_client.ts";
import { decodeMessage, encodeQuestion, questionOf, RR_TYPE } from "../../dns/mod.ts";
import { NetworkError } from "../../error.ts";
import { examine, type Finding, type Outcome } from "../../health/mod.ts";
import { decodeIp, type Endpoint, parseEndpoint, parseIp } from "../../ip/mod.ts";
import { serveControl } from "../control/server.ts";
import type { Lookups } from "./ask.ts";
import { gather } from "./gather.ts";
import type { Target } from "./target.ts";

const UPSTREAM = parseEndpoint("192.0.2.53:53");
const JOURNAL = "/var/lib/vnet";

/** The helper names an upstream, which nobody asks but the test's own lookups. */
const WELL: Wishes = {
  before: ({ helper }) => {
    helper.applies = {
      upstreams: [{ address: "192.0.2.53", port: 53 }],
      search: [],
      warnings: [],
    };
  },
};

/** Names are asked for where the daemon serves them, and of an upstream that knows the proxy alone. */
function lookupsOf({ machine, daemon }: Started): Lookups {
  const server = async (to: Endpoint, name: string): Promise<Outcome> => {
    if (to.port === UPSTREAM.port && to.address.value === UPSTREAM.address.value) {
      return { kind: "addresses", addresses: [parseIp("203.0.113.10")] };
    }
    const query = encodeQuestion(questionOf(name, RR_TYPE.A), { id: 9, udpSizeBytes: 1232 });
    const reply = decodeMessage(await machine.sockets.ask(to, query));
    const addresses = reply?.answers.flatMap(({ rdata }) => decodeIp(rdata) ?? []) ?? [];
    return addresses.length > 0
      ? { kind: "addresses", addresses }
      : { kind: "negative", code: "NXDOMAIN" };
  };
  const system = (name: string): Promise<Outcome> => {
    if (name === "memory.test") {
      return Promise.resolve({ kind: "addresses", addresses: [parseIp("203.0.113.10")] });
    }
    const own = daemon.status().dns?.server;
    return own === undefined
      ? Promise.resolve({ kind: "negative", code: "ENOTFOUND" })
      : server(parseEndpoint(own), name);
  };
  return { server, system };
}

/** Has doctor look. */
async function examineClient(started: Started, target: Target | null): Promise<readonly Finding[]> {
  const { options, machine, cluster } = started;
  const facts = new MemoryFacts(machine);
  facts.lines = [{ pid: 4710, words: ["vnet", "helper", "--client", "3", "--journal", JOURNAL] }, {
    pid: 4711,
    words: ["sh", "vnet-guard", "--journal", JOURNAL],
  }];
  facts.journalFacts = { hasEntry: true, isOwned: true };
  facts.resolved = {
    kind: "measured",
    value: {
      domains: [{ name: "memory.test", routeOnly: true }],
      elsewhere: [],
      servers: [parseEndpoint(started.daemon.status().dns?.server ?? "127.0.0.1:1")],
      defaultRoute: false,
      dnssec: "no",
      dnsOverTls: "no",
    },
  };
  const control = await serveControl(options.paths.controlSocket, started.daemon);
  try {
    const gathered = await gather({
      machine: { facts, resolver: machine.resolver },
      paths: options.paths,
      owner: { uid: Deno.uid() ?? 0, gid: 0, name: "alice", homeDir: "/home/alice" },
      journalDir: JOURNAL,
      target,
      drivers: [cluster],
      lookups: lookupsOf(started),
      nowMs: options.nowMs,
      signal: new AbortController().signal,
    });
    return examine(gathered.facts, { only: [], skip: [] });
  } finally {
    await control.shutdown();
  }
}

function wrong(findings: readonly Finding[]): string[] {
  return findings.filter(({ status }) => status === "fail" || status === "warn").map(({ id }) =>
    id
  );
}

function of(findings: readonly Finding[], id: string): Finding {
  const found = findings.find((finding) => finding.id === id);
  if (found === undefined) {
    throw new Error(`There is no ${id}: ${findings.map(({ id }) => id).join(" ")}`);
  }
  return found;
}

Deno.test("doctor finds a client in memory well, by ports and drivers alone", () =>
  withDaemon(WELL, async (started) => {
    const findings = await examineClient(started, { host: "db.memory.test", port: 5432 });
    deepEqual(wrong(findings), []);
    equal(of(findings, "name.verdict").status, "ok");
    equal(of(findings, "net.proxy.memory.test").status, "ok");
  }));

Deno.test("doctor names a port that is not published, and a cluster that does not answer", () =>
  withDaemon(WELL, async (started) => {
    const port = await examineClient(started, { host: "db.memory.test", port: 1 });
    equal(of(port, "name.port").status, "fail");
    started.cluster.failure = new NetworkError("proxy-unreachable", "nobody there");
    const silent = await examineClient(started, null);
    equal(of(silent, "net.proxy.memory.test").status, "fail");
  }));
