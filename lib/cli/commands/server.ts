import { object, or } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, withDefault } from "@optique/core/modifiers";
import { argument, command, flag, option } from "@optique/core/primitives";
import { choice, string } from "@optique/core/valueparser";
import type { AgentConfig, ServerConfig } from "../../config/mod.ts";
import { describeError } from "../../error.ts";
import { configureLog, getLogger } from "../../log.ts";
import { untilAborted } from "../../wait.ts";
import {
  type Action,
  AGENT_FILE,
  type Context,
  requireConfigFile,
  SERVER_FILE,
  tell,
} from "../context.ts";
import { EXIT } from "../exit.ts";
import { harden } from "../harden.ts";

const log = getLogger("cli");

const restore = command(
  "restore",
  map(
    object({
      file: argument(string({ metavar: "FILE" }), {
        description: message`What vnet ctl backup wrote.`,
      }),
      replace: withDefault(
        flag("--force", { description: message`Replace the store that is there.` }),
        false,
      ),
    }),
    (o): Action => async (context) => await (await import("../ctl/mod.ts")).restore(context, o),
  ),
  {
    brief: message`Put a backup in the place of the server's store`,
    description:
      message`The server must not run. The backup must be of the cluster that /etc/vnet/server.yaml, or the file of --config, names.`,
  },
);

const copy = command(
  "copy",
  map(
    object({
      to: option("--to", choice(["postgres", "sqlite"] as const, { metavar: "STORE" }), {
        description: message`Where to; from the other one.`,
      }),
    }),
    (o): Action => async (context) =>
      await (await import("../ctl/mod.ts")).copyToOther(context, o.to),
  ),
  {
    brief: message`Copy the store from SQLite to PostgreSQL, or back`,
    description:
      message`The server must not run. Copies everything, the cluster's private keys among it, between data_dir and the database under store of /etc/vnet/server.yaml, or the file of --config, into an empty store, whole or not at all. The one that is copied stays.`,
  },
);

const start = command("start", map(object({}), (): Action => startServer), {
  brief: message`Serve a cluster: logins, certificates, and the proxy on one TLS port`,
  description:
    message`Reads /etc/vnet/server.yaml, or the file of --config, and serves until SIGTERM or Ctrl-C. SIGHUP has it read certificate and log level again.`,
});

export const server = command(
  "server",
  or(start, restore, command("store", copy, { brief: message`The store` })),
  {
    brief: message`The cluster's server`,
  },
);

export const agent = command(
  "agent",
  command("start", map(object({}), (): Action => startAgent), {
    brief: message`Serve the apps of a private network to a cluster; dials out, listens nowhere`,
    description:
      message`Reads /etc/vnet/agent.yaml, or the file of --config, and serves until SIGTERM or Ctrl-C. SIGHUP has it read its apps and the log level again.`,
  }),
  { brief: message`An agent in a private network` },
);

async function startServer(context: Context): Promise<number> {
  const { parseServerFile } = await import("../../config/mod.ts");
  const { readConfigFile } = await import("../../io/mod.ts");
  const { serveCluster } = await import("../../server/mod.ts");
  const file = requireConfigFile(context, "Cannot start the server", SERVER_FILE);
  const config = parseServerFile(await readConfigFile(file), file);
  await useLog(context, config.log);
  await harden(context, { programs: false, machine: false });
  const starting = serveCluster(config, { nowMs: context.nowMs });
  using hangup = onHangup(context, async () => {
    await readAgain(context, file, { held: config, keys: SERVER_KEYS, parse: parseServerFile });
    await starting.then((running) => running.reload(), () => {}); // that it did not start is told
  });
  await using running = await starting;
  tell(context, `Serving cluster ${config.clusterName} at ${running.listenAddress}`);
  await untilStopped(context, Promise.race([running.failed, hangup.terminalGone]));
  return EXIT.done;
}

/** The keys of a file that wait for a restart, each with what it says. */
type Keys<Config> = readonly (readonly [key: string, of: (config: Config) => unknown])[];

const SERVER_KEYS: Keys<ServerConfig> = [
  ["cluster_name", (config) => config.clusterName],
  ["data_dir", (config) => config.dataDir],
  ["store", (config) => config.store],
  ["auth_service", (config) => config.auth],
  ["proxy_service", (config) => config.proxy],
  ["diag_addr", (config) => config.diag],
  ["audit", (config) => config.audit],
  ["app_service", (config) => config.apps],
];

const AGENT_KEYS: Keys<AgentConfig> = [
  ["name", (config) => config.name],
  ["data_dir", (config) => config.dataDir],
  ["proxy_server", (config) => config.proxy],
  ["ca_pin", (config) => config.caPins],
  ["ca_file", (config) => config.caFile],
  ["join", (config) => config.tokenFile],
  ["diag_addr", (config) => config.diag],
];

/** Takes over from a file what can change while the program runs, and says what cannot. Never rejects. */
async function readAgain<Config extends Pick<ServerConfig, "log">>(
  context: Context,
  file: string,
  { held, keys, parse, take = () => Promise.resolve() }: {
    /** What was read at the start. */
    readonly held: Config;
    readonly keys: Keys<Config>;
    readonly parse: (text: string, file: string) => Config;
    readonly take?: (next: Config) => Promise<void>;
  },
): Promise<void> {
  const { readConfigFile } = await import("../../io/mod.ts");
  try {
    const next = parse(await readConfigFile(file), file);
    await take(next);
    await useLog(context, next.log);
    const waiting = keys.filter(([, of]) => textOf(of(held)) !== textOf(of(next)));
    log.info("Read the file again", { file, log_level: next.log.level });
    if (waiting.length > 0) {
      log.warning("Changes in the file take effect after a restart", {
        keys: waiting.map(([key]) => key).join(", "),
      });
    }
  } catch (thrown) {
    log.error("Cannot take over the file: what was read before stays in force", {
      error: describeError(thrown),
    });
  }
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner) => typeof inner === "bigint" ? `${inner}` : inner);
}

/**
 * Runs an act at each SIGHUP, one after the other. A SIGHUP that comes because the terminal was closed is none of
 * these: then `terminalGone` resolves.
 */
function onHangup(
  context: Context,
  act: () => Promise<void>,
): { readonly terminalGone: Promise<void>; [Symbol.dispose](): void } {
  const gone = Promise.withResolvers<void>();
  let running = Promise.resolve();
  const onSignal = () => {
    if (context.stdinIsTerminal && !Deno.stdin.isTerminal()) gone.resolve();
    else running = running.then(act);
  };
  Deno.addSignalListener("SIGHUP", onSignal);
  return {
    terminalGone: gone.promise,
    [Symbol.dispose]: () => Deno.removeSignalListener("SIGHUP", onSignal),
  };
}

async function startAgent(context: Context): Promise<number> {
  const { parseAgentFile, readProxyVariables } = await import("../../config/mod.ts");
  const { readConfigFile } = await import("../../io/mod.ts");
  const { serveAgent } = await import("../../server/mod.ts");
  const file = requireConfigFile(context, "Cannot start the agent", AGENT_FILE);
  const config = parseAgentFile(await readConfigFile(file), file);
  await useLog(context, config.log);
  await harden(context, { programs: false, machine: false });
  const proxies = readProxyVariables(context.env);
  const starting = serveAgent(config, {
    nowMs: context.nowMs,
    signal: context.signal,
    proxies,
  });
  using hangup = onHangup(context, () =>
    readAgain(context, file, {
      ...{ held: config, keys: AGENT_KEYS, parse: parseAgentFile },
      take: async ({ apps }) => (await starting).serve(apps),
    }));
  await using running = await starting;
  tell(context, `Serving ${config.apps.length} apps as ${config.name}`);
  await untilStopped(context, Promise.race([running.failed, hangup.terminalGone]));
  return EXIT.done;
}

async function useLog(
  context: Context,
  config: {
    readonly level: "trace" | "debug" | "info" | "warning" | "error";
    readonly format: "text" | "json";
  },
): Promise<void> {
  const { debug, verbose } = context.globals;
  await configureLog({
    level: debug ? "debug" : verbose && config.level !== "debug" ? "info" : config.level,
    form: config.format,
    write: context.stderr,
  });
}

/** Resolves when a signal asks to stop, or it has ended; rejects when the service cannot go on. */
async function untilStopped(context: Context, ended: Promise<void>): Promise<void> {
  await Promise.race([untilAborted(context.signal), ended]);
}
