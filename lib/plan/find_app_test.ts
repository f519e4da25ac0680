import { deepEqual } from "node:assert/strict";
import { memoryApp } from "../../tests/doubles/memory_cluster.ts";
import { findApp } from "./find_app.ts";
import { compilePlan } from "./plan.ts";
import type { AppView, PlanSource } from "./view.ts";

function source(name: string, apps: readonly AppView[]): PlanSource {
  const root = { name, proxyHosts: [name], range: "100.64.0.0/10", zones: [] };
  return { profile: name, proxyHost: name, view: { root, leaves: [], apps } };
}

const app = (name: string, cluster: string, ...publicAddrs: string[]) =>
  memoryApp(name, { cluster, id: `${name}@${cluster}`, publicAddrs });

const SOURCES = [
  source("one.test", [
    app("db", "one.test", "db.one.test"),
    app("api", "one.test", "api.one.test"),
    app("mail", "one.test", "mail.of.others.example"),
    app("api.two.test", "one.test", "odd.one.test"),
  ]),
  source("two.test", [
    app("api", "two.test", "api.two.test"),
    app("wiki", "two.test", "wiki.two.test", "Docs.two.test"),
  ]),
];

Deno.test("findApp() finds by DNS name, else by the app's own name", () => {
  const plan = compilePlan(SOURCES, { range: null });
  const find = (name: string, cluster: string | null = null) => {
    const found = findApp({ name, cluster }, plan, SOURCES);
    return found.kind === "found" ? `${found.app.app} of ${found.app.cluster}` : found;
  };
  const unknown = { kind: "unknown" };
  const rows: [name: string, cluster: string | null, found: unknown][] = [
    ["db.one.test", null, "db of one.test"],
    ["DB.one.test.", null, "db of one.test"],
    ["docs.two.test", null, "wiki of two.test"],
    ["db", null, "db of one.test"],
    ["db", "one.test", "db of one.test"],
    ["db", "two.test", unknown],
    ["db.one.test", "two.test", unknown],
    ["api", null, { kind: "several", clusters: ["one.test", "two.test"] }],
    ["api", "two.test", "api of two.test"],
    ["nothing", null, unknown],
    ["", null, unknown],
    ["10.1.2.3", null, unknown],
    // A name that is nobody's to give away is not found by it, but the app is by its own.
    ["mail.of.others.example", null, unknown],
    ["mail", null, "mail of one.test"],
    // An app that calls itself by another's DNS name does not come before it.
    ["api.two.test", null, "api of two.test"],
  ];
  for (const [name, cluster, found] of rows) {
    deepEqual(find(name, cluster), found, `${name} of ${cluster}`);
  }
});

Deno.test("findApp() takes an app that two logins see for one", () => {
  const view = [app("db", "one.test", "db.one.test")];
  const twice = [source("a.test", view), source("b.test", view)];
  deepEqual(findApp({ name: "db", cluster: null }, { targets: new Map() }, twice).kind, "found");
});
