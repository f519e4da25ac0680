/**
 * What to type to use an app: by what its labels say it is, else by its port.
 *
 * @module
 */
import type { AppsV1 } from "../../status/mod.ts";

type App = Pick<AppsV1["apps"][number], "ports" | "labels">;
type Write = (host: string, port: number) => string;

/** A protocol: the port it has by custom, others it is often found on, and how it is used. */
interface Protocol {
  readonly ports: readonly [number, ...number[]];
  readonly write: Write;
}

const url = (scheme: string, standard: number): Write => (host, port) =>
  `${scheme}://${host}${port === standard ? "" : `:${port}`}/`;

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  http: { ports: [80, 3000, 5000, 8000, 8080, 8081, 9090, 9200], write: url("http", 80) },
  https: { ports: [443, 6443, 8443], write: url("https", 443) },
  postgres: { ports: [5432], write: (host, port) => `psql -h ${host} -p ${port}` },
  mysql: { ports: [3306], write: (host, port) => `mysql -h ${host} -P ${port}` },
  redis: { ports: [6379], write: (host, port) => `redis-cli -h ${host} -p ${port}` },
  mongodb: { ports: [27_017], write: (host, port) => `mongosh mongodb://${host}:${port}/` },
  ssh: {
    ports: [22, 2222],
    write: (host, port) => port === 22 ? `ssh ${host}` : `ssh -p ${port} ${host}`,
  },
  mssql: { ports: [1433], write: (host, port) => `sqlcmd -S ${host},${port}` },
  rdp: { ports: [3389], write: (host, port) => `xfreerdp /v:${host}:${port}` },
  vnc: { ports: [5900], write: (host, port) => `vncviewer ${host}::${port}` },
};

/** Other words for them, as they stand in labels. */
const ALIASES: Readonly<Record<string, string>> = {
  postgresql: "postgres",
  pg: "postgres",
  mariadb: "mysql",
  valkey: "redis",
  mongo: "mongodb",
  sqlserver: "mssql",
  web: "http",
};

/** Labels that say what an app is. */
const LABELS: readonly string[] = [
  "protocol",
  "proto",
  "type",
  "engine",
  "db",
  "database",
  "service",
];

/** Writes something to paste for one name of an app: a command, an address of a browser, or `nc`. */
export function renderPaste(name: string, app: App): string {
  const labelled = protocolOf(app.labels);
  const port = firstPort(app);
  if (labelled !== null) return labelled.write(name, port ?? labelled.ports[0]);
  if (port === null) return `${name}:PORT`;
  const found = Object.values(PROTOCOLS).find(({ ports }) => ports.includes(port));
  return found?.write(name, port) ?? `nc ${name} ${port}`;
}

function protocolOf(labels: Readonly<Record<string, string>>): Protocol | null {
  for (const label of LABELS) {
    const word = labels[label]?.toLowerCase() ?? "";
    const name = Object.hasOwn(ALIASES, word) ? ALIASES[word] ?? "" : word;
    if (Object.hasOwn(PROTOCOLS, name)) return PROTOCOLS[name] ?? null;
  }
  return null;
}

/** @returns `null` where any port will do. */
function firstPort({ ports }: App): number | null {
  const [first] = ports ?? [];
  return first === undefined ? null : Number(first.split("-")[0]);
}
