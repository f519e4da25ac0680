/** Who gets in: the owner and root, whom the owner names, and no web page that has led a browser to an address. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { runInChromium } from "../check/chromium.ts";
import type { Host } from "../host/host.ts";
import { story } from "../host/needs.ts";
import { installPacked } from "../world/packed.ts";
import { openTargets } from "../world/people.ts";
import { Vnet } from "../world/vnet.ts";
import { World } from "../world/world.ts";

const UID = { alice: 12_345, bob: 12_346, carol: 12_347 } as const;
const RUNTIME_DIR = `/run/user/${UID.alice}`;
const PORTS = { tls: 7443, http2: 7082, greeting: 7025 } as const;

interface Status {
  readonly pid: number;
  readonly access: { readonly shared_with: "all" | number[]; readonly containers: string };
  readonly packets: Readonly<Record<string, number>>;
  readonly connections: {
    readonly refused_owners: readonly { uid?: number; total: number }[];
    readonly recent_failures: readonly {
      name: string;
      code: string;
      message: string;
      uid?: number;
      program?: string;
    }[];
  };
}

interface Apps {
  readonly apps: readonly {
    name: string;
    ports?: string[];
    addresses: { ipv4: string; ipv6: string }[];
  }[];
}

story("guards: the owner, root and whom the owner names get in", async (step, lab) => {
  const world = await World.open(lab, "postgres", "nginx", "redis");
  const { client } = world;
  await addGuardedApps(world);
  await client.script(`
    groupadd --gid 20000 ops
    useradd --create-home --home-dir /home/alice --uid ${UID.alice} --shell /bin/sh alice
    useradd --create-home --home-dir /home/bob --uid ${UID.bob} --groups ops --shell /bin/sh bob
    useradd --create-home --home-dir /home/carol --uid ${UID.carol} --shell /bin/sh carol
    install -d -o alice -g alice -m 700 ${RUNTIME_DIR}
  `);
  const command = await installPacked(client);
  const env = { HOME: "/home/alice", USER: "alice", XDG_RUNTIME_DIR: RUNTIME_DIR };
  const alice = new Vnet(client, { command, user: "alice", env });
  // What sudo leaves of the invoker.
  const sudo = new Vnet(client, {
    command,
    env: { SUDO_UID: `${UID.alice}`, SUDO_GID: `${UID.alice}`, SUDO_USER: "alice", USER: "root" },
  });
  await world.login(alice);
  await sudo.run(["up", "--detach"]);
  await alice.run(["wait"]);
  const status = (quiet = true) => alice.json<Status>(["status"], { quiet });
  const { apps } = await alice.json<Apps>(["apps", "ls"]);

  await step("the owner's psql, curl and redis-cli work, and root's", async () => {
    for (const user of ["alice", undefined]) {
      equal(await psql(client, user), "1");
      equal(await curl(client, user, "http://web.vnet.example.com/"), "port 80\n200");
      equal(await redis(client, user), "PONG");
    }
  });

  await step("another user's programs are refused by every address and port", async () => {
    match((await client.run(psqlCommand(), { user: "bob", expect: [2] })).stderr, /refused/);
    const refused = ["curl", "-sS", "--max-time", "5", "http://web.vnet.example.com/"];
    await client.run(refused, { user: "bob", expect: [7] });
    const targets = apps.flatMap(({ ports = ["80"], addresses }) =>
      addresses.flatMap(({ ipv4, ipv6 }) =>
        [ipv4, ipv6].flatMap((ip) => ports.map((port) => `${ip}/${parseInt(port)}`))
      )
    );
    ok(targets.length >= 20, `Only ${targets.length} addresses`);
    const open = (user: string) => openTargets(client, user, targets);
    equal(await open("bob"), "");
    // The same attempts by the owner show that there was something to refuse.
    ok((await open("alice")).split("\n").length >= targets.length / 2);
  });

  await step("vnet status says who was refused, by what program, and how often", async () => {
    const { connections } = await status();
    const [bob] = connections.refused_owners;
    equal(bob?.uid, UID.bob);
    ok(bob.total >= 22, `${bob.total} refused`);
    const curls = connections.recent_failures.find(({ program }) => program === "/usr/bin/curl");
    deepEqual([curls?.code, curls?.uid], ["owner-refused", UID.bob]);
    const text = (await alice.run(["status"])).stdout;
    match(text, /refused of user bob/);
    match(text, /another user of this machine \(user bob, \/usr\/bin\/curl/);
  });

  await step("the control socket is the owner's and root's", async () => {
    const socket = `${RUNTIME_DIR}/vnet/control.sock`;
    const ask = ["curl", "-sS", "--max-time", "5", "--unix-socket", socket];
    const path = "http://localhost/v1/status";
    await client.run([...ask, path], { user: "bob", expect: [7] });
    await client.run([...ask, "-X", "POST", "http://localhost/v1/down"], {
      user: "bob",
      expect: [7],
    });
    match(await client.output([...ask, path], { user: "alice" }), /"vnet.status\/1"/);
    match(await client.output([...ask, path]), /"vnet.status\/1"/);
  });

  await step("whom --share names gets in, and nobody else", async () => {
    await sudo.run(["restart", "--share", "user:carol"]);
    deepEqual((await status()).access, { shared_with: [UID.carol], containers: "deny" });
    equal(await psql(client, "carol"), "1");
    equal(await curl(client, "carol", "http://web.vnet.example.com/"), "port 80\n200");
    await client.run(psqlCommand(), { user: "bob", expect: [2] });
    await sudo.run(["restart", "--share", "group:ops"]);
    equal(await psql(client, "bob"), "1");
    await client.run(psqlCommand(), { user: "carol", expect: [2] });
    await sudo.run(["restart", "--share", "all"]);
    equal(await psql(client, "bob"), "1");
    equal(await psql(client, "carol"), "1");
    // Sharing connections shares neither keys nor control.
    const foreign = new Vnet(client, { command, user: "bob", env: { HOME: "/home/bob" } });
    equal((await foreign.run(["status"], { expect: [5] })).code, 5);
  });

  await step("sharing with nobody that exists is a mistake, and changes nothing", async () => {
    const before = await status();
    const args = ["up", "--detach", "--share", "user:dave", "--share", "group:none"];
    const refused = await sudo.run(args, { expect: [2] });
    match(refused.stderr, /"group:none", "user:dave": not found \[usage\]\nhint: /);
    equal((await status()).pid, before.pid);
  });

  await step("containers are refused unless they are allowed", async () => {
    await openContainer(client);
    await sudo.run(["down"]); // A restart would keep what was shared.
    await sudo.run(["up", "--detach"]);
    const address = await world.address("web.vnet.example.com", 4);
    const inside = ["ip", "netns", "exec", "box", "curl", "-sS", "--max-time", "5"];
    const ask = [...inside, "--resolve", `web.vnet.example.com:80:${address}`];
    const url = "http://web.vnet.example.com/";
    const before = (await status()).packets["refused_no_owner"] ?? 0;
    await client.run([...ask, url], { expect: [7] });
    ok((await status()).packets["refused_no_owner"]! > before);
    await sudo.run(["restart", "--containers", "allow"]);
    equal(await client.output([...ask, url]), "port 80");
    await client.run(psqlCommand(), { user: "bob", expect: [2] });
  });
  await sudo.run(["down"]);
});

story(
  "guards: a request for a foreign host is answered 421, all else goes through",
  async (step, lab) => {
    const world = await World.open(lab, "nginx", "redis");
    const { client, vnet } = world;
    await addGuardedApps(world);
    await world.up();
    const web = "http://web.vnet.example.com";
    const evil = ["-H", "Host: evil.example"];
    const get = (...words: string[]) => curl(client, undefined, ...words);

    for (const family of [4, 6] as const) {
      const address = await world.address("web.vnet.example.com", family);
      const literal = family === 4 ? address : `[${address}]`;

      await step(`a page that was rebound to an app's IPv${family} address gets 421`, async () => {
        const rebound = ["--resolve", `evil.example:80:${literal}`, "http://evil.example/"];
        match(await get(...rebound), /^421 Misdirected Request\n.*\n421$/s);
        match(await get(`-${family}`, ...evil, `${web}/`), /\n421$/);
        match(await get(`-${family}`, ...evil, "-d", "x=1", `${web}:8081/`), /\n421$/);
      });

      await step(`the app's names and its IPv${family} address get 200`, async () => {
        equal(await get(`-${family}`, `${web}/`), "port 80\n200");
        equal(await get(`-${family}`, `${web}.:8081/`), "port 8081\n200");
        equal(await get(`-${family}`, "http://WEB.vnet.example.com/"), "port 80\n200");
        equal(await get(`http://${literal}:8080/`), "port 8080\n200");
        equal(
          await get(`-${family}`, "-H", "Host: www.company.test", "http://web6.vnet.example.com/"),
          "port 80\n200",
        );
      });
    }

    await step("the request does not reach the app, and vnet status says why", async () => {
      const { connections } = await vnet.json<Status>(["status"]);
      const failure = connections.recent_failures.find(({ code }) => code === "host-refused");
      match(failure?.message ?? "", /"evil\.example"/);
      match(failure?.name ?? "", /^web/);
      const log = await Deno.readTextFile(lab.log("guarded"));
      ok(!log.includes("evil.example"), log);
    });

    await step("no method that a page of Chromium may use gets it past the guard", async () => {
      const address = await world.address("web.vnet.example.com", 4);
      const directory = `${lab.directory}/chromium-guards`;
      await Deno.mkdir(directory);
      const lengths = [1, 63, 64, 65, 4_095, 4_096, 5_000, 17_000];
      // A script waits for each answer. What has none, because it was cut off, is 0.
      const script = `
        const ask = (method, host) => {
          const request = new XMLHttpRequest();
          try { request.open(method, "http://" + host + "/secret", false); request.send(); } catch {}
          return request.status;
        };
        const methods = ["GET", "POST", ...[${lengths}].map((count) => "A".repeat(count))];
        say(JSON.stringify({
          foreign: methods.map((method) => ask(method, "evil.example")),
          own: ["GET", "GET", "POST", "A".repeat(100)].map((method) => ask(method, "web.vnet.example.com")),
        }));`;
      const flags = [`--host-resolver-rules=MAP evil.example ${address}`];
      const said = await runInChromium(client, directory, { script, flags });
      const { foreign, own } = JSON.parse(said) as { foreign: number[]; own: number[] };
      deepEqual(foreign, [421, 421, ...lengths.map(() => 421)]);
      // The server may take a method or not, but it is asked.
      ok(own.length === 4 && own.every((status) => ![0, 421].includes(status)), said);
    });

    await step("a later request for a foreign host does not go on either", async () => {
      const later = [`${web}/`, "--next", "-sS", "-w", "%{http_code}", ...evil, `${web}/`];
      // The connection ends there; curl asks again over a new one, and is answered.
      match(await get(...later), /^port 80\n200421 Misdirected Request\n.*\n421$/s);
    });

    await step("HTTP/2 with prior knowledge is looked at as well", async () => {
      const url = `http://guarded.vnet.example.com:${PORTS.http2}/`;
      equal(await get("--http2-prior-knowledge", url), "h2 guarded.vnet.example.com\n200");
      match(await get("--http2-prior-knowledge", ...evil, url), /^421 Misdirected.*\n421$/s);
    });

    await step("a TLS stream is nobody's business", async () => {
      const url = `https://guarded.vnet.example.com:${PORTS.tls}/`;
      equal(await get("-k", url), "tls guarded.vnet.example.com\n200");
      equal(await get("-k", ...evil, url), "tls evil.example\n200");
    });

    await step("Redis is unharmed, and a web page cannot speak to it", async () => {
      const redisCli = ["redis-cli", "-h", "redis.eu.company.test"];
      equal(await client.output([...redisCli, "set", "k", "v"]), "OK");
      equal(await client.output([...redisCli, "get", "k"]), "v");
      match(await get(...evil, "-d", "SET k evil", "http://redis.eu.company.test:6379/"), /\n421$/);
      equal(await client.output([...redisCli, "get", "k"]), "v");
    });

    await step("a server that speaks first is heard at once", async () => {
      const begin = performance.now();
      const line = await client.output([
        "bash",
        "-c",
        `exec 3<>/dev/tcp/guarded.vnet.example.com/${PORTS.greeting}; read -r line <&3; echo "$line"`,
      ]);
      equal(line, "220 ready");
      ok(performance.now() - begin < 3_000);
    });

    await step("half a request is not waited for longer than five seconds", async () => {
      const answer = await client.output([
        "bash",
        "-c",
        `exec 3<>/dev/tcp/web.vnet.example.com/80; printf 'GET / HTTP/1.1\\r\\n' >&3; timeout 10 cat <&3`,
      ]);
      match(answer, /^HTTP\/1\.1 421 /);
    });

    await step("an app's label switches the guard off", async () => {
      equal(await get(...evil, "http://anyhost.vnet.example.com/"), "port 80\n200");
    });
    await vnet.run(["down"]);
  },
  null,
  ["chromium"],
);

function psqlCommand(): readonly string[] {
  return ["psql", "-Atqc", "select 1", "postgres://alice@pg.vnet.example.com/postgres"];
}

async function psql(client: Host, user: string | undefined): Promise<string> {
  return await client.output(psqlCommand(), asUser(user));
}

async function redis(client: Host, user: string | undefined): Promise<string> {
  return await client.output(["redis-cli", "-h", "redis.eu.company.test", "ping"], asUser(user));
}

/** The body and the status of an answer, one after the other. */
async function curl(
  client: Host,
  user: string | undefined,
  ...words: readonly string[]
): Promise<string> {
  const command = ["curl", "-sS", "--max-time", "10", "-w", "%{http_code}", ...words];
  return await client.output(command, asUser(user));
}

function asUser(user: string | undefined) {
  return user === undefined ? {} : { user, env: { HOME: "/tmp" } };
}

/** A network namespace behind this host's NAT, as container runtimes make them. */
async function openContainer(client: Host): Promise<void> {
  await client.script(`
    ip netns add box
    ip link add box0 type veth peer name eth0 netns box
    ip address add 172.30.0.1/24 dev box0
    ip link set box0 up
    ip -n box address add 172.30.0.2/24 dev eth0
    ip -n box link set eth0 up
    ip -n box link set lo up
    ip -n box route add default via 172.30.0.1
    sysctl -qw net.ipv4.ip_forward=1
    nft add table ip box
    nft add chain ip box nat '{ type nat hook postrouting priority 100; }'
    nft add rule ip box nat ip saddr 172.30.0.0/24 oifname != box0 masquerade
  `);
}

/** Apps that the common world lacks: TLS, HTTP/2, one that speaks first, and one with the guard off. */
async function addGuardedApps(world: World): Promise<void> {
  const { agent, lab } = world;
  await agent.script(`
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \\
      -subj /CN=guarded.vnet.example.com -keyout /tmp/key.pem -out /tmp/cert.pem 2>/dev/null
  `);
  await agent.run(["sh", "-c", "cat >/tmp/guarded.conf"], { stdin: NGINX });
  agent.spawn(["nginx", "-c", "/tmp/guarded.conf"], { log: lab.log("guarded") });
  agent.spawn([
    "socat",
    `TCP-LISTEN:${PORTS.greeting},bind=127.0.0.1,reuseaddr,fork`,
    "SYSTEM:echo 220 ready; cat",
  ]);
  for (const port of Object.values(PORTS)) await agent.listening(port);
  const file = `${lab.directory}/guarded.yaml`;
  await Deno.writeTextFile(file, AGENT);
  await world.cluster.addAgent(agent, file);
}

const NGINX = `
daemon off;
user root;
worker_processes 1;
pid /run/guarded.pid;
error_log stderr warn;
events { worker_connections 64; }
http {
  log_format host '$host';
  access_log /dev/stderr host;
  client_body_temp_path /tmp/guarded-body;
  proxy_temp_path /tmp/guarded-proxy;
  fastcgi_temp_path /tmp/guarded-fastcgi;
  uwsgi_temp_path /tmp/guarded-uwsgi;
  scgi_temp_path /tmp/guarded-scgi;
  server {
    listen 127.0.0.1:${PORTS.tls} ssl;
    ssl_certificate /tmp/cert.pem;
    ssl_certificate_key /tmp/key.pem;
    access_log off;
    location / { return 200 "tls $host\\n"; }
  }
  server {
    listen 127.0.0.1:${PORTS.http2} http2;
    location / { return 200 "h2 $host\\n"; }
  }
}
`;

const AGENT = `
version: v1
name: agent2
data_dir: /var/lib/vnet-agent2
proxy_server: vnet.example.com:443
ca_pin: CA_PIN
join: { token_file: /run/vnet-agent.token }
app_service:
  apps:
    - name: guarded
      uri: tcp://127.0.0.1
      tcp_ports: [{ port: ${PORTS.tls} }, { port: ${PORTS.http2} }, { port: ${PORTS.greeting} }]
      labels: { env: dev }
    - name: anyhost
      uri: tcp://127.0.0.1:80
      labels: { env: dev, vnet/host-guard: "off" }
`;
