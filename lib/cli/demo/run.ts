/**
 * The demo, inside its namespaces: builds the world, brings the client up in it, proves each claim, and takes it
 * all down.
 *
 * @module
 */
import { ControlClient } from "../../client/mod.ts";
import { describeError, VnetError } from "../../error.ts";
import type { ThisMachine } from "../../os/mod.ts";
import { AdminClient } from "../../server/mod.ts";
import type { DemoV1 } from "../../status/mod.ts";
import { untilAborted } from "../../wait.ts";
import { type Context, printJson, tell } from "../context.ts";
import { selfCommand } from "../self.ts";
import { EXIT } from "../exit.ts";
import { bringDown } from "../supervise/bring_down.ts";
import { bringUp } from "../supervise/bring_up.ts";
import { type Check, CHECKS } from "./checks.ts";
import { type LeftOut, leftOutOf, renderLeftOut } from "./left_out.ts";
import {
  Child,
  CUSTOM_ZONE,
  LOOPBACK,
  PROXY_HOST,
  PROXY_PORT,
  Resolver,
  type SampleApps,
  serveSampleApps,
  settle,
  until,
  USER,
  writeAgentFile,
  writeServerFile,
} from "./world.ts";

interface RunDemoOptions {
  readonly format: "text" | "json";
  readonly extraApps: number;
  readonly after: "end" | "keep" | "shell";
  readonly onHost: boolean;
}

const PREPARED_APPS = 4;

const ROLE = {
  kind: "role",
  version: "v1",
  metadata: { name: "demo" },
  spec: { allow: { app_labels: { env: ["demo"] } } },
};
const VNET_CONFIG = {
  kind: "vnet_config",
  version: "v1",
  metadata: { name: "vnet-config" },
  spec: { ipv4_cidr_range: "100.64.0.0/10", custom_dns_zones: [{ suffix: CUSTOM_ZONE }] },
};

/** Runs the demo. Returns `done` only if every claim held. */
export async function runDemo(context: Context, options: RunDemoOptions): Promise<number> {
  const startedMs = Date.now();
  const machine = await context.machine();
  const home = homeOf(context);
  const steps: DemoV1["steps"] = [];
  const leftOut: LeftOut[] = [];
  const record = async (id: string, title: string, act: () => Promise<string>) => {
    const beganMs = Date.now();
    const result = await act().then(
      (evidence) => ({ held: true, evidence }),
      (thrown) => ({ held: false, evidence: describeWithHint(thrown) }),
    );
    const step = { id, title, ...result, duration_ms: Date.now() - beganMs };
    steps.push(step);
    if (options.format === "text") printStep(context, step);
    return result.held;
  };
  let hasIpv6 = true;
  await using world = new AsyncDisposableStack();
  const prepared = await record(
    "world",
    "a private network with a resolver",
    () => openWorld(machine, home, world, options),
  ) && await record(
    "cluster",
    "a cluster, an agent in its private network, apps",
    () => openCluster(context, machine, home, world, options),
  ) && await record("login", "log in as alice", () => logIn(context, home, options)) &&
    await record("up", "bring vnet up", async () => {
      const up = await openClient(context, world);
      ({ hasIpv6 } = up);
      return up.evidence;
    });
  const { shown, hidden } = leftOutOf(CHECKS, { prepared, hasIpv6, last: steps.at(-1) ?? null });
  leftOut.push(...hidden);
  if (prepared) {
    for (const check of shown) {
      await record(check.id, check.title, () => prove(check, context, hasIpv6));
    }
    await linger(context, machine, options);
  }
  if (!steps.every((step) => step.held) && context.globals.debug) await printLogs(context, home);
  await world.disposeAsync();
  return conclude(context, options, { steps, leftOut, durationMs: Date.now() - startedMs });
}

/** The demo's own resolver knows the proxy's name; that of a real machine does not. */
function proxyHostOf(options: RunDemoOptions): string {
  return options.onHost ? LOOPBACK : PROXY_HOST;
}

function describeWithHint(thrown: unknown): string {
  const hint = thrown instanceof VnetError ? thrown.hint : null;
  return hint === null ? describeError(thrown) : `${describeError(thrown)}; ${hint}`;
}

function homeOf(context: Context): string {
  const { home } = context.globals;
  if (home === undefined) throw new VnetError("usage", "The demo needs --home");
  return home;
}

async function openWorld(
  machine: ThisMachine,
  home: string,
  world: AsyncDisposableStack,
  options: RunDemoOptions,
): Promise<string> {
  if (options.onHost) return "this machine's own network";
  await settle(machine, home);
  world.use(Resolver.open(machine.sockets));
  return "network and mount namespaces of its own; this machine is not touched";
}

async function openCluster(
  context: Context,
  machine: ThisMachine,
  home: string,
  world: AsyncDisposableStack,
  options: RunDemoOptions,
): Promise<string> {
  const apps: SampleApps = world.use(serveSampleApps());
  const serverFile = await writeServerFile(home);
  const server = new Child(
    context,
    machine.processes,
    ["server", "start", "--config", serverFile],
    `${home}/server.log`,
  );
  world.defer(() => server.stop());
  using admin = new AdminClient(`${home}/server/admin.sock`);
  const { ca_pin } = await until(
    "Start the cluster",
    () => admin.call("status", {}).catch(() => null),
    [server],
    context.signal,
  );
  await admin.call("resources.put", { resource: ROLE });
  await admin.call("resources.put", { resource: VNET_CONFIG, replace: true });
  const { password = "" } = await admin.call("users.add", { name: USER, roles: ["demo"] });
  await Deno.writeTextFile(`${home}/password`, `${password}\n`, { mode: 0o600 });
  await Deno.writeTextFile(`${home}/ca-pin`, ca_pin);
  const { token } = await admin.call("tokens.add", { any: true });
  const agentFile = await writeAgentFile(
    home,
    proxyHostOf(options),
    apps,
    options.extraApps,
    ca_pin,
    token,
  );
  const agent = new Child(
    context,
    machine.processes,
    ["agent", "start", "--config", agentFile],
    `${home}/agent.log`,
  );
  world.defer(() => agent.stop());
  const wanted = PREPARED_APPS + options.extraApps;
  await until(
    "Join the agent",
    async () => {
      const { apps } = await admin.call("status", {});
      return apps >= wanted ? apps : null;
    },
    [server, agent],
    context.signal,
  );
  return `${PROXY_HOST}:${PROXY_PORT}, ${wanted} apps`;
}

async function logIn(context: Context, home: string, options: RunDemoOptions): Promise<string> {
  const proxyHost = proxyHostOf(options);
  const { changeZone, login, profileName } = await import("../../client/mod.ts");
  const { NO_PROXY_VARIABLES } = await import("../../config/mod.ts");
  const password = (await Deno.readTextFile(`${home}/password`)).trim();
  const profile = await login({
    proxy: { host: proxyHost, port: PROXY_PORT },
    user: USER,
    caPin: await Deno.readTextFile(`${home}/ca-pin`),
    proxies: NO_PROXY_VARIABLES,
    ttlMs: null,
    configDir: context.paths.configDir,
    signal: context.signal,
    ask: { password: () => Promise.resolve(password), totp: () => Promise.resolve("") },
  });
  // A zone that is not the proxy's needs a TXT record, or the user's word.
  for (const suffix of options.onHost ? [CUSTOM_ZONE, PROXY_HOST] : [CUSTOM_ZONE]) {
    const request = { suffix, cluster: null, verdict: "allow" as const };
    await changeZone(context.paths, request, context.nowMs());
  }
  return `${profileName(profile.proxy)} until ${new Date(profile.expiresMs).toISOString()}`;
}

async function openClient(
  context: Context,
  world: AsyncDisposableStack,
): Promise<{ readonly evidence: string; readonly hasIpv6: boolean }> {
  const quiet = { ...context, globals: { ...context.globals, quiet: true } };
  await bringUp(quiet, { link: "vnet0" }, { detach: true });
  world.defer(() => bringDown(quiet));
  using control = new ControlClient(context.paths.controlSocket);
  const status = await control.status();
  const ranges = status.link?.ranges ?? [];
  const dns = `DNS by ${status.dns?.backend} at ${status.dns?.server}`;
  return {
    evidence: `${status.link?.name} ${ranges.join(" ")}, ${dns}`,
    hasIpv6: ranges.some((range) => range.includes(":")),
  };
}

async function prove(check: Check, context: Context, hasIpv6: boolean): Promise<string> {
  const deadline = AbortSignal.any([context.signal, AbortSignal.timeout(10_000)]);
  return await check.prove({ signal: deadline, env: context.env, hasIpv6 });
}

async function linger(
  context: Context,
  { processes }: ThisMachine,
  options: RunDemoOptions,
): Promise<void> {
  switch (options.after) {
    case "end":
      return;
    case "keep":
      tell(context, "Still up, until Ctrl-C");
      return await untilAborted(context.signal);
    case "shell": {
      tell(context, "A shell inside (exit ends the demo); try:");
      tell(context, `  vnet status; vnet apps ls; vnet doctor; curl http://web.${PROXY_HOST}/`);
      const pid = processes.spawn({
        command: context.env("SHELL") ?? "/bin/sh",
        env: await shellEnvironment(context),
        stdin: "inherit",
        stdout: "inherit",
        stderr: "inherit",
      });
      await processes.wait(pid);
      return;
    }
    default:
      options.after satisfies never;
  }
}

/** Has `vnet` in the shell be this very program, and the demo's folders its folders. */
async function shellEnvironment(context: Context): Promise<Record<string, string>> {
  const home = homeOf(context);
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const self = selfCommand([]);
  const words = [self.command, ...self.args].map(quote).join(" ");
  await Deno.mkdir(`${home}/bin`);
  await Deno.writeTextFile(`${home}/bin/vnet`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  const path = context.env("PATH") ??
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  return { ...Deno.env.toObject(), VNET_HOME: home, PATH: `${home}/bin:${path}` };
}

function printStep(context: Context, step: DemoV1["steps"][number]): void {
  if (!step.held && context.signal.aborted) return; // It was not let to: conclude() says so.
  const mark = step.held ? "ok" : "FAILED";
  context.stdout(`${mark}  ${step.title}: ${step.evidence}\n`);
}

function conclude(
  context: Context,
  options: RunDemoOptions,
  { steps, leftOut, durationMs }: {
    readonly steps: DemoV1["steps"];
    readonly leftOut: readonly LeftOut[];
    readonly durationMs: number;
  },
): number {
  const held = steps.length + leftOut.length > CHECKS.length && steps.every((step) => step.held);
  if (options.format === "json") {
    const report: DemoV1 = { schema: "vnet.demo/1", held, duration_ms: durationMs, steps };
    printJson(context, report);
  } else if (context.signal.aborted && !held) {
    context.stdout("Stopped before the end; everything is taken down\n");
  } else {
    context.stdout(renderLeftOut(leftOut));
    const failed = steps.filter((step) => !step.held).length;
    const seconds = (durationMs / 1000).toFixed(1);
    context.stdout(
      held
        ? `All ${steps.length} claims held, in ${seconds} s\n`
        : `${failed} of ${steps.length} claims did not hold; try --debug\n`,
    );
  }
  return held ? EXIT.done : EXIT.failed;
}

async function printLogs(context: Context, home: string): Promise<void> {
  for (const name of ["server.log", "agent.log", "journal/daemon-0.log", "journal/helper-0.log"]) {
    const text = await Deno.readTextFile(`${home}/${name}`).catch(() => "");
    if (text !== "") context.stderr(`--- ${name}\n${text}`);
  }
}
