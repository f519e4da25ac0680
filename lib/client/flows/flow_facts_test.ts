import { deepEqual, equal, ok } from "node:assert/strict";
import { parseEndpoint } from "../../ip/mod.ts";
import { ConnectionsV1Schema } from "../../status/mod.ts";
import type { Flow } from "../cluster/driver.ts";
import { type FlowApp, type FlowFact, FlowFacts, type FlowPlace } from "./flow_facts.ts";

const DB: FlowApp = {
  profile: "p",
  cluster: "c.test",
  app: "db",
  appId: "db-id",
  ports: [{ first: 5432, last: 5432 }],
};
const ANY: FlowApp = { ...DB, app: "web", appId: "web-id", ports: null };
const NO = { code: "target-refused", message: "no" };

function placeOf(app: FlowApp, port = 5432): FlowPlace {
  return {
    ...{ app, name: `${app.app}.c.test`, port, way: "device", uid: 1000 },
    local: parseEndpoint("100.64.0.1:40000"),
    address: parseEndpoint(`100.64.0.9:${port}`),
  };
}

function flowOf(sentBytes: number, receivedBytes: number): Flow & { sentBytes: number } {
  const splice = () => Promise.reject(new TypeError("nothing is carried here"));
  return { splice, abort: () => {}, sentBytes, receivedBytes };
}

function shown(facts: FlowFacts) {
  const { apps, connections } = facts.render(() => null);
  ConnectionsV1Schema.parse({ schema: "vnet.connections/1", apps, connections });
  return {
    apps: apps.map((sum) =>
      [
        `${sum.app}${sum.port === undefined ? "" : `:${sum.port}`}`,
        `active ${sum.active} opened ${sum.opened_total} failed ${sum.failed_total}`,
        `cancelled ${sum.cancelled_total}, ${sum.sent_bytes}/${sum.received_bytes}`,
      ].join(" ")
    ),
    connections,
  };
}

function failing(facts: FlowFacts, app: FlowApp, port: number): FlowFact {
  const fact = facts.begin(placeOf(app, port), 0);
  facts.failed(fact, NO, 1);
  return fact;
}

Deno.test("FlowFacts counts what became of connections", async (t) => {
  const cases: [name: string, act: (facts: FlowFacts, fact: FlowFact) => void, want: string][] = [
    ["one that is being opened", () => {}, "active 0 opened 0 failed 0 cancelled 0, 0/0 opening"],
    ["one that is open", (facts, fact) => {
      facts.opened(fact, flowOf(7, 9));
    }, "active 1 opened 1 failed 0 cancelled 0, 7/9 open"],
    ["one that has ended well", (facts, fact) => {
      facts.opened(fact, flowOf(1, 1));
      facts.ended(fact, { sentBytes: 7, receivedBytes: 9, reason: "done" }, 5);
    }, "active 0 opened 1 failed 0 cancelled 0, 7/9 done"],
    ["one that was lost: it was established, so a success", (facts, fact) => {
      facts.opened(fact, flowOf(1, 1));
      facts.ended(fact, { sentBytes: 7, receivedBytes: 9, reason: "carrier-lost" }, 5);
    }, "active 0 opened 1 failed 0 cancelled 0, 7/9 done carrier-lost"],
    ["one that broke and told nobody its bytes", (facts, fact) => {
      facts.opened(fact, flowOf(3, 4));
      facts.ended(fact, null, 5);
    }, "active 0 opened 1 failed 0 cancelled 0, 3/4 done broken"],
    ["one whose request was refused after it was open", (facts, fact) => {
      facts.opened(fact, flowOf(3, 4));
      facts.ended(fact, { sentBytes: 3, receivedBytes: 4, reason: "local-reset" }, 5);
      facts.failed(fact, { code: "host-refused", message: "no" }, 5);
    }, "active 0 opened 1 failed 0 cancelled 0, 3/4 done local-reset host-refused"],
    ["one that failed", (facts, fact) => {
      facts.failed(fact, NO, 5);
    }, "active 0 opened 0 failed 1 cancelled 0, 0/0 failed target-refused"],
    ["one whose program gave up: no failure of the app, and not kept", (facts, fact) => {
      facts.cancelled(fact);
      facts.failed(fact, NO, 5);
    }, "active 0 opened 0 failed 0 cancelled 1, 0/0"],
    ["one that is open is not given up any more", (facts, fact) => {
      facts.opened(fact, flowOf(1, 2));
      facts.cancelled(fact);
    }, "active 1 opened 1 failed 0 cancelled 0, 1/2 open"],
  ];
  for (const [name, act, want] of cases) {
    await t.step(name, () => {
      const facts = new FlowFacts();
      act(facts, facts.begin(placeOf(DB), 0));
      const { apps, connections } = shown(facts);
      const told = connections.map(({ state, reason, error }) =>
        [state, reason, error?.code].filter((part) => part !== undefined).join(" ")
      );
      equal([apps[0]?.replace("db ", ""), ...told].join(" "), want);
    });
  }
});

Deno.test("FlowFacts counts the bytes of open connections while they last", () => {
  const facts = new FlowFacts();
  const flow = flowOf(10, 20);
  facts.opened(facts.begin(placeOf(DB), 0), flow);
  equal(shown(facts).connections[0]?.sent_bytes, 10);
  flow.sentBytes = 4_000_000_000;
  const { apps, connections } = shown(facts);
  equal(connections[0]?.sent_bytes, 4_000_000_000);
  deepEqual(apps, ["db active 1 opened 1 failed 0 cancelled 0, 4000000000/20"]);
});

Deno.test("FlowFacts says what a connection waits for, and whose it is", () => {
  const facts = new FlowFacts();
  const fact = facts.begin(placeOf(DB), 1_000);
  fact.holder = { pid: 4711, program: "/usr/bin/psql" };
  deepEqual(facts.render(({ app }) => app.appId === "db-id" ? "second-factor" : null).connections, [
    {
      ...{ id: 1, cluster: "c.test", app: "db", name: "db.c.test", port: 5432, way: "device" },
      ...{ state: "waiting", waits_for: "second-factor", started: "1970-01-01T00:00:01.000Z" },
      ...{ sent_bytes: 0, received_bytes: 0, uid: 1000, pid: 4711, program: "/usr/bin/psql" },
      ...{ local: "100.64.0.1:40000", address: "100.64.0.9:5432" },
    },
  ]);
  facts.failed(fact, NO, 3_500);
  const [failed] = facts.render(() => "login").connections;
  deepEqual([failed?.state, failed?.waits_for, failed?.duration_ms], ["failed", undefined, 2_500]);
});

Deno.test("FlowFacts sums up each port of an app that has several", () => {
  const facts = new FlowFacts();
  const two = { ...DB, ports: [{ first: 80, last: 81 }] };
  for (const [app, port] of [[two, 80], [two, 81], [two, 81], [ANY, 7]] as const) {
    failing(facts, app, port);
  }
  failing(facts, two, 82); // not published: no sum of its own
  deepEqual(shown(facts).apps.map((text) => text.split(" active")[0]), [
    ...["db", "db:80", "db:81", "web:7"],
  ]);
});

Deno.test("FlowFacts keeps 50 ended connections of an app and 1000 in all, and every sum", () => {
  const facts = new FlowFacts();
  const open = facts.begin(placeOf(DB), 0);
  facts.opened(open, flowOf(1, 1));
  for (let i = 0; i < 60; i++) failing(facts, DB, 5432);
  let { apps, connections } = shown(facts);
  equal(connections.length, 51);
  equal(connections.at(-1)?.state, "open", "what has not ended never leaves");
  equal(connections[0]?.id, 61);
  deepEqual(apps, ["db active 1 opened 1 failed 60 cancelled 0, 1/1"]);
  for (let i = 0; i < 30; i++) {
    for (let n = 0; n < 50; n++) failing(facts, { ...DB, app: `a${i}`, appId: `id${i}` }, 5432);
  }
  ({ apps, connections } = shown(facts));
  equal(connections.length, 1001);
  ok(connections.some(({ state }) => state === "open"));
  equal(apps.length, 31);
  ok(apps.includes("a0 active 0 opened 0 failed 50 cancelled 0, 0/0"));
});

Deno.test("FlowFacts stays bounded, however many apps and ports are connected to", () => {
  const facts = new FlowFacts();
  const open = facts.begin(placeOf(DB), 0);
  facts.opened(open, flowOf(5, 6));
  for (let i = 0; i < 3_000; i++) {
    failing(facts, { ...DB, app: `a${i}`, appId: `id${i}`, ports: null }, 1 + i);
  }
  for (let port = 1; port <= 65_535; port++) failing(facts, ANY, port);
  const { apps, connections } = shown(facts);
  ok(connections.length <= 1001, `${connections.length} connections`);
  ok(apps.length <= 1000 + 32, `${apps.length} sums`);
  equal(apps.filter((sum) => sum.startsWith("web")).length, 33);
  ok(apps.includes("web active 0 opened 0 failed 65503 cancelled 0, 0/0"));
  ok(apps.includes("db active 1 opened 1 failed 0 cancelled 0, 5/6"), "the open one's app stays");
});

Deno.test("FlowFacts keeps no endless text of a server", () => {
  const facts = new FlowFacts();
  facts.failed(facts.begin(placeOf(DB), 0), { code: "no-agent", message: "x".repeat(100_000) }, 1);
  equal(facts.render(() => null).connections[0]?.error?.message.length, 500);
});
