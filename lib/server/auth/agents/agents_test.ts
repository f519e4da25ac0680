import { deepEqual, equal } from "node:assert/strict";
import type { AgentApp } from "../../../wire/mod.ts";
import { appId } from "../../../io/mod.ts";
import { Agents } from "./agents.ts";
import { Changes } from "../changes.ts";
import type { AgentIdentity } from "../types.ts";

function agentsOf(): { readonly agents: Agents; readonly changes: Changes } {
  const changes = new Changes();
  const proxies = [{ host: "proxy.c.example", port: 443 }, { host: "p2.c.example", port: 443 }];
  return { agents: new Agents({ cluster: "c.example", proxies, changes }), changes };
}

function agent(
  id: string,
  apps: string[],
  requiredLabels: Record<string, string> = {},
): AgentIdentity {
  return { agentId: id, name: id, apps, requiredLabels, certificateExpiresMs: 0 };
}

function app(name: string, more: Partial<AgentApp> = {}): AgentApp {
  return { name, public_addrs: [], labels: {}, ...more };
}

const idsFor = (agents: Agents, name: string) =>
  agents.agentsFor(appId("c.example", name)).map(({ agentId }) => agentId);

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
  const cases: [name: string, who: AgentIdentity, offered: AgentApp, reason: string][] = [
    [
      "not in its certificate",
      agent("x", ["web"]),
      app("db"),
      "the agent's certificate is not for it",
    ],
    ["no DNS label", agent("x", ["a.b"]), app("a.b"), "its name is not a DNS label"],
    [
      "a label its token asks for",
      agent("x", ["web"], { env: "dev" }),
      app("web", { labels: { env: "prod" } }),
      'the agent\'s token asks for another label "env"',
    ],
    [
      "the proxy's own name",
      agent("x", ["web"]),
      app("web", { public_addrs: ["Proxy.C.Example"] }),
      "its public address proxy.c.example is the proxy's own",
    ],
    [
      "another app's name",
      agent("x", ["web"]),
      app("web", { public_addrs: ["held.example.com"] }),
      'its public address held.example.com belongs to the app "held"',
    ],
    [
      "no DNS name",
      agent("x", ["web"]),
      app("web", { public_addrs: ["a..b"] }),
      "a public address is not a DNS name",
    ],
    [
      "another description",
      agent("x", ["held"]),
      app("held", { public_addrs: ["held.example.com"], labels: { env: "dev" } }),
      "another agent describes this app differently",
    ],
  ];
  for (const [name, who, offered, reason] of cases) {
    await t.step(name, () => {
      const { agents } = agentsOf();
      const held = app("held", { public_addrs: ["held.example.com"], labels: { env: "prod" } });
      agents.connected({ agent: agent("first", ["held"]), apps: [held], instance: Symbol() });
      deepEqual(agents.connected({ agent: who, apps: [offered], instance: Symbol() }), [
        { app: offered.name, reason },
      ]);
      deepEqual(agents.apps().map((one) => one.app.name), ["held"]);
      deepEqual(idsFor(agents, "held"), ["first"]);
    });
  }
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
