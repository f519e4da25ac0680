/**
 * The demo's little world: a private network namespace with a resolver, a cluster, an agent and apps, all real
 * processes of this very program.
 *
 * @module
 */
import { stringify } from "yaml";
import {
  decodeQuery,
  encodeVerdict,
  judge,
  NameTable,
  parseDomainName,
  type Query,
  RCODE,
  type Verdict,
} from "../../dns/mod.ts";
import { VnetError } from "../../error.ts";
import { parseIp, parseIpv4 } from "../../ip/mod.ts";
import {
  DatagramBatch,
  type DatagramSocket,
  type Processes,
  type Sockets,
  type ThisMachine,
} from "../../os/mod.ts";
import { type Context } from "../context.ts";
import { selfCommand, selfEnvironment } from "../self.ts";
import { type SampleApp, serveDatabase, serveEcho, serveWeb } from "./sample_apps.ts";

export const PROXY_HOST = "demo.test";
export const PROXY_PORT = 8443;
/** The proxy's other address, for a machine whose resolver does not know its name. */
export const LOOPBACK = "127.0.0.1";
export const CUSTOM_ZONE = "corp.test";
export const USER = "alice";

const LOOPBACK_IFINDEX = 1;
const START_DEADLINE_MS = 15_000;

/** The names of the apps, and the port each is published on. */
export const APPS = {
  web: { name: `web.${PROXY_HOST}`, port: 80 },
  echo: { name: `echo.${PROXY_HOST}`, port: 7 },
  database: { name: `db.${CUSTOM_ZONE}`, port: 6379 },
} as const;

/** Gives this process's namespaces what a fresh machine has: loopback, a resolver file, a /run of its own. */
export async function settle({ mounts, root }: ThisMachine, home: string): Promise<void> {
  mounts.separate();
  root.links.up(LOOPBACK_IFINDEX, 0);
  mounts.tmpfs("/run", "mode=755");
  const file = `${home}/resolv.conf`;
  await Deno.writeTextFile(file, "nameserver 127.0.0.1\n");
  const target = await Deno.realPath("/etc/resolv.conf").catch(() => null);
  if (target === null) {
    throw new VnetError("resolv-conf-missing", "Cannot give the demo a resolver of its own", {
      hint: "Create an empty /etc/resolv.conf: `sudo touch /etc/resolv.conf`",
    });
  }
  mounts.bind(file, target);
}

/** A resolver that knows the proxy's public address and nothing else, as the internet would. */
export class Resolver implements AsyncDisposable {
  readonly #udp: DatagramSocket;
  readonly #serving: Promise<void>;

  private constructor(udp: DatagramSocket) {
    this.#udp = udp;
    this.#serving = this.#serve();
  }

  static open(sockets: Sockets): Resolver {
    return new Resolver(sockets.bindUdp({ address: parseIp("127.0.0.1"), port: 53 }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#udp.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const table = new NameTable({
      zones: [{ suffix: parseDomainName("test"), private: true }],
      names: new Map([[parseDomainName(PROXY_HOST), { ipv4: parseIpv4("127.0.0.1"), ipv6: null }]]),
    });
    const received = new DatagramBatch(16, 1500);
    const reply = new DatagramBatch(1, 1500);
    for (let count = await this.#udp.receive(received); count > 0;) {
      for (let index = 0; index < count; index++) {
        const decoded = decodeQuery(received.payload(index));
        if (decoded.kind !== "query") continue;
        const bytes = encodeVerdict(decoded.query, verdictOf(decoded.query, table), {
          transport: "udp",
        });
        reply.put(0, bytes, received.endpoint(index));
        this.#udp.trySend(reply, 1);
      }
      count = await this.#udp.receive(received);
    }
  }
}

function verdictOf(query: Query, table: NameTable): Verdict {
  const verdict = judge(query.question, table);
  if (verdict.kind !== "forward") return verdict;
  return { kind: "refuse", rule: "outside", rcode: RCODE.REFUSED, error: null };
}

/** A child of the demo: this program with other arguments. */
export class Child {
  readonly pid: number;
  readonly end: Promise<{ readonly code: number } | { readonly signal: number }>;
  #ended = false;

  constructor(
    context: Context,
    processes: Processes,
    args: readonly string[],
    logFile: string,
  ) {
    this.pid = processes.spawn({
      ...selfCommand(args),
      env: { ...selfEnvironment(context.env), HOME: context.env("HOME") ?? "/" },
      stdin: "null",
      stdout: "null",
      stderr: { append: logFile },
      newSession: true,
      dieWithParent: true,
    });
    this.end = processes.wait(this.pid);
    void this.end.then(() => this.#ended = true);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Asks the child to end and waits for it. */
  async stop(): Promise<void> {
    if (this.#ended) return;
    kill(this.pid, "SIGTERM");
    const timer = setTimeout(() => kill(this.pid, "SIGKILL"), 5_000);
    await this.end;
    clearTimeout(timer);
  }
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}

/** The sample apps, each under its name. */
export interface SampleApps extends AsyncDisposable {
  readonly web: SampleApp;
  readonly echo: SampleApp;
  readonly database: SampleApp;
}

export function serveSampleApps(): SampleApps {
  const web = serveWeb();
  const echo = serveEcho();
  const database = serveDatabase();
  return {
    web,
    echo,
    database,
    [Symbol.asyncDispose]: async () => {
      await web[Symbol.asyncDispose]();
      await echo[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Writes the server's file. Returns its path. */
export async function writeServerFile(home: string): Promise<string> {
  return await writeYaml(`${home}/server.yaml`, {
    version: "v1",
    cluster_name: PROXY_HOST,
    data_dir: `${home}/server`,
    auth_service: { second_factor: "off" },
    proxy_service: {
      public_addr: [`${PROXY_HOST}:${PROXY_PORT}`, `${LOOPBACK}:${PROXY_PORT}`],
      listen_addr: `127.0.0.1:${PROXY_PORT}`,
    },
  });
}

/** Writes the agent's file. Returns its path. */
export async function writeAgentFile(
  home: string,
  proxyHost: string,
  apps: SampleApps,
  extraApps: number,
  caPin: string,
  token: string,
): Promise<string> {
  await Deno.writeTextFile(`${home}/token`, `${token}\n`, { mode: 0o600 });
  const labels = { env: "demo" };
  const published = (app: SampleApp, at: { readonly name: string; readonly port: number }) => ({
    name: at.name.split(".")[0],
    uri: `tcp://127.0.0.1:${app.port}`,
    public_addr: at.name,
    labels,
  });
  const extra = Array.from({ length: extraApps }, (_, index) => ({
    name: `extra-${index + 1}`,
    uri: `tcp://127.0.0.1:${apps.echo.port}`,
    public_addr: `extra-${index + 1}.${PROXY_HOST}`,
    labels,
  }));
  return await writeYaml(`${home}/agent.yaml`, {
    version: "v1",
    name: "demo-agent",
    data_dir: `${home}/agent`,
    proxy_server: `${proxyHost}:${PROXY_PORT}`,
    ca_pin: caPin,
    join: { token_file: `${home}/token` },
    app_service: {
      apps: [
        published(apps.web, APPS.web),
        published(apps.echo, APPS.echo),
        published(apps.database, APPS.database),
        // Published on two ports only: any other is refused, though something would answer there.
        {
          name: "strict",
          uri: "tcp://127.0.0.1",
          public_addr: `strict.${PROXY_HOST}`,
          labels,
          tcp_ports: [{ port: apps.echo.port }, { port: 1 }],
        },
        ...extra,
      ],
    },
  });
}

async function writeYaml(path: string, value: unknown): Promise<string> {
  await Deno.writeTextFile(path, stringify(value), { mode: 0o600 });
  return path;
}

/** Waits until a condition holds, or a child that it depends on has ended. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | null>,
  children: readonly Child[],
  signal: AbortSignal,
): Promise<T> {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    const value = await probe();
    if (value !== null) return value;
    if (children.some((child) => child.ended)) {
      throw new VnetError("demo-failed", `${what}: a process of the demo ended early`, {
        hint: "Run the demo with --debug to see its logs",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  throw new VnetError("demo-failed", `${what}: not in time`, {
    hint: "Run the demo with --debug to see its logs",
  });
}
