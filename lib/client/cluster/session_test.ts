import { deepEqual, equal, rejects } from "node:assert/strict";
import type { App, AppCertRequest, AppCertResponse, ClusterConfig } from "../../wire/mod.ts";
import type { AppTarget } from "../../plan/mod.ts";
import { AuthError, NetworkError } from "../../error.ts";
import { parsePrefix } from "../../ip/mod.ts";
import type { ClusterApi, Tagged } from "./own/api.ts";
import type { Profile } from "./profile.ts";
import { Session } from "./session.ts";

const CONFIG: ClusterConfig = {
  cluster_name: "prod.example.com",
  proxy_public_addrs: ["prod.example.com:443"],
  vnet_config: { ipv4_cidr_range: "100.64.0.0/10", custom_dns_zones: [] },
  leaf_clusters: [],
};
const APP: App = {
  name: "db",
  cluster: "prod.example.com",
  app_id: "0123456789abcdef",
  public_addrs: ["db.prod.example.com"],
  labels: {},
};
const TARGET: AppTarget = {
  kind: "tcp",
  profile: "prod.example.com",
  cluster: "prod.example.com",
  app: "db",
  appId: "0123456789abcdef",
  ports: [{ first: 5432, last: 5433 }],
  httpHosts: null,
  range: parsePrefix("100.64.0.0/10"),
};
const PROFILE: Profile = {
  proxy: { host: "prod.example.com", port: 443 },
  cluster: "prod.example.com",
  user: "alice",
  certificatePem: "",
  privateKeyPem: "",
  hostCaPems: [],
  caPin: null,
  httpProxy: null,
  expiresMs: 1_000_000,
};

/** A cluster in memory: tags what it says, counts what it is asked. */
class FakeCluster implements ClusterApi {
  appsList: readonly App[] = [APP];
  tag = "1";
  failure: Error | null = null;
  certificates = 0;
  certificateLifeMs = 100_000;
  readonly requests: AppCertRequest[] = [];
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  config(tag: string | null): Promise<Tagged<ClusterConfig> | null> {
    if (this.failure !== null) return Promise.reject(this.failure);
    return Promise.resolve(tag === this.tag ? null : { value: CONFIG, tag: this.tag });
  }

  apps(tag: string | null): Promise<Tagged<readonly App[]> | null> {
    return Promise.resolve(tag === this.tag ? null : { value: this.appsList, tag: this.tag });
  }

  appCertificate(request: AppCertRequest): Promise<AppCertResponse> {
    this.requests.push(request);
    if (this.failure !== null) return Promise.reject(this.failure);
    this.certificates++;
    return Promise.resolve({
      certificate: `certificate ${this.certificates}`,
      ticket: "abcdefgh",
      expires: new Date(this.#nowMs() + this.certificateLifeMs).toISOString(),
    });
  }

  [Symbol.dispose](): void {}
}

function start(): { session: Session; cluster: FakeCluster; clock: { nowMs: number } } {
  const clock = { nowMs: 0 };
  const cluster = new FakeCluster(() => clock.nowMs);
  const session = new Session({ profile: PROFILE, api: cluster, nowMs: () => clock.nowMs });
  return { session, cluster, clock };
}

const signal = new AbortController().signal;

Deno.test("Session.refresh() says whether anything is different", async () => {
  const { session, cluster } = start();
  equal(await session.refresh(0, signal), true);
  deepEqual(session.view, { config: CONFIG, apps: [APP] });
  equal(await session.refresh(0, signal), false);
  cluster.tag = "2";
  cluster.appsList = [];
  equal(await session.refresh(0, signal), true);
  deepEqual(session.view?.apps, []);
});

Deno.test("Session.refresh() keeps what is known when the cluster cannot be asked", async () => {
  const { session, cluster } = start();
  await session.refresh(0, signal);
  cluster.failure = new NetworkError("proxy-unreachable", "nobody there");
  equal(await session.refresh(0, signal), true);
  deepEqual([session.state, session.view?.apps], ["unreachable", [APP]]);
  cluster.failure = null;
  equal(await session.refresh(0, signal), true);
  equal(session.state, "active");
});

Deno.test("Session.state is expired when the cluster refuses and when the certificate is over", async () => {
  const { session, cluster, clock } = start();
  cluster.failure = new AuthError("session-ended", "logged out elsewhere");
  await session.refresh(0, signal);
  equal(session.state, "expired");
  cluster.failure = null;
  await session.refresh(0, signal);
  equal(session.state, "active");
  clock.nowMs = PROFILE.expiresMs;
  equal(session.state, "expired");
});

Deno.test("Session.credentials() asks once for many and renews ahead of the end", async () => {
  const { session, cluster, clock } = start();
  const [one, other] = await Promise.all([
    session.credentials(TARGET, 5432),
    session.credentials(TARGET, 5432),
  ]);
  equal(one, other);
  equal(cluster.certificates, 1);
  clock.nowMs = 74_999;
  await session.credentials(TARGET, 5432);
  equal(cluster.certificates, 1);
  clock.nowMs = 75_000;
  const renewed = await session.credentials(TARGET, 5432);
  equal(renewed.certificatePem, "certificate 2");
});

Deno.test("Session.credentials() asks for each port of a multi-port app, once for an any-port app", async () => {
  const { session, cluster } = start();
  await session.credentials(TARGET, 5432);
  await session.credentials(TARGET, 5433);
  await session.credentials({ ...TARGET, appId: "f".repeat(16), ports: null }, 1);
  await session.credentials({ ...TARGET, appId: "f".repeat(16), ports: null }, 2);
  deepEqual(cluster.requests.map(({ port }) => port), [5432, 5433, 0]);
});

Deno.test("Session.credentials() passes the cluster's refusal on and asks again next time", async () => {
  const { session, cluster } = start();
  cluster.failure = new AuthError("access-denied", "no role allows it");
  await rejects(session.credentials(TARGET, 5432), { code: "access-denied" });
  cluster.failure = null;
  equal((await session.credentials(TARGET, 5432)).certificatePem, "certificate 1");
});

Deno.test("Session.credentials() goes on with a certificate that is good while it cannot be renewed", async () => {
  const { session, cluster, clock } = start();
  await session.credentials(TARGET, 5432);
  clock.nowMs = 80_000;
  cluster.failure = new NetworkError("proxy-unreachable", "nobody there");
  equal((await session.credentials(TARGET, 5432)).certificatePem, "certificate 1");
  clock.nowMs = 100_000;
  await rejects(session.credentials(TARGET, 5432), { code: "proxy-unreachable" });
});
