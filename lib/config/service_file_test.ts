import { deepEqual, equal, match, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { ConfigError } from "../error.ts";
import { parseAgentFile, parseServerFile } from "./service_file.ts";

const SERVER = `
version: v1
cluster_name: example.com
data_dir: /var/lib/vnet
auth_service: { second_factor: otp }
proxy_service:
  public_addr: proxy.example.com:8443
  listen_addr: "[::]:443"
  https_keypairs: [{ key_file: /etc/vnet/key.pem, cert_file: /etc/vnet/cert.pem }]
  trusted_proxies: [192.0.2.0/24]
app_service:
  apps:
    - { name: db, uri: "tcp://127.0.0.1:5432", labels: { env: dev } }
    - name: multi
      uri: tcp://[::1]
      public_addr: [a.example.com, B.example.com]
      description: Two names
      tcp_ports: [{ port: 80 }, { port: 8000, end_port: 8010 }]
`;

/** What is wrong with a file: paths, sorted, each with what was expected. */
function mistakesOf(parse: () => unknown): Record<string, string> {
  try {
    parse();
  } catch (error) {
    if (error instanceof ConfigError) {
      return Object.fromEntries(error.mistakes.map(({ path, expected }) => [path, expected]));
    }
    throw error;
  }
  throw new Error("There is no mistake");
}

Deno.test("parseServerFile() reads a whole file", () => {
  deepEqual(parseServerFile(SERVER, "server.yaml"), {
    clusterName: "example.com",
    dataDir: "/var/lib/vnet",
    store: { postgres: null },
    log: { level: "info", format: "text" },
    auth: { secondFactor: "otp" },
    proxy: {
      publicAddrs: [{ host: "proxy.example.com", port: 8443 }],
      listen: { address: { family: 6, value: 0n }, port: 443 },
      httpsKeypairs: [{ keyFile: "/etc/vnet/key.pem", certFile: "/etc/vnet/cert.pem" }],
      trustedProxies: [{ address: { family: 4, value: 0xc0000200 }, length: 24 }],
    },
    audit: { syslog: [], webhooks: [] },
    diag: null,
    apps: [
      {
        name: "db",
        target: { host: "127.0.0.1", port: 5432 },
        publicAddrs: [],
        labels: { env: "dev" },
        description: null,
        tcpPorts: null,
      },
      {
        name: "multi",
        target: { host: "::1", port: null },
        publicAddrs: ["a.example.com", "b.example.com"],
        labels: {},
        description: "Two names",
        tcpPorts: [{ first: 80, last: 80 }, { first: 8000, last: 8010 }],
      },
    ],
  });
});

Deno.test("parseServerFile() takes public_addr as text and as list", () => {
  const listed = SERVER.replace(
    "public_addr: proxy.example.com:8443",
    "public_addr: [proxy.example.com, other.example.com:444]",
  );
  deepEqual(parseServerFile(listed, "f").proxy.publicAddrs, [
    { host: "proxy.example.com", port: 443 },
    { host: "other.example.com", port: 444 },
  ]);
});

Deno.test("parseServerFile() trusts prefixes, and not everybody", async (t) => {
  const expected = "a prefix like 10.0.0.0/24 or 2001:db8::/64, host bits zero, and not everybody";
  for (const wrong of ["192.0.2.1", "192.0.2.1/24", "0.0.0.0/0", "::/0", "lb.example.com"]) {
    await t.step(wrong, () => {
      const file = SERVER.replace("[192.0.2.0/24]", `["2001:db8::/64", "${wrong}"]`);
      deepEqual(mistakesOf(() => parseServerFile(file, "f")), {
        "proxy_service.trusted_proxies[1]": expected,
      });
    });
  }
  deepEqual(parseServerFile(SERVER.replace(/ *trusted_.*\n/, ""), "f").proxy.trustedProxies, []);
});

Deno.test("parseServerFile() says every mistake at once", () => {
  const file = `
version: v2
cluster_name: Example
data_dir: var
log: { level: loud }
proxy_servce: {}
proxy_service:
  public_addr: [ok.example.com, "not a host"]
  listen_addr: 443
app_service:
  apps:
    - { name: Db, uri: "http://x", labels: { env: 3 }, tcp_port: [] }
    - { name: a, uri: "tcp://x" }
    - { name: b, uri: "tcp://x", tcp_ports: [{ port: 0 }, { port: 9, end_port: 9 }] }
ssh_service: { enabled: true }
`;
  deepEqual(mistakesOf(() => parseServerFile(file, "f")), {
    "version": '"v1"',
    "cluster_name": "a name like cluster.example.com: a-z, 0-9, - and .",
    "data_dir": "an absolute path",
    "log.level": 'one of "trace", "debug", "info", "warning", "error"',
    "proxy_servce":
      "one of app_service, audit, auth_service, cluster_name, data_dir, diag_addr, log, proxy_service, ssh_service, store, version",
    "proxy_service.public_addr[1]": "host or host:port",
    "proxy_service.listen_addr": "an address and a port like 0.0.0.0:443 or [::]:443",
    "app_service.apps[0].name": "a DNS label: 1 to 63 of a-z, 0-9 and -, with no - at either end",
    "app_service.apps[0].uri": "tcp://host:port, or tcp://host with tcp_ports",
    "app_service.apps[0].labels.env": "a text",
    "app_service.apps[0].tcp_port": "one of description, labels, name, public_addr, tcp_ports, uri",
    "app_service.apps[1].uri": "a port in uri or tcp_ports, and not both",
    "app_service.apps[2].tcp_ports[0].port": "a port from 1 to 65535",
    "app_service.apps[2].tcp_ports[1].end_port": "a port above port",
    "ssh_service.enabled": "false: this version serves no SSH hosts",
  });
});

Deno.test("parseServerFile() says where: file, line, what was found", () => {
  throws(() => parseServerFile(SERVER.replace("db,", "db, nmae: x,"), "/etc/vnet.yaml"), {
    code: "config-invalid",
    file: "/etc/vnet.yaml",
    mistakes: [{
      path: "app_service.apps[0].nmae",
      found: 'unknown key "nmae" (line 13)',
      expected: "one of description, labels, name, public_addr, tcp_ports, uri",
    }],
  });
});

Deno.test("parseServerFile() refuses what is said twice", async (t) => {
  const twice = `
    - { name: db, uri: "tcp://h:1" }
    - { name: other, uri: "tcp://h:1", public_addr: a.example.com }
`;
  await t.step("names and addresses of apps", () => {
    deepEqual(mistakesOf(() => parseServerFile(SERVER + twice, "f")), {
      "app_service.apps[2].name": "a name of its own",
      "app_service.apps[3].public_addr": "a name of its own",
    });
  });
  await t.step("keys", () => {
    const [[path, expected]] = Object.entries(
      mistakesOf(() => parseServerFile(`${SERVER}\nversion: v1`, "f")),
    ) as [
      [string, string],
    ];
    equal(path, "");
    ok(/unique/.test(expected), expected);
  });
});

Deno.test("parseServerFile() reads one YAML document", async (t) => {
  const cases: [name: string, text: string, found: RegExp][] = [
    ["nothing", "", /^nothing$/],
    ["a comment", "# nothing\n", /^nothing$/],
    ["two documents", `${SERVER}\n---\na: 1\n`, /^2 documents$/],
    ["broken YAML", "a: [1, 2", /^broken YAML on line 1$/],
    ["a text", "hello", /^"hello"/],
    ["a list", "[]", /^an empty list/],
    ["a billion laughs", laughs(), /alias/i],
  ];
  for (const [name, text, found] of cases) {
    await t.step(name, () => {
      throws(() => parseServerFile(text, "f"), (error) => {
        ok(error instanceof ConfigError);
        ok(found.test(error.mistakes[0]?.found ?? ""), error.message);
        return true;
      });
    });
  }
});

function laughs(): string {
  const rows = Array.from(
    { length: 9 },
    (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`,
  );
  return `a0: &a0 [lol]\n${rows.join("\n")}\n`;
}

const AGENT = `
version: v1
name: agent-1
data_dir: /var/lib/vnet-agent
proxy_server: proxy.example.com
ca_pin: sha256:${"0a".repeat(32)}
join: { token_file: /etc/vnet/token }
app_service: { apps: [{ name: db, uri: "tcp://db.internal:5432" }] }
`;

Deno.test("parseAgentFile() reads a whole file", () => {
  const config = parseAgentFile(AGENT, "agent.yaml");
  deepEqual({ ...config, apps: config.apps.length }, {
    name: "agent-1",
    dataDir: "/var/lib/vnet-agent",
    log: { level: "info", format: "text" },
    proxy: { host: "proxy.example.com", port: 443 },
    caPins: [`sha256:${"0a".repeat(32)}`],
    caFile: null,
    tokenFile: "/etc/vnet/token",
    diag: null,
    apps: 1,
  });
});

Deno.test("parseAgentFile() takes ca_file as an absolute path", () => {
  equal(parseAgentFile(`${AGENT}ca_file: /etc/corp.pem\n`, "f").caFile, "/etc/corp.pem");
  throws(() => parseAgentFile(`${AGENT}ca_file: corp.pem\n`, "f"), ConfigError);
});

Deno.test("parseAgentFile() never repeats a secret", () => {
  const token = "0123456789abcdef0123456789abcdef";
  const wrong = AGENT.replace("{ token_file: /etc/vnet/token }", `{ token_file: ${token} }`);
  throws(() => parseAgentFile(wrong, "f"), (error) => {
    ok(error instanceof ConfigError);
    equal(error.mistakes[0]?.path, "join.token_file");
    ok(!error.message.includes(token), error.message);
    return true;
  });
});

Deno.test("parseServerFile() reports each of any unknown keys", () => {
  const keys = fc.uniqueArray(fc.stringMatching(/^x[a-z]{1,8}$/), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(keys, (unknown) => {
      const text = SERVER + unknown.map((key) => `${key}: 1\n`).join("");
      deepEqual(
        Object.keys(mistakesOf(() => parseServerFile(text, "f"))).sort(),
        [...unknown].sort(),
      );
    }),
    { numRuns: 30 },
  );
});

Deno.test("parseServerFile() answers any text with a config or a ConfigError", () => {
  const edit = fc.record({
    at: fc.nat(SERVER.length),
    drop: fc.nat(12),
    insert: fc.string({ maxLength: 6 }),
  });
  fc.assert(
    fc.property(edit, ({ at, drop, insert }) => {
      const text = SERVER.slice(0, at) + insert + SERVER.slice(at + drop);
      try {
        parseServerFile(text, "f");
      } catch (error) {
        ok(error instanceof ConfigError, String(error));
        ok(error.mistakes.length > 0);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("parseServerFile() names a field that takes one value or a list as it was written", async (t) => {
  const expected = "host or host:port, or a list of them";
  const cases: [written: string, path: string, expected: string, found: RegExp][] = [
    ["", "proxy_service.public_addr", expected, /^nothing/],
    ["public_addr: 7", "proxy_service.public_addr", expected, /^7/],
    ["public_addr: a b", "proxy_service.public_addr", "host or host:port", /^"a b"/],
    ["public_addr: []", "proxy_service.public_addr", expected, /^an empty list/],
    ["public_addr: [a b]", "proxy_service.public_addr[0]", "host or host:port", /^"a b"/],
  ];
  for (const [written, path, expected, found] of cases) {
    await t.step(written, () => {
      const file = SERVER.replace("public_addr: proxy.example.com:8443", written);
      throws(() => parseServerFile(file, "f"), (thrown) => {
        ok(thrown instanceof ConfigError);
        const [mistake] = thrown.mistakes;
        deepEqual([thrown.mistakes.length, mistake?.path, mistake?.expected], [1, path, expected]);
        match(mistake?.found ?? "", found);
        return true;
      });
    });
  }
});

Deno.test("diag_addr is a loopback address", async (t) => {
  const cases: [address: string, good: boolean][] = [
    ["127.0.0.1:3434", true],
    ["127.9.9.9:1", true],
    ["[::1]:3434", true],
    ["0.0.0.0:3434", false],
    ["[::]:3434", false],
    ["10.0.0.1:3434", false],
    ["128.0.0.1:3434", false],
    ["[::ffff:10.0.0.1]:3434", false],
    ["localhost:3434", false],
    ["127.0.0.1", false],
  ];
  for (const [address, good] of cases) {
    await t.step(address, () => {
      const text = `${SERVER}\ndiag_addr: "${address}"\n`;
      if (good) ok(parseServerFile(text, "f").diag !== null);
      else throws(() => parseServerFile(text, "f"), /a loopback address/);
    });
  }
});
