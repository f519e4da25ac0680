import { deepEqual, equal, ok } from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { WebSocket } from "ws";
import {
  generateKeyPair,
  importPublicKey,
  issueAuthority,
  issueLeafCertificate,
  loadAuthority,
  parseCertificate,
} from "../../io/mod.ts";
import { CLUSTER, Fixture, START_MS } from "../../../tests/doubles/auth_service.ts";
import { AgentChannels } from "./agent_channels.ts";

/** Joins a leaf. @returns Its certificate in DER. */
async function leafOf(f: Fixture, name: string): Promise<Uint8Array> {
  const made = await issueAuthority({ cluster: name, kind: "host" }, START_MS);
  const hostCa = await loadAuthority(made);
  const { publicKeyPem } = await generateKeyPair();
  const publicKey = (await importPublicKey(publicKeyPem))!;
  const fields = { cluster: name, leaf: name, id: name, publicKey };
  const { token } = await f.auth.admin.addToken({
    kind: "trusted_cluster",
    labels: {},
    any: false,
    ttl_seconds: 600,
    uses: 1,
  });
  const { body } = await f.ask("POST", "/v1/leaf/join", {
    body: {
      token,
      cluster_name: name,
      root_cluster_name: CLUSTER,
      host_cas: [hostCa.certificate.pem],
      certificate: (await issueLeafCertificate(hostCa, fields, f.nowMs)).pem,
      public_key: publicKeyPem,
    },
  });
  return parseCertificate(body.certificate)!.der;
}

/** A peer's end of a control channel: what it is sent, and why it was closed. */
class FakeSocket extends EventEmitter {
  readonly sent: Record<string, unknown>[] = [];
  readonly bufferedAmount = 0;
  closed: string | null = null;
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(_code: number, reason: string): void {
    this.closed ??= reason;
    this.emit("close");
  }
  terminate(): void {
    this.close(0, "terminated");
  }
  of(type: string): Record<string, unknown>[] {
    return this.sent.filter((one) => one["type"] === type);
  }
}

async function connect(channels: AgentChannels, certificate: Uint8Array): Promise<FakeSocket> {
  const admitted = await channels.admit({ address: "192.0.2.1", certificate });
  ok(typeof admitted === "function");
  const socket = new FakeSocket();
  admitted(socket as unknown as WebSocket);
  return socket;
}

Deno.test("leaves are told of sessions that they carry, and of nobody else", async () => {
  await using f = await Fixture.open();
  const { certificate } = await f.serve({ name: "db" });
  const carried = "a".repeat(32);
  const channels = new AgentChannels({
    auth: f.auth,
    nowMs: () => f.nowMs,
    cut: () => 0,
    carries: (agentId, session) => agentId === "leaf-leaf.example" && session === carried,
  });
  const leaf = await connect(channels, await leafOf(f, "leaf.example"));
  const other = await connect(channels, await leafOf(f, "other.example"));
  const agent = await connect(channels, certificate);
  const targets = [{ user: "alice" }, { role: "dev" }, { session: "b".repeat(32) }];
  for (const target of [...targets, { session: carried }]) {
    channels.shutOut(target, "access-locked");
  }
  deepEqual(agent.of("lock").map(({ target }) => target), [...targets, { session: carried }]);
  deepEqual(leaf.of("lock").map(({ target }) => target), [{ session: carried }]);
  deepEqual(other.of("lock"), []);
  channels.close();
});

Deno.test("a leaf says hello often, and not without end, over all of its channels", async () => {
  await using f = await Fixture.open();
  const channels = new AgentChannels({
    auth: f.auth,
    nowMs: () => f.nowMs,
    cut: () => 0,
    carries: () => false,
  });
  const certificate = await leafOf(f, "leaf.example");
  const leaf = {
    proxy_public_addrs: [],
    vnet_config: { ipv4_cidr_range: "100.64.0.0/10", custom_dns_zones: [] },
    role_map: [{ remote: "*", local: ["all"] }],
    roles: [],
  };
  const hello = JSON.stringify({ type: "hello", version: "1", apps: [], leaf });
  const first = await connect(channels, certificate);
  for (let i = 0; i < 40; i++) first.emit("message", hello, false);
  equal(first.closed, null);
  const second = await connect(channels, certificate);
  for (let i = 0; i < 30; i++) second.emit("message", hello, false);
  equal(second.closed, "too many hellos");
  equal(first.closed, null);
  // A change a few times a second goes on for ever
  f.nowMs += 60_000;
  for (let i = 0; i < 300; i++) {
    f.nowMs += 300;
    first.emit("message", hello, false);
  }
  equal(first.closed, null);
  channels.close();
});
