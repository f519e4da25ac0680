import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, multiple, optional, withDefault } from "@optique/core/modifiers";
import { argument, command, flag, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import type { AppWay, OpenedApp } from "../../../client/local/mod.ts";
import { UsageError } from "../../../error.ts";
import type { Endpoint } from "../../../ip/mod.ts";
import type { AppWish } from "../../../plan/mod.ts";
import type { ConnectV1, ProxyV1 } from "../../../status/mod.ts";
import { untilAborted } from "../../../wait.ts";
import { type Action, type Context, printJson, tell } from "../../context.ts";
import { EXIT } from "../../exit.ts";
import { known } from "../../grammar/known_values.ts";
import { format } from "../options.ts";

const FREE_PORT = "127.0.0.1:0";
/** The port that SOCKS proxies have by custom. */
const PROXY_PORT = "127.0.0.1:1080";

const share = multiple(option("--share", string({ metavar: "WHO" }), {
  description:
    message`Also let other local users connect: user:NAME, group:NAME or all. Can be repeated.`,
}));

interface ConnectOptions {
  readonly app: string;
  readonly cluster: string | undefined;
  readonly listen: string | undefined;
  readonly stdio: boolean;
  readonly share: readonly string[];
  readonly format: "text" | "json";
}

export const connect = command(
  "connect",
  map(
    object({
      app: argument(known("app", "APP[:PORT]"), {
        description:
          message`The app, by a DNS name or by its name in its cluster. The port may be left out if the app has only one, or takes any.`,
      }),
      cluster: optional(option("--cluster", known("cluster", "NAME"), {
        description: message`The cluster, where several have an app of that name.`,
      })),
      listen: optional(option("--listen", string({ metavar: "ADDRESS:PORT" }), {
        description: message`Where to listen, on the loopback. Default: 127.0.0.1, a free port.`,
      })),
      stdio: withDefault(
        flag("--stdio", {
          description:
            message`Connect standard input and output to the app, as for ProxyCommand of ssh.`,
        }),
        false,
      ),
      share,
      format,
    }),
    (options): Action => (context) => runConnect(context, options),
  ),
  {
    brief: message`Open a local port for one app, without root and without "vnet up"`,
    description:
      message`Prints the address to connect to, and serves it until Ctrl-C. Only your own programs and root may connect. If vnet is up, its login is used.`,
  },
);

interface ProxyOptions {
  readonly listen: string;
  readonly share: readonly string[];
  readonly format: "text" | "json";
}

export const proxy = command(
  "proxy",
  map(
    object({
      listen: withDefault(
        option("--listen", string({ metavar: "ADDRESS:PORT" }), {
          description: message`Where to listen, on the loopback.`,
        }),
        PROXY_PORT,
      ),
      share,
      format,
    }),
    (options): Action => (context) => runProxy(context, options),
  ),
  {
    brief: message`Run a local SOCKS5 and HTTP CONNECT proxy for all apps, without root`,
    description:
      message`For programs that take a proxy; the proxy resolves the names (socks5h://). It reaches your apps and nothing else. Only your own programs and root may connect. Ends with Ctrl-C.`,
  },
);

async function runConnect(context: Context, options: ConnectOptions): Promise<number> {
  const { choosePort, openApp } = await import("../../../client/local/mod.ts");
  const { app, cluster = null, stdio, listen } = options;
  const { name, port: wanted } = parseApp(app);
  const wish = { name, cluster };
  if (stdio && listen !== undefined) {
    throw new UsageError("usage", "--stdio and --listen exclude each other");
  }
  const endpoint = await parseListen(listen ?? FREE_PORT);
  const { signal } = context;
  await using way = await openWay(context);
  if (stdio) return await runStdio(await openApp(way, wish, wanted, signal), signal);
  const facts = await way.find(wish, signal);
  const port = choosePort(facts, wanted);
  return await serveUntilEnd(context, options, endpoint, {
    onConn: connectTo(way, wish, port),
    documentOf: (listen): ConnectV1 => ({
      schema: "vnet.connect/1",
      listen,
      ...{ app: facts.app, cluster: facts.cluster, port },
    }),
    sayOf: (place) => `"${facts.app}" of ${facts.cluster} is at ${place} until Ctrl-C`,
  });
}

async function runProxy(context: Context, options: ProxyOptions): Promise<number> {
  const { serveProxyConn } = await import("../../../client/local/mod.ts");
  const endpoint = await parseListen(options.listen);
  await using way = await openWay(context);
  return await serveUntilEnd(context, options, endpoint, {
    onConn: (conn, ending) => serveProxyConn(conn, way, ending),
    documentOf: (listen): ProxyV1 => ({ schema: "vnet.proxy/1", listen }),
    sayOf: (place) => `Your apps are at socks5h://${place} until Ctrl-C`,
  });
}

/** Listens, says where, and serves until the command is ended. */
async function serveUntilEnd(
  context: Context,
  { share, format }: Pick<ConnectOptions, "share" | "format">,
  endpoint: Endpoint,
  { onConn, documentOf, sayOf }: {
    readonly onConn: OnConn;
    readonly documentOf: (listen: ProxyV1["listen"]) => ConnectV1 | ProxyV1;
    readonly sayOf: (place: string) => string;
  },
): Promise<number> {
  const { formatEndpoint, formatIp } = await import("../../../ip/mod.ts");
  await using local = await openPort(context, share, endpoint, onConn);
  const { address, port } = local.endpoint;
  const place = formatEndpoint(local.endpoint);
  if (format === "json") printJson(context, documentOf({ address: formatIp(address), port }));
  else context.stdout(`${place}\n`);
  tell(context, sayOf(place));
  await untilAborted(context.signal);
  return EXIT.done;
}

async function runStdio({ flow }: OpenedApp, signal: AbortSignal): Promise<number> {
  const { StdioConn } = await import("../../../client/local/mod.ts");
  await flow.splice(new StdioConn(), signal);
  return EXIT.done;
}

/** The daemon, or this process's own logins, which ask for second factors at this terminal. */
async function openWay(context: Context): Promise<AppWay> {
  const { AnyApps, MfaDesk } = await import("../../../client/local/mod.ts");
  const { answerAtTerminal, questionsOf } = await import("../../prompt/questions.ts");
  const { paths, nowMs, signal } = context;
  const { processes } = await context.machine();
  if (!await processes.holdsTerminal()) return new AnyApps({ paths, nowMs });
  const desk = new MfaDesk(nowMs);
  void answerAtTerminal(context, questionsOf(desk), signal);
  return new AnyApps({ paths, nowMs, secondFactor: desk });
}

type OnConn = (conn: Deno.TcpConn, signal: AbortSignal) => Promise<void>;

function connectTo(way: AppWay, wish: AppWish, port: number): OnConn {
  return async (conn, signal) => {
    const { carryGuarded, openApp } = await import("../../../client/local/mod.ts");
    const { parseIp } = await import("../../../ip/mod.ts");
    const opened = await openApp(way, wish, port, signal);
    await carryGuarded(conn, opened, parseIp(conn.localAddr.hostname), signal);
  };
}

async function openPort(
  context: Context,
  shares: readonly string[],
  endpoint: Endpoint,
  onConn: OnConn,
): Promise<AsyncDisposable & { readonly endpoint: Endpoint }> {
  const { failureLine, LocalPort } = await import("../../../client/local/mod.ts");
  const { parseUpOptions } = await import("../../../config/mod.ts");
  const { sharedUids } = await import("../../shares.ts");
  const { formatEndpoint } = await import("../../../ip/mod.ts");
  const { sockets } = await context.machine();
  const uids = await sharedUids(parseUpOptions({ share: shares }).share ?? []);
  return LocalPort.open({
    endpoint,
    policy: {
      ownerUid: context.owner.uid,
      sharedWith: uids === "all" ? "all" : new Set(uids),
      containers: false,
    },
    sockets,
    nowMs: context.nowMs,
    onConn,
    onFailure: (from, thrown) =>
      context.stderr(`${formatEndpoint(from)}: ${failureLine(thrown)}\n`),
  });
}

/** Reads `APP` or `APP:PORT`. @throws UsageError */
function parseApp(text: string): { readonly name: string; readonly port: number | null } {
  const [, name = "", digits] = /^([^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = digits === undefined ? null : Number(digits);
  if (name === "" || port === 0 || (port ?? 0) > 65_535) {
    throw new UsageError("usage", `Cannot read "${text}": neither APP nor APP:PORT`, {
      hint: "`vnet apps ls` lists your apps",
    });
  }
  return { name, port };
}

/** @throws UsageError */
async function parseListen(text: string): Promise<Endpoint> {
  const { parseEndpoint } = await import("../../../ip/mod.ts");
  try {
    return parseEndpoint(text);
  } catch (thrown) {
    throw new UsageError("usage", `Cannot listen on "${text}": not an address and a port`, {
      hint: "Write it as 127.0.0.1:5432; port 0 takes one that is free",
      cause: thrown,
    });
  }
}
