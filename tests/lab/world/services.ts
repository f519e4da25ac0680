/**
 * The real servers of the lab: an upstream resolver, PostgreSQL, nginx, Redis, and the lab's own socket server.
 *
 * @module
 */
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import { here } from "../host/paths.ts";
import type { LabProcess } from "../host/process.ts";
import { until } from "../host/wait.ts";

/** What the app "sockets" sends from port 7002. */
export const SPEAKS_FIRST_BYTES = 1_000_003;

/** A file that every direction carries once. */
export const BIG_FILE_BYTES = 64 * 1024 * 1024;

/** Names everybody in the lab's world can resolve; everything else below these top levels does not exist. */
const PUBLIC_RECORDS = [
  "vnet.example.com,203.0.113.10,2001:db8:113::10",
  "www.example.com,198.51.100.80,2001:db8:198::80",
  "intranet.company.test,198.51.100.7",
];

/**
 * Starts the resolver that the lab's world used before vnet.
 *
 * @param records What it knows besides, as options of dnsmasq.
 */
export async function startResolver(
  lab: Lab,
  host: Host,
  records: readonly string[] = [],
): Promise<void> {
  host.spawn([
    "dnsmasq",
    // Not --no-daemon: that serves one TCP client at a time, and nobody else until it closes.
    "--keep-in-foreground",
    "--log-facility=-",
    "--pid-file=",
    "--conf-file=/dev/null",
    "--user=root",
    "--no-resolv",
    "--no-hosts",
    "--log-queries",
    "--local=/com/",
    "--local=/test/",
    "--local=/org/",
    "--txt-record=www.example.com,upstream",
    // Whose the lab's custom zone is.
    "--txt-record=company.test,vnet-cluster=vnet.example.com",
    ...PUBLIC_RECORDS.map((record) => `--host-record=${record}`),
    ...records,
  ], { log: lab.log("resolver") });
  await host.listening(53);
}

/** Starts PostgreSQL on 127.0.0.1:5432 with an own, empty data directory. */
export async function startPostgres(lab: Lab, host: Host): Promise<void> {
  const bin = await newestPostgres();
  const data = "/var/lib/lab-postgres";
  await host.script(`install -d -o postgres -m 700 ${data}`);
  // deno-fmt-ignore
  await host.run([`${bin}/initdb`, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync",
    "--username=alice", data], { user: "postgres", timeoutMs: 60_000 });
  // deno-fmt-ignore
  host.spawn([`${bin}/postgres`, "-D", data, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
    "-c", "unix_socket_directories=/tmp"], { user: "postgres", log: lab.log("postgres") });
  // deno-fmt-ignore
  await until("PostgreSQL answers", 30_000, async () => {
    const outcome = await host.run(["pg_isready", "-q", "-h", "127.0.0.1"], { expect: "any", quiet: true });
    return outcome.code === 0;
  });
}

/** Starts nginx with a 64 MiB file to fetch and a place to put one. */
export async function startNginx(lab: Lab, host: Host): Promise<void> {
  await host.script(`
    mount -t tmpfs www /srv
    mkdir -p /srv/www/upload
    head -c ${BIG_FILE_BYTES} /dev/urandom >/srv/www/big
  `);
  host.spawn(["nginx", "-c", here("fixtures/nginx.conf")], { log: lab.log("nginx") });
  await host.listening(8081);
}

/** Starts Redis on 127.0.0.1:6379, keeping nothing. */
export async function startRedis(lab: Lab, host: Host): Promise<void> {
  // deno-fmt-ignore
  host.spawn(["redis-server", "--bind", "127.0.0.1", "--port", "6379", "--save", "", "--dir", "/tmp"],
    { log: lab.log("redis") });
  await host.listening(6379);
}

/** Starts the lab's own socket server; what it saw can be waited for. */
export async function startSockets(lab: Lab, host: Host): Promise<LabProcess> {
  // deno-fmt-ignore
  const server = host.spawn(["deno", "run", "-A", here("tools/sockets.ts"),
    `${SPEAKS_FIRST_BYTES}`], { log: lab.log("sockets") });
  await server.line(/^ready$/, 10_000);
  return server;
}

/** The name of the ACME server that certbot and lego ask unless told otherwise. */
export const ACME_HOST = "acme-v02.api.letsencrypt.org";

/**
 * Starts an ACME server under that name, which the host that is named has to resolve: Pebble, behind nginx, because
 * Pebble's directory has another path. It asks the host's resolver for what it certifies.
 *
 * @returns The authority that its own certificate is signed by, PEM.
 */
export async function startAcme(lab: Lab, host: Host): Promise<string> {
  await host.script(`
    mkdir -p /run/acme
    cd /run/acme
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=lab \
      -addext subjectAltName=DNS:${ACME_HOST},DNS:localhost -keyout key.pem -out cert.pem
    printf '%s' '${
    JSON.stringify({
      pebble: {
        listenAddress: "127.0.0.1:14000",
        managementListenAddress: "127.0.0.1:15000",
        certificate: "/run/acme/cert.pem",
        privateKey: "/run/acme/key.pem",
        httpPort: 80,
        tlsPort: 443,
      },
    })
  }' >pebble.json
  `);
  host.spawn(["pebble", "-config", "/run/acme/pebble.json"], {
    log: lab.log("pebble"),
    env: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0" },
  });
  await host.listening(14_000);
  host.spawn(["nginx", "-c", here("fixtures/acme-nginx.conf")], { log: lab.log("acme") });
  await host.listening(443);
  return await host.output(["cat", "/run/acme/cert.pem"]);
}

/** Has the programs of a host trust an authority as they trust the public ones. */
export async function trustAuthority(host: Host, pem: string): Promise<void> {
  await host.run(["sh", "-euc", "cat >>/etc/ssl/certs/ca-certificates.crt"], { stdin: `${pem}\n` });
}

async function newestPostgres(): Promise<string> {
  const versions: string[] = [];
  for await (const entry of Deno.readDir("/usr/lib/postgresql")) versions.push(entry.name);
  versions.sort((a, b) => Number(b) - Number(a));
  return `/usr/lib/postgresql/${versions[0]}/bin`;
}
