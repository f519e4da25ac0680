/**
 * The hosts of the bench, and the two ways from its client to its server.
 *
 * @module
 */
import { Cluster } from "../../tests/lab/world/cluster.ts";
import type { Host } from "../../tests/lab/host/host.ts";
import type { Lab } from "../../tests/lab/host/lab.ts";
import { startResolver } from "../../tests/lab/world/services.ts";
import { Vnet } from "../../tests/lab/world/vnet.ts";

/** One way for bytes to go; `run` gives one figure of load.c. */
export interface Way {
  readonly name: string;
  run(act: string, portOffset: number, threads: number, seconds: number): Promise<number>;
}

const FIRST_PORT = 9001;
const PORTS = [0, 1, 2].map((offset) => FIRST_PORT + offset);
/** Where the server-side stunnel listens, and the client-side one: these plus the offset. */
const STUNNEL_SERVER_PORT = 9101;
const STUNNEL_CLIENT_PORT = 9201;
const USER = "bench";
const PASSWORD = "a password for the bench";

/** Starts hosts, servers, vnet and stunnel; returns both ways. */
export async function openBench(lab: Lab): Promise<readonly [vnet: Way, stunnel: Way]> {
  const load = await compileLoad(lab);
  const { client, proxy, agent, resolver } = await openHosts(lab);
  await startResolver(lab, resolver);
  const server = agent.spawn([load, "serve", `${FIRST_PORT}`], { log: lab.log("load") });
  await server.line(/^ready$/, 5_000);
  await startStunnel(lab, client, agent);
  await startVnet(lab, client, proxy, agent);
  const way = (name: string, host: string, firstPort: number): Way => ({
    name,
    async run(act, portOffset, threads, seconds) {
      const command = [load, act, host, `${firstPort + portOffset}`, `${threads}`, `${seconds}`];
      return Number(await client.output(command, { timeoutMs: seconds * 1_000 + 20_000 }));
    },
  });
  return [
    way("vnet", "bench.vnet.example.com", FIRST_PORT),
    way("stunnel4", "127.0.0.1", STUNNEL_CLIENT_PORT),
  ];
}

async function compileLoad(lab: Lab): Promise<string> {
  const load = `${lab.directory}/load`;
  const source = new URL("./load.c", import.meta.url).pathname;
  const { code, stderr } = await new Deno.Command("cc", {
    args: ["-O2", "-Wall", "-Wextra", "-pthread", "-o", load, source],
  }).output();
  if (code !== 0) throw new Error(`cc load.c: ${new TextDecoder().decode(stderr)}`);
  return load;
}

async function openHosts(lab: Lab) {
  const [bridge, client, proxy, agent, resolver] = await lab.hosts(
    "bridge",
    "client",
    "proxy",
    "agent",
    "resolver",
  );
  await bridge.script("ip link add net0 type bridge\nip link set net0 up");
  const numbers: [Host, number][] = [[client, 20], [proxy, 10], [agent, 30], [resolver, 53]];
  for (const [host, number] of numbers) {
    await lab.wire(bridge, `to-${host.name}`, host, "eth0");
    await bridge.script(`ip link set to-${host.name} master net0`);
    await host.script(`
      ip address add 203.0.113.${number}/24 dev eth0
      ip address add 2001:db8:113::${number}/64 dev eth0
      sysctl -qw net.ipv4.tcp_congestion_control=cubic || true
    `);
  }
  return { client, proxy, agent, resolver };
}

async function startVnet(lab: Lab, client: Host, proxy: Host, agent: Host): Promise<void> {
  const cluster = await Cluster.open(lab, proxy);
  await cluster.addUser(USER, PASSWORD, "dev");
  await cluster.addAgent(agent, new URL("./agent.yaml", import.meta.url).pathname);
  const vnet = new Vnet(client);
  // deno-fmt-ignore
  await vnet.run(["login", "--proxy", "vnet.example.com", "--user", USER,
    "--ca-pin", cluster.caPin, "--password-stdin"], { stdin: `${PASSWORD}\n` });
  await vnet.run(["up", "--detach"]);
}

/** A stunnel4 on either host; each shows a certificate of one authority and requires one of it. */
async function startStunnel(lab: Lab, client: Host, agent: Host): Promise<void> {
  await client.script(`
    mkdir -p ${lab.directory}/stunnel && cd ${lab.directory}/stunnel
    key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key 2>/dev/null; }
    key ca; key client; key server
    openssl req -x509 -new -key ca.key -subj /CN=bench -days 1 -out ca.pem
    for name in client server; do openssl req -new -key $name.key -subj /CN=$name -out $name.csr; done
    for name in client server; do openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -out $name.pem 2>/dev/null; done
  `);
  const section = (port: number, accept: string, connect: string) =>
    `[way${port}]\naccept = ${accept}\nconnect = ${connect}\n`;
  const files = `${lab.directory}/stunnel`;
  const common = (name: string) =>
    `foreground = yes\npid =\ndebug = warning\nCAfile = ${files}/ca.pem\ncert = ${files}/${name}.pem\n` +
    `key = ${files}/${name}.key\nverifyChain = yes\nsslVersionMin = TLSv1.3\n` +
    `socket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n`;
  const serverFile = common("server") +
    PORTS.map((port, i) =>
      section(port, `203.0.113.30:${STUNNEL_SERVER_PORT + i}`, `127.0.0.1:${port}`)
    ).join("");
  const clientFile = `client = yes\n` + common("client") +
    PORTS.map((port, i) =>
      section(
        port,
        `127.0.0.1:${STUNNEL_CLIENT_PORT + i}`,
        `203.0.113.30:${STUNNEL_SERVER_PORT + i}`,
      )
    ).join("");
  await Deno.writeTextFile(`${files}/server.conf`, serverFile);
  await Deno.writeTextFile(`${files}/client.conf`, clientFile);
  agent.spawn(["stunnel4", `${files}/server.conf`], { log: lab.log("stunnel-server") });
  client.spawn(["stunnel4", `${files}/client.conf`], { log: lab.log("stunnel-client") });
  await agent.listening(STUNNEL_SERVER_PORT);
  await client.listening(STUNNEL_CLIENT_PORT);
}
