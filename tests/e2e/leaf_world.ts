/**
 * Two clusters in this process: a root with the user "alice", and a leaf that lets the root's "dev" in as "guest".
 *
 * @module
 */
import { AppRight } from "../../lib/client/cluster/own/link.ts";
import type { Flow, SessionProof } from "../../lib/client/cluster/driver.ts";
import { appId } from "../../lib/io/mod.ts";
import type { AppRef, ClusterView } from "../../lib/plan/mod.ts";
import { app, echoServer, type Login, never, TestCluster, type TestServer } from "./cluster.ts";

export const ROOT = "root.example";
export const LEAF = "leaf.example";

type ClusterOptions = NonNullable<Parameters<typeof TestCluster.start>[1]>;

/** Of both clusters; the second factor is the root's. */
type Options = Pick<ClusterOptions, "clock" | "behindMs" | "appLifeMs" | "secondFactor">;

/** Clusters that trust each other as far as a test has them. */
export class LeafWorld implements AsyncDisposable {
  readonly root: TestCluster;
  readonly leaf: TestCluster;
  readonly echo: TestServer;

  private constructor(made: { root: TestCluster; leaf: TestCluster; echo: TestServer }) {
    this.root = made.root;
    this.leaf = made.leaf;
    this.echo = made.echo;
  }

  /** Starts both; the leaf serves "echo" (env dev) and "vault" (env prod), the root "home". */
  static async open({ secondFactor, ...both }: Options = {}): Promise<LeafWorld> {
    const echo = echoServer();
    const root = await TestCluster.start([app("home", echo.port)], {
      ...both,
      ...(secondFactor === undefined ? {} : { secondFactor }),
      name: ROOT,
    });
    const leaf = await TestCluster.start([
      app("echo", echo.port),
      app("vault", echo.port, { labels: { env: "prod" } }),
    ], { ...both, name: LEAF });
    await leaf.putRole("guest", { env: "dev" });
    return new LeafWorld({ root, leaf, echo });
  }

  /** The same, with the leaf joined and connected. */
  static async joined(options: Options = {}): Promise<LeafWorld> {
    const world = await LeafWorld.open(options);
    await world.trust();
    await world.online();
    return world;
  }

  async token(): Promise<string> {
    const { token } = await this.root.server.auth.admin.addToken({
      kind: "trusted_cluster",
      labels: {},
      any: false,
      ttl_seconds: 600,
      uses: 1,
    });
    return token;
  }

  /** Puts the `trusted_cluster` on the leaf. */
  async trust(
    spec: Record<string, unknown> = {},
    name: string = ROOT,
  ): Promise<void> {
    const isNew = (await this.leaf.server.auth.admin.getResources({ kind: "trusted_cluster" }))
      .resources.length === 0;
    await this.leaf.server.auth.admin.putResource({
      kind: "trusted_cluster",
      version: "v1",
      metadata: { name },
      spec: {
        enabled: true,
        ...(isNew ? { token: await this.token() } : {}),
        web_proxy_addr: `127.0.0.1:${this.root.address.port}`,
        ca_pin: this.root.server.caPin,
        role_map: [{ remote: "dev", local: ["guest"] }],
        ...spec,
      },
    }, { replace: true });
  }

  /** Waits until the root has the leaf, or has it no more. */
  async online(wanted = true): Promise<void> {
    const { auth } = this.root.server;
    for (;;) {
      const revision = auth.revision();
      const isThere = auth.leaves.agents.agentsFor(appId(LEAF, "echo")).length > 0;
      if (isThere === wanted) return;
      await auth.changed(revision, never());
    }
  }

  async view(login: Login): Promise<ClusterView> {
    const link = this.root.driver.open(login.profile);
    return await link.view(never()).finally(() => link.close());
  }

  /** The client of a login, which is closed by the caller. */
  client(login: Login): LeafClient {
    return new LeafClient(this.root.driver.open(login.profile));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leaf[Symbol.asyncDispose]();
    await this.root[Symbol.asyncDispose]();
    await this.echo[Symbol.asyncDispose]();
  }
}

/** A login at work. */
export class LeafClient implements AsyncDisposable {
  readonly link: ReturnType<TestCluster["driver"]["open"]>;

  constructor(link: LeafClient["link"]) {
    this.link = link;
  }

  async right(name: string, proof: SessionProof | null = null, cluster = LEAF): Promise<AppRight> {
    const target = refOf(name, cluster);
    const right = await this.link.right({ target, port: 5432, proof }, never());
    if (right instanceof AppRight) return right;
    throw new TypeError("The right is of another kind of cluster");
  }

  async open(name: string, proof: SessionProof | null = null, cluster = LEAF): Promise<Flow> {
    const right = await this.right(name, proof, cluster);
    return await this.link.open({ right, target: refOf(name, cluster), port: 5432 }, never());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link.close();
  }
}

export function refOf(name: string, cluster: string = LEAF): AppRef {
  return {
    kind: "tcp",
    profile: ROOT,
    cluster,
    app: name,
    appId: appId(cluster, name),
    ports: null,
    httpHosts: null,
  };
}
