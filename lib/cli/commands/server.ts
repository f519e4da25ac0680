import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map } from "@optique/core/modifiers";
import { command } from "@optique/core/primitives";
import { configureLog } from "../../log.ts";
import {
  type Action,
  AGENT_FILE,
  type Context,
  requireConfigFile,
  SERVER_FILE,
  tell,
} from "../context.ts";
import { EXIT } from "../exit.ts";

export const server = command(
  "server",
  command("start", map(object({}), (): Action => startServer), {
    brief: message`Serve a cluster: logins, certificates, and the proxy on one TLS port`,
    description:
      message`Reads /etc/vnet/server.yaml, or the file of --config, and serves until SIGTERM or Ctrl-C.`,
  }),
  { brief: message`The cluster's server` },
);

export const agent = command(
  "agent",
  command("start", map(object({}), (): Action => startAgent), {
    brief: message`Serve the apps of a private network to a cluster; dials out, listens nowhere`,
    description:
      message`Reads /etc/vnet/agent.yaml, or the file of --config, and serves until SIGTERM or Ctrl-C.`,
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
  await using running = await serveCluster(config, { now: context.nowMs });
  tell(context, `Serving cluster ${config.clusterName} at ${running.listenAddress}`);
  await untilStopped(context, running.failed);
  return EXIT.done;
}

async function startAgent(context: Context): Promise<number> {
  const { parseAgentFile, readProxyVariables } = await import("../../config/mod.ts");
  const { readConfigFile } = await import("../../io/mod.ts");
  const { serveAgent } = await import("../../server/mod.ts");
  const file = requireConfigFile(context, "Cannot start the agent", AGENT_FILE);
  const config = parseAgentFile(await readConfigFile(file), file);
  await useLog(context, config.log);
  const proxies = readProxyVariables(context.env);
  await using running = await serveAgent(config, {
    now: context.nowMs,
    signal: context.signal,
    proxies,
  });
  tell(context, `Serving ${config.apps.length} apps as ${config.name}`);
  await untilStopped(context, running.failed);
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

/** Resolves when a signal asks to stop; rejects when the service cannot go on. */
async function untilStopped(context: Context, failed: Promise<never>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  context.signal.addEventListener("abort", () => resolve(), { once: true });
  if (context.signal.aborted) resolve();
  await Promise.race([promise, failed]);
}
