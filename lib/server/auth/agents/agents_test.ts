import { deepEqual, equal } from "node:assert/strict";
import type { AgentApp } from "../../../wire/mod.ts";
import { appId } from "../../../io/mod.ts";
import type { TokenScope } from "../../store/mod.ts";
import { Agents } from "./agents.ts";
import { AppHolders } from "./app_holders.ts";
import { PublicAddrs } from "./public_addrs.ts";
import { Returning } from "./returning.ts";
import { Changes } from "../changes.ts";
import type { AgentIdentity } from "../types.ts";

/** Public addresses that the store has, in each of these tests. */
const BOUND: readonly [address: string, app: string][] = [
  ["held.example.com", "held"],
  ["www.proxy.c.example", "site"],
];

function agentsOf(
  clock = { nowMs: 1000 },
): { readonly agents: Agents; readonly changes: Changes; holders: AppHolders } {
  const changes = new Changes();
  const proxies = [{ host: "proxy.c.example", port: 443 }, { host: "p2.c.example", port: 443 }];
  const bound = new Map(BOUND.map(([address, app]) => [address, { app, agentId: null }]));
  const addrs = new PublicAddrs(proxies, () => bound);
  const holders = new AppHolders();
  return {
    agents: new Agents({
      cluster: "c.example",
      addrs,
      holders,
      returning: new Returning({ cluster: "c.example", nowMs: () => clock.nowMs }),
      changes,
      nowMs: () => clock.nowMs,
    }),
    changes,
    holders,
  };
}

function scopeOf(more: Partial<TokenScope> = {}): TokenScope {
  return { kinds: ["app"], apps: null, labels: {}, publicAddrs: [], ...more };
}

function agent(
  id: string,
  apps: string[],
  labels: Record<string, string> = {},
): AgentIdentity {
  return { agentId: id, name: id, apps, scope: scopeOf({ labels }), certificateExpiresMs: 0 };
}

function app(name: string, more: Partial<AgentApp> = {}): AgentApp {
  return { name, public_addrs: [], labels: {}, ...more };
}

const idsFor = (agents: Agents, name: string) =>
  agents.agentsFor(appId("c.example", name)).map(({ agentId }) => agentId);

Deno.test("Agents goes by what an agent says on its newest channel", () => {
  const { agents } = agentsOf();
  const [old, other, next] = [Symbol(), Symbol(), Symbol()];
  const edge = agent("a", ["db", "web"]);
  agents.connected({ agent: edge, apps: [app("db"), app("web")], instance: old });
  agents.connected({ agent: agent("b", ["db"]), apps: [app("db")], instance: other });
  const refused = agents.connected({
    agent: edge,
    apps: [app("db"), app("web", { description: "another" })],
    instance: next,
  });
  deepEqual(refused, []);
  deepEqual(agents.find("web")?.app.description, "another");
  const channelsOf = (name: string) =>
    agents.agentsFor(appId("c.example", name)).map(({ instance }) => instance);
  deepEqual(channelsOf("db"), [old, other, next]); // nothing is different there
  deepEqual(channelsOf("web"), [next]);
  agents.disconnected(old);
  deepEqual(agents.find("web")?.app.description, "another");
  deepEqual(idsFor(agents, "db"), ["b", "a"]);
});

Deno.test("Agents lists an app with every agent that serves it, longest connected first", () => {
  const { agents } = agentsOf();
  const [a, b] = [Symbol(), Symbol()];
  agents.connected({ agent: agent("a", ["db"]), apps: [app("db")], instance: a });
  agents.connected({
    agent: agent("b", ["db", "web"]),
    apps: [app("web"), app("db")],
    instance: b,
  });
  deepEqual(idsFor(agents, "db"), ["a", "b"]);
  deepEqual(agents.apps().map((one) => one.app.name), ["db", "web"]);
  deepEqual(agents.find("db")?.app.public_addrs, ["db.proxy.c.example", "db.p2.c.example"]);
  agents.disconnected(a);
  agents.disconnected(a);
  deepEqual(idsFor(agents, "db"), ["b"]);
  agents.connected({ agent: agent("b", ["db"]), apps: [app("db")], instance: b });
  deepEqual(agents.apps().map((one) => one.app.name), ["db"]);
});

Deno.test("Agents refuses what an agent may not serve, and says why", async (t) => {
  const cases: [name: string, who: AgentIdentity, offered: AgentApp, code: string, why: string][] =
    [
      [
        "not in its certificate",
        agent("x", ["web"]),
        app("db"),
        "token-out-of-scope",
        "the agent's certificate is not for it",
      ],
      [
        "no DNS label",
        agent("x", ["a.b"]),
        app("a.b"),
        "app-invalid",
        "its name is not a DNS label",
      ],
      [
        "a label its token asks for",
        agent("x", ["web"], { env: "dev" }),
        app("web", { labels: { env: "prod" } }),
        "token-out-of-scope",
        'the agent\'s token asks for another label "env"',
      ],
      [
        "the proxy's own name",
        agent("x", ["web"]),
        app("web", { public_addrs: ["Proxy.C.Example"] }),
        "public-addr-taken",
        "its public address proxy.c.example is the proxy's own",
      ],
      [
        "another app's name",
        agent("x", ["web"]),
        app("web", { public_addrs: ["HELD.example.com"] }),
        "public-addr-taken",
        'its public address held.example.com belongs to the app "held"',
      ],
      [
        "another app's name below the proxy, whether there is such an app or not",
        agent("x", ["web"]),
        app("web", { public_addrs: ["mail.p2.c.example"] }),
        "public-addr-taken",
        'its public address mail.p2.c.example belongs to the app "mail"',
      ],
      [
        "its own name below the proxy, that an administrator gave to another",
        agent("x", ["www"]),
        app("www", { public_addrs: ["www.proxy.c.example"] }),
        "public-addr-taken",
        'its public address www.proxy.c.example belongs to the app "site"',
      ],
      [
        "a name that is nobody's, which its token does not allow",
        agent("x", ["web"]),
        app("web", { public_addrs: ["free.example.com", "more.example.com"] }),
        "public-addr-not-allowed",
        "its public address free.example.com is nobody's, and the agent's token does not allow to take it; nor can it have its other 1",
      ],
      [
        "no DNS name",
        agent("x", ["web"]),
        app("web", { public_addrs: ["a..b"] }),
        "app-invalid",
        'its public address "a..b" is not a DNS name',
      ],
      [
        "another description",
        agent("x", ["held"]),
        app("held", { public_addrs: ["held.example.com"], labels: { env: "dev" } }),
        "app-differs",
        "another agent describes this app differently",
      ],
    ];
  for (const [name, who, offered, code, reason] of cases) {
    await t.step(name, () => {
      const { agents } = agentsOf();
      const held = app("held", { public_addrs: ["held.example.com"], labels: { env: "prod" } });
      agents.connected({ agent: agent("first", ["held"]), apps: [held], instance: Symbol() });
      deepEqual(agents.connected({ agent: who, apps: [offered], instance: Symbol() }), [
        { app: offered.name, code, reason },
      ]);
      deepEqual(agents.apps().map((one) => one.app.name), ["held"]);
      deepEqual(idsFor(agents, "held"), ["first"]);
    });
  }
});

Deno.test("an app is served at the addresses it may have, and the others are told", () => {
  const { agents } = agentsOf();
  const offered = app("web", { public_addrs: ["web.proxy.c.example", "held.example.com"] });
  deepEqual(agents.connected({ agent: agent("a", ["web"]), apps: [offered], instance: Symbol() }), [
    {
      app: "web",
      publicAddr: "held.example.com",
      code: "public-addr-taken",
      reason: 'its public address held.example.com belongs to the app "held"',
    },
  ]);
  deepEqual(agents.find("web")?.app.public_addrs, ["web.proxy.c.example"]);
});

Deno.test("an agent whose token asks for labels only does not stand in for others of an app", async (t) => {
  const labelled = scopeOf({ labels: { env: "dev" } });
  const cases: [name: string, other: TokenScope | null, isServed: boolean][] = [
    ["nobody else joined with it", null, true],
    ["another whose token asks for the same", labelled, true],
    ["another whose token asks for other labels", scopeOf({ labels: { team: "a" } }), false],
    ["another whose token names it", scopeOf({ apps: ["db"], labels: { env: "dev" } }), false],
    ["another whose token is for any app", scopeOf(), false],
  ];
  for (const [name, other, isServed] of cases) {
    await t.step(name, () => {
      const { agents, holders } = agentsOf();
      holders.put({ id: "x", apps: ["db"], scope: labelled });
      // It is away: what it holds is kept all the same
      if (other !== null) holders.put({ id: "away", apps: ["db"], scope: other });
      const offered = app("db", { labels: { env: "dev" } });
      const who = agent("x", ["db"], { env: "dev" });
      const refused = agents.connected({ agent: who, apps: [offered], instance: Symbol() });
      deepEqual(refused.map(({ code }) => code), isServed ? [] : ["app-taken"]);
      deepEqual(idsFor(agents, "db"), isServed ? ["x"] : []);
    });
  }
});

Deno.test("whose tokens name an app, or are for any, may all serve it", () => {
  const { agents, holders } = agentsOf();
  const scopes = {
    a: scopeOf({ apps: ["db"] }),
    b: scopeOf({ apps: ["db", "web"] }),
    c: scopeOf(),
  };
  for (const [id, scope] of Object.entries(scopes)) {
    holders.put({ id, apps: ["db"], scope });
    const who = { ...agent(id, ["db"]), scope };
    deepEqual(agents.connected({ agent: who, apps: [app("db")], instance: Symbol() }), []);
  }
  deepEqual(idsFor(agents, "db"), ["a", "b", "c"]);
});

Deno.test("an agent is told when what it is refused has become something else", () => {
  const { agents, holders } = agentsOf();
  const scope = scopeOf({ labels: { env: "dev" } });
  holders.put({ id: "x", apps: ["db"], scope });
  const told: string[][] = [];
  agents.connected({
    agent: agent("x", ["db"], { env: "dev" }),
    apps: [app("db", { labels: { env: "dev" } })],
    instance: Symbol(),
    onRefused: (refused) => told.push(refused.map(({ code }) => code)),
  });
  agents.review();
  deepEqual(told, []);
  holders.put({ id: "true", apps: ["db"], scope: scopeOf({ apps: ["db"] }) });
  agents.review();
  agents.review();
  holders.remove("true");
  agents.review();
  deepEqual(told, [["app-taken"], []]);
});

Deno.test("an agent that describes an app anew serves it once those before are gone", () => {
  const { agents } = agentsOf();
  const [before, after] = [Symbol(), Symbol()];
  const [old, young] = [app("db", { labels: { v: "1" } }), app("db", { labels: { v: "2" } })];
  agents.connected({ agent: agent("a", ["db"]), apps: [old], instance: before });
  agents.connected({ agent: agent("b", ["db"]), apps: [young], instance: after });
  deepEqual(idsFor(agents, "db"), ["a"]);
  agents.disconnected(before);
  deepEqual(idsFor(agents, "db"), ["b"]);
  deepEqual(agents.find("db")?.app.labels, { v: "2" });
});

Deno.test("the order of labels makes no description another", () => {
  const { agents } = agentsOf();
  const offer = (id: string, labels: Record<string, string>) =>
    agents.connected({
      agent: agent(id, ["db"]),
      apps: [app("db", { labels })],
      instance: Symbol(),
    });
  deepEqual(offer("a", { x: "1", y: "2" }), []);
  deepEqual(offer("b", { y: "2", x: "1" }), []);
  deepEqual(idsFor(agents, "db"), ["a", "b"]);
});

Deno.test("every change of what is served is told", () => {
  const { agents, changes } = agentsOf();
  const instance = Symbol();
  const start = changes.revision();
  agents.connected({ agent: agent("a", ["db"]), apps: [app("db")], instance });
  agents.disconnected(instance);
  agents.disconnected(instance);
  equal(changes.revision(), start + 2);
});

Deno.test("an app that vanishes is told once, and one that is back or given up not again", () => {
  const clock = { nowMs: 1000 };
  const { agents, changes } = agentsOf(clock);
  const hello = { agent: agent("a", ["db"]), apps: [app("db")] };
  const expiries = () => {
    const before = changes.revision();
    for (let i = 0; i < 3; i++) agents.expire();
    return changes.revision() - before;
  };
  const goes = () => {
    const instance = Symbol();
    agents.connected({ ...hello, instance });
    agents.disconnected(instance);
  };
  goes();
  equal(expiries(), 0);
  clock.nowMs += 5_000;
  equal(expiries(), 1, "it vanished");
  goes();
  agents.connected({ ...hello, instance: Symbol() });
  equal(expiries(), 0, "it is back");
  const { agents: others, changes: told } = agentsOf(clock);
  const instance = Symbol();
  others.connected({ ...hello, instance });
  others.disconnected(instance);
  others.giveUp("a");
  const revision = told.revision();
  others.expire();
  equal(told.revision(), revision, "it was given up");
});

Deno.test("AppHolders.reload() keeps who came while it was read", async () => {
  const holders = new AppHolders();
  const scope = scopeOf({ apps: ["db"] });
  const agent = {
    id: "x",
    name: "x",
    apps: ["db"],
    scope,
    joinedMs: 1,
    renewedMs: 1,
    seenMs: null,
  };
  let reads = 0;
  await holders.reload(() => {
    if (reads++ > 0) return Promise.resolve([agent]);
    holders.put(agent);
    return Promise.resolve([]);
  });
  equal(holders.isTaken("db", "y", scopeOf({ labels: { a: "b" } })), true);
});
