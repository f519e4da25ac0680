import { deepEqual, equal, ok } from "node:assert/strict";
import plugin, { root } from "./lint_layers.ts";

type Row = readonly [file: string, code: string, want: readonly string[]];

const LAYERS: readonly string[] = ["vnet/layers"];
const IMPURE: readonly string[] = ["vnet/pure"];
const SHIM: readonly string[] = ["vnet/shim"];

async function check(t: Deno.TestContext, rows: readonly Row[]): Promise<void> {
  for (const [file, code, want] of rows) {
    await t.step(`${file}: ${code}`, () => {
      const found = Deno.lint.runPlugin(plugin, `${root}${file}`, code);
      deepEqual(found.map((d) => d.id), want);
    });
  }
}

Deno.test("layers hold every row of the import rule", async (t) => {
  // What the table of .github/ARCHITECTURE.md says, written down a second time.
  const rule: Record<string, string> = {
    ip: "",
    cidr: "ip",
    dns: "ip",
    config: "ip cidr dns",
    refusal: "",
    plan: "ip cidr dns config refusal",
    wire: "ip dns config refusal",
    identity: "ip dns config",
    tunnel: "ip dns identity refusal",
    health: "ip cidr dns config plan refusal",
    status: "config refusal",
    os: "ip cidr dns health",
    io: "ip dns refusal wire identity tunnel",
    client: "ip cidr dns config refusal plan identity tunnel health status os io",
    helper: "ip dns config plan wire os",
    server: "ip cidr dns config refusal plan wire identity tunnel health status io",
    cli:
      "ip cidr dns config refusal plan wire identity tunnel health status os io client helper server",
  };
  for (const [from, allowed] of Object.entries(rule)) {
    await t.step(`lib/${from} may import: ${allowed || "nothing"}`, () => {
      const found = Object.keys(rule).filter((to) => {
        const code = `import { x } from "../${to}/mod.ts";`;
        return Deno.lint.runPlugin(plugin, `${root}lib/${from}/a.ts`, code).length === 0;
      });
      const want = new Set([from, ...allowed.split(" ").filter(Boolean)]);
      deepEqual(new Set(found), want);
    });
  }
});

Deno.test("layers report an import when it takes the wrong door", (t) =>
  check(t, [
    ["lib/dns/a.ts", `import "../ip/mod.ts";`, []],
    ["lib/dns/a.ts", `import "./name.ts";`, []],
    ["lib/dns/a.ts", `import "../ip/address.ts";`, LAYERS],
    ["lib/dns/a.ts", `import type { X } from "../ip/address.ts";`, LAYERS],
    ["lib/dns/a.ts", `export * from "../ip/address.ts";`, LAYERS],
    ["lib/dns/a.ts", `export { x } from "../ip/address.ts";`, LAYERS],
    ["lib/cli/a.ts", `await import("../server/start.ts");`, LAYERS],
    ["lib/cli/a.ts", `await import("../server/mod.ts");`, []],
    ["lib/cli/a.ts", `await import("../server/auth/mod.ts");`, []],
    ["lib/cli/commands/a.ts", `import "../../client/mod.ts";`, []],
    ["lib/cli/commands/a.ts", `import "../context.ts";`, []],
    ["lib/server/auth/a.ts", `import "../store/table.ts";`, []],
    ["lib/server/auth/a.ts", `import "../../client/mod.ts";`, LAYERS],
    ["lib/os/dns/a.ts", `import "../tun.ts";`, []],
    ["lib/os/dns/a.ts", `import "../../dns/mod.ts";`, []],
    ["lib/os/dns/a.ts", `import "../../dns/zone.ts";`, LAYERS],
    ["lib/other/a.ts", `import "../ip/mod.ts";`, LAYERS],
    ["lib/dns/a_test.ts", `import "../os/tun.ts"; import fc from "fast-check";`, []],
    ["lib/cli/a.ts", `import "../client/paths.ts";`, []],
    ["lib/cli/a.ts", `import "../client/control/client.ts";`, []],
    ["lib/cli/a.ts", `import "../client/control/server.ts";`, LAYERS],
    ["lib/cli/a.ts", `import "../config/duration.ts"; import "../dns/mode.ts";`, []],
  ]));

Deno.test("a cluster's wire is named nowhere in the client but in its driver", (t) =>
  check(t, [
    ["lib/client/a.ts", `import "../wire/mod.ts";`, LAYERS],
    ["lib/client/a.ts", `import type { App } from "../wire/mod.ts";`, LAYERS],
    ["lib/client/cluster/session.ts", `import "../../wire/mod.ts";`, LAYERS],
    ["lib/client/cluster/own/api.ts", `import "../../../wire/mod.ts";`, []],
    ["lib/client/a.ts", `import "../wire/helper.ts";`, []], // the helper is no cluster
    ["lib/client/a.ts", `import "./cluster/own/api.ts";`, LAYERS],
    ["lib/client/a.ts", `import "./cluster/own/mod.ts";`, LAYERS],
    ["lib/client/cluster/drivers.ts", `import "./own/mod.ts";`, []],
    ["lib/client/cluster/drivers.ts", `import "./own/link.ts";`, LAYERS],
    ["lib/client/cluster/own/link.ts", `import "./api.ts"; import "../driver.ts";`, []],
    ["lib/client/a.ts", `import { CarrierPool } from "../io/mod.ts";`, ["vnet/driver"]],
    ["lib/client/a.ts", `import { type HttpClient as H } from "../io/mod.ts";`, ["vnet/driver"]],
    ["lib/client/a.ts", `import { pause } from "../io/mod.ts";`, []],
    ["lib/client/cluster/own/link.ts", `import { CarrierPool } from "../../../io/mod.ts";`, []],
    ["lib/client/a_test.ts", `import { CarrierPool } from "../io/mod.ts";`, []],
  ]));

Deno.test("what the client compiles, it compiles purely", (t) =>
  check(t, [
    ["lib/client/state/a.ts", `import "./book.ts"; import "../../plan/mod.ts";`, []],
    ["lib/client/state/a.ts", `import "../paths.ts";`, LAYERS],
    ["lib/client/state/a.ts", `import "../../io/mod.ts";`, LAYERS],
    ["lib/client/state/a.ts", `import "../../log.ts";`, LAYERS],
    ["lib/client/state/a.ts", `const now = Date.now();`, IMPURE],
    ["lib/client/state/a_test.ts", `import "../paths.ts"; Date.now();`, []],
    ["lib/client/a.ts", `import "./state/mod.ts"; Date.now();`, []],
  ]));

Deno.test("layers let leaves be imported by those who may", (t) =>
  check(t, [
    ["lib/ip/a.ts", `import "../error.ts"; import "../version.ts";`, []],
    ["lib/wire/a.ts", `import "../json.ts";`, []],
    ["lib/ip/a.ts", `import "../log.ts";`, LAYERS],
    ["lib/ip/a.ts", `import "../wait.ts";`, LAYERS],
    ["lib/os/a.ts", `import "../wait.ts";`, []],
    ["lib/os/dns/a.ts", `import "../../log.ts";`, []],
    ["lib/client/a.ts", `import "../log.ts";`, []],
    ["lib/client/a.ts", `import "../junk.ts";`, LAYERS],
    ["lib/log.ts", `import "@logtape/logtape"; import "./error.ts";`, []],
    ["lib/error.ts", `import "./ip/mod.ts";`, LAYERS],
  ]));

Deno.test("layers bound what comes from outside lib/", (t) =>
  check(t, [
    ["lib/config/a.ts", `import { z } from "zod"; import "yaml"; import "tldts";`, []],
    ["lib/dns/a.ts", `import "node:net";`, LAYERS],
    ["lib/identity/a.ts", `import "@peculiar/x509";`, LAYERS],
    ["lib/io/a.ts", `import "@peculiar/x509"; import "node:tls";`, []],
    ["lib/os/a.ts", `import { load } from "deno_tun";`, []],
    ["lib/client/a.ts", `import { load } from "deno_tun";`, LAYERS],
    ["lib/os/a.ts", `import { load } from "../../ffi/mod.ts";`, LAYERS],
    ["tests/lab/a.ts", `import { load } from "deno_tun";`, []],
    ["lib/cli/a.ts", `import "../../scripts/build.ts";`, LAYERS],
    ["ffi/mod.ts", `import "../lib/error.ts";`, LAYERS],
    ["ffi/mod.ts", `import "./symbols.ts"; import "node:path";`, []],
    ["main.ts", `import { main } from "./lib/cli/mod.ts";`, []],
    ["main.ts", `import "./lib/client/mod.ts";`, LAYERS],
    ["lib/io/a.ts", `import "jsr:@std/cli";`, LAYERS],
    ["tests/e2e/a_test.ts", `import "jsr:@std/cli";`, LAYERS],
    ["scripts/a.ts", `import "@std/cli"; import "https://deno.land/x/a.ts";`, [
      "vnet/layers",
      "vnet/layers",
    ]],
    ["lib/io/a.ts", `import "../../../shared/a.ts";`, LAYERS],
  ]));

Deno.test("pure reports whatever reaches for the machine, the clock or chance", async (t) => {
  await check(
    t,
    [
      `Deno.pid;`,
      `Date.now();`,
      `new Date();`,
      `console.log(1);`,
      `crypto.randomUUID();`,
      `await fetch("x");`,
      `performance.now();`,
      `setTimeout(f, 1);`,
      `setInterval(f, 1);`,
      `process.env;`,
      `globalThis.Deno;`,
      `Math.random();`,
      `const r = Math.random;`,
      `Temporal.Now.instant();`,
      `const o = { fetch };`,
    ].map((code): Row => ["lib/dns/a.ts", code, IMPURE]),
  );
  await check(t, [
    ["lib/dns/a.ts", `x.fetch(); const o = { Date: 1 }; o.Date;`, []],
    ["lib/dns/a.ts", `interface A { readonly process: string }`, []],
    ["lib/dns/a.ts", `Math.max(1, 2); Temporal.Instant.from("x");`, []],
    ["lib/dns/a_test.ts", `Date.now();`, []],
    ["lib/os/a.ts", `Date.now(); fetch("x");`, []],
  ]);
  for (const folder of ["ip", "cidr", "dns", "config", "identity", "tunnel", "health", "status"]) {
    await check(t, [[`lib/${folder}/a.ts`, `Date.now();`, IMPURE]]);
  }
});

Deno.test("no-dlopen reports every dlopen but in ffi/", (t) =>
  check(t, [
    ["ffi/mod.ts", `Deno.dlopen("x", {});`, []],
    ["lib/os/a.ts", `Deno.dlopen("x", {});`, ["vnet/no-dlopen"]],
    ["lib/os/a.ts", `const { dlopen } = Deno;`, ["vnet/no-dlopen", "vnet/no-dlopen"]],
    ["tests/a_test.ts", `Deno.dlopen("x", {});`, ["vnet/no-dlopen"]],
  ]));

Deno.test("shim reports whoever takes the shim's handle outside lib/os", (t) =>
  check(t, [
    ["lib/os/linux/net/a.ts", `import { loadShim, type Shim } from "../shim.ts";`, []],
    ["lib/os/mod.ts", `export { loadShim } from "./linux/shim.ts";`, []],
    ["ffi/mod.ts", `import { type Shim } from "./load.ts";`, []],
    ["lib/client/a.ts", `import { thisMachine } from "../os/mod.ts";`, []],
    ["lib/client/a.ts", `import { loadShim } from "../os/mod.ts";`, SHIM],
    ["lib/client/a.ts", `import { type Shim as Handle } from "../os/mod.ts";`, SHIM],
    ["lib/cli/a.ts", `const { loadShim } = await import("../os/mod.ts");`, SHIM],
    ["lib/helper/a.ts", `export { loadShim } from "../os/mod.ts";`, SHIM],
    ["lib/client/a_test.ts", `import { loadShim } from "../os/linux/shim.ts";`, SHIM],
    ["tests/netns/os/a.ts", `import { loadShim } from "../../../lib/os/linux/shim.ts";`, SHIM],
  ]));

Deno.test("lazy-import-meta reports import.meta where a module of the program loads", (t) =>
  check(t, [
    ["lib/os/a.ts", `const x = new URL("a", import.meta.url);`, ["vnet/lazy-import-meta"]],
    ["lib/os/a.ts", `class A { static x = import.meta.dirname; }`, ["vnet/lazy-import-meta"]],
    ["lib/os/a.ts", `function f() { return import.meta.url; }`, []],
    ["lib/os/a.ts", `const f = () => import.meta.url;`, []],
    ["lib/os/a.ts", `class A { m() { return import.meta.url; } }`, []],
    ["lib/os/a_test.ts", `const x = import.meta.url;`, []],
    ["scripts/a.ts", `const x = import.meta.url;`, []],
  ]));

Deno.test("deno.json names the plugin and no package outside the npm registry", async () => {
  const config = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
  ok(config.lint.plugins.includes("./scripts/lint_layers.ts"));
  for (const [name, target] of Object.entries<string>(config.imports)) {
    equal(/^(npm:|\.\/)/.test(target), true, `${name} comes from ${target}`);
  }
});
