import { z } from "zod";
import { domainName, labelName, labels, oneOrMore, repeated } from "./fields.ts";
import { parseHost } from "../ip/mod.ts";
import { strict } from "./mistakes.ts";
import { compilePorts, type PortRange } from "./port.ts";

/** A TCP app as the agent that serves it knows it. */
export interface AppConfig {
  readonly name: string;
  /** Where connections go; `port` is `null` for an app with `tcpPorts`: the port asked for is dialled. */
  readonly target: { readonly host: string; readonly port: number | null };
  /** Empty: the app is known as `<name>.<the proxy's public host>`. */
  readonly publicAddrs: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string | null;
  /** `null`: any port is asked for, and the one in `target` is dialled. */
  readonly tcpPorts: readonly PortRange[] | null;
}

/** What one agent, or the server itself, serves at most. */
export const MAX_AGENT_APPS = 5000;

const PORT_WORDS = "a port from 1 to 65535";
const URI_WORDS = "tcp://host:port, or tcp://host with tcp_ports";
const port = z.number({ error: PORT_WORDS }).refine(isPort, { error: PORT_WORDS });

const PortRangeSchema = strict({ port, end_port: port.optional() }).refine(
  (range) => range.end_port === undefined || range.end_port > range.port,
  { path: ["end_port"], error: "a port above port" },
);

const AppSchema = strict({
  name: labelName,
  uri: z.string({ error: URI_WORDS }).transform((text, context) => {
    const target = parseAppUri(text);
    if (target !== null) return target;
    context.addIssue({ code: "custom", message: URI_WORDS });
    return z.NEVER;
  }),
  public_addr: oneOrMore(domainName, "a DNS name or a list of them").optional(),
  labels: labels.default({}),
  description: z.string().max(1024).optional(),
  tcp_ports: z.array(PortRangeSchema).min(1).max(256).optional(),
}).refine((app) => (app.uri.port === null) === (app.tcp_ports !== undefined), {
  path: ["uri"],
  error: "a port in uri or tcp_ports, and not both",
});

/** `app_service` of both files. */
export const AppServiceSchema = strict({
  apps: z.array(AppSchema).max(MAX_AGENT_APPS, {
    error: `at most ${MAX_AGENT_APPS} apps; another agent serves the others`,
  }).superRefine((apps, context) => {
    // Also runs over apps in which a mistake was found already, so it cannot trust their shape
    for (const field of ["name", "public_addr"] as const) {
      for (const index of repeated(apps.map((app) => [app[field] ?? []].flat()))) {
        context.addIssue({ code: "custom", path: [index, field], message: "a name of its own" });
      }
    }
  }).transform((apps) => apps.map(toAppConfig)),
});

function toAppConfig(app: z.output<typeof AppSchema>): AppConfig {
  return {
    name: app.name,
    target: app.uri,
    publicAddrs: app.public_addr ?? [],
    labels: app.labels,
    description: app.description ?? null,
    tcpPorts: compilePorts(app.tcp_ports),
  };
}

function parseAppUri(text: string): AppConfig["target"] | null {
  const match = /^tcp:\/\/(\[[^\]]+\]|[^:/[\]?#@]+)(?::(\d{1,5}))?\/?$/.exec(text);
  if (match === null) return null;
  const host = parseHost(match[1]!);
  const port = match[2] === undefined ? null : Number(match[2]);
  if (host === null || (port !== null && !isPort(port))) return null;
  return { host, port };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}
