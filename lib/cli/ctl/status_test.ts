import { equal } from "node:assert/strict";
import { type ClusterStatus, renderStatus } from "./status.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12);

function agent(name: string, more: Partial<ClusterStatus["agents"][number]> = {}) {
  return {
    id: `id-of-${name}`,
    name,
    apps: ["db"],
    connected: true,
    locked: false,
    joined: "2026-01-01T00:00:00.000Z",
    renewed: "2026-01-31T06:00:00.000Z",
    last_seen: "2026-01-31T12:00:00.000Z",
    refused: [],
    ...more,
  };
}

const STATUS: ClusterStatus = {
  cluster_name: "teleport.example.com",
  server_version: "1.2.3",
  ca_pin: `sha256:${"0".repeat(64)}`,
  proxy_public_addrs: ["teleport.example.com:443", "p2.example.com:443"],
  second_factor: "optional",
  users: 3,
  sessions: 1,
  agents_connected: 2,
  apps: 4,
  locks: 1,
  started: "2026-01-28T12:00:00.000Z",
  flows: 2,
  agents: [
    agent("edge"),
    agent("rack-7"),
    agent("rack-9", { connected: false, locked: true, last_seen: "2026-01-31T09:00:00.000Z" }),
  ],
  web_certificate: {
    source: "files",
    cert_file: "/etc/vnet/tls/cert.pem",
    names: ["teleport.example.com"],
    not_after: "2026-05-01T12:00:00.000Z",
    loaded: "2026-01-31T11:00:00.000Z",
    problem: "the certificate is not for p2.example.com",
  },
  authorities: [
    { kind: "user", not_after: "2036-01-01T00:00:00.000Z" },
    { kind: "host", not_after: "2036-01-02T00:00:00.000Z" },
  ],
};

Deno.test("renderStatus() says what runs, since when, who is away, and what is wrong", () => {
  equal(
    renderStatus(STATUS, NOW_MS),
    `cluster  teleport.example.com (version 1.2.3)
ca pin   sha256:${"0".repeat(64)}
proxy    teleport.example.com:443 p2.example.com:443
running  for 3 days, since 2026-01-28 12:00 UTC
web      certificate for teleport.example.com, from /etc/vnet/tls/cert.pem
         good until 2026-05-01 12:00 UTC (90 days left)
         problem: the certificate is not for p2.example.com
cas      good until 2036-01-01 00:00 UTC (3621 days left)
agents   2 of 3 connected: edge, rack-7
         rack-9 was last seen 3 hours ago, 2026-01-31 09:00 UTC
         rack-9 is locked out
apps     4
users    3, with 1 login and 2 open connections
locks    1; \`vnet ctl get locks\` shows them
`,
  );
});

Deno.test("renderStatus() says when a certificate has expired", () => {
  const web = { ...STATUS.web_certificate!, not_after: "2026-01-29T12:00:00.000Z" };
  const [line] = renderStatus({ ...STATUS, web_certificate: web }, NOW_MS).split("\n")
    .filter((one) => one.includes("expired"));
  equal(line, "         expired 2 days ago, at 2026-01-29 12:00 UTC");
});

Deno.test("renderStatus() says where to look when apps are refused", () => {
  const refused = [{ app: "db", code: "app-taken", reason: "others serve it" }];
  const [line] = renderStatus({ ...STATUS, agents: [agent("edge", { refused })] }, NOW_MS)
    .split("\n").filter((one) => one.startsWith("apps"));
  equal(line, "apps     4; some are refused: `vnet ctl apps ls` says why");
});
