/**
 * A second cluster in the lab's world, with addresses from another range than the first's.
 *
 * @module
 */
import type { Lab } from "../host/lab.ts";
import { here } from "../host/paths.ts";
import type { LabProcess } from "../host/process.ts";
import { Vnet } from "./vnet.ts";
import { PASSWORD, USER, type World } from "./world.ts";

const FILE = "/etc/vnet-other.yaml";

/** Where its addresses come from. */
export const SECOND_RANGE = "100.77.0.0/16";

export class SecondCluster {
  readonly #world: World;
  readonly #caPin: string;
  #server: LabProcess;

  private constructor(world: World, caPin: string, server: LabProcess) {
    this.#world = world;
    this.#caPin = caPin;
    this.#server = server;
  }

  /** Starts it on the proxy's host; its app "greeter" says "hello", and "parrot" whatever it hears. */
  static async open(lab: Lab, world: World): Promise<SecondCluster> {
    const { proxy, client } = world;
    await client.script("echo 203.0.113.10 other.example.org >>/etc/hosts");
    proxy.spawn(["socat", "TCP-LISTEN:9000,bind=127.0.0.1,fork,reuseaddr", "SYSTEM:echo hello"]);
    proxy.spawn(["socat", "TCP-LISTEN:9001,bind=127.0.0.1,fork,reuseaddr", "EXEC:cat"]);
    await proxy.run(["cp", here("fixtures/second.yaml"), FILE]);
    const vnet = new Vnet(proxy);
    const server = await serve(lab, world);
    const ctl = ["ctl", "--config", FILE];
    const { ca_pin: caPin } = await vnet.json<{ ca_pin: string }>([...ctl, "status"]);
    const range = { ipv4_cidr_range: SECOND_RANGE, custom_dns_zones: [] };
    const resources = [
      { kind: "vnet_config", version: "v1", metadata: { name: "vnet-config" }, spec: range },
      {
        ...{ kind: "role", version: "v1", metadata: { name: "dev" } },
        spec: { allow: { app_labels: { env: ["dev"] } } },
      },
    ];
    for (const resource of resources) {
      await vnet.run([...ctl, "create", "--force", "-f", "-"], { stdin: JSON.stringify(resource) });
    }
    await vnet.run([...ctl, "users", "add", USER, "--roles", "dev", "--password-stdin"], {
      stdin: `${PASSWORD}\n`,
    });
    return new SecondCluster(world, caPin, server);
  }

  /** Has it ask for zones, as whoever runs it likes. */
  async askFor(...suffixes: readonly string[]): Promise<void> {
    const spec = {
      ipv4_cidr_range: SECOND_RANGE,
      custom_dns_zones: suffixes.map((suffix) => ({ suffix })),
    };
    const resource = {
      kind: "vnet_config",
      version: "v1",
      metadata: { name: "vnet-config" },
      spec,
    };
    await new Vnet(this.#world.proxy).run(
      ["ctl", "--config", FILE, "create", "--force", "-f", "-"],
      { stdin: JSON.stringify(resource) },
    );
  }

  /** Logs in on the client host. */
  async login(vnet: Vnet = this.#world.vnet): Promise<void> {
    // deno-fmt-ignore
    await vnet.run(["login", "--proxy", "other.example.org:8443", "--user", USER,
      "--ca-pin", this.#caPin, "--password-stdin"], { stdin: `${PASSWORD}\n` });
  }

  /** Lets the users of the first cluster in: it is a leaf of that from here on. */
  async trustFirst(): Promise<void> {
    const { cluster, proxy } = this.#world;
    const token = (await cluster.ctl(["tokens", "add", "--type", "trusted_cluster"])).trim();
    const resource = {
      kind: "trusted_cluster",
      version: "v1",
      metadata: { name: "vnet.example.com" },
      spec: {
        token,
        web_proxy_addr: "vnet.example.com:443",
        ca_pin: cluster.caPin,
        role_map: [{ remote: "dev", local: ["dev"] }],
      },
    };
    await new Vnet(proxy).run(["ctl", "--config", FILE, "create", "-f", "-"], {
      stdin: JSON.stringify(resource),
    });
  }

  /** Ends it without a word. */
  async kill(): Promise<void> {
    await this.#server.stop("SIGKILL");
  }

  /** Starts it anew. */
  async restart(): Promise<void> {
    this.#server = await serve(this.#world.lab, this.#world);
  }

  /** Gives up that login. */
  async logout(): Promise<void> {
    await this.#world.vnet.run(["logout", "other.example.org"]);
  }

  async close(): Promise<void> {
    await this.#server.stop();
  }
}

async function serve(lab: Lab, { proxy }: World): Promise<LabProcess> {
  const command = ["server", "start", "--config", FILE];
  const server = new Vnet(proxy).start(command, lab.log("server-other"));
  await proxy.listening(8443, 20_000);
  return server;
}
