/**
 * A vnet cluster of the lab, set up with `vnet server`, `vnet ctl` and `vnet agent`.
 *
 * @module
 */
import type { Host } from "../host/host.ts";
import type { Lab } from "../host/lab.ts";
import { here } from "../host/paths.ts";
import type { LabProcess } from "../host/process.ts";
import { until } from "../host/wait.ts";
import { Vnet, vnetCommand } from "./vnet.ts";

const SERVER_FILE = "/etc/vnet-server.yaml";
const AGENT_FILE = "/etc/vnet-agent.yaml";

export class Cluster {
  readonly caPin: string;
  readonly server: LabProcess;
  readonly #lab: Lab;
  readonly #vnet: Vnet;

  private constructor(lab: Lab, vnet: Vnet, server: LabProcess, caPin: string) {
    this.#lab = lab;
    this.#vnet = vnet;
    this.server = server;
    this.caPin = caPin;
  }

  /**
   * Starts `vnet server` on a host, with the roles and zones of `fixtures/cluster.yaml`.
   *
   * @param prefix Goes before the server's command, for a story that wants a clock that is wrong.
   */
  static async open(lab: Lab, host: Host, prefix: readonly string[] = []): Promise<Cluster> {
    await host.run(["cp", here("fixtures/server.yaml"), SERVER_FILE]);
    const server = new Vnet(host, { command: [...prefix, ...vnetCommand()] }).start(
      ["server", "start", "--config", SERVER_FILE],
      lab.log(`server-${host.name}`),
    );
    await until(`${host.name} serves`, 20_000, () => {
      if (server.ended) throw new Error("vnet server ended; its log says why");
      return host.tcpListeners().some(({ port }) => port === 443);
    });
    const vnet = new Vnet(host);
    const { ca_pin: caPin } = await vnet.json<{ ca_pin: string }>(
      ["ctl", "--config", SERVER_FILE, "status"],
    );
    const cluster = new Cluster(lab, vnet, server, caPin);
    await cluster.ctl(["create", "--force", "-f", here("fixtures/cluster.yaml")]);
    return cluster;
  }

  /** Runs `vnet ctl` on the proxy's host. */
  async ctl(args: readonly string[], stdin = ""): Promise<string> {
    return (await this.#vnet.run(["ctl", "--config", SERVER_FILE, ...args], { stdin })).stdout;
  }

  async addUser(name: string, password: string, role: string): Promise<void> {
    await this.ctl(["users", "add", name, "--roles", role, "--password-stdin"], `${password}\n`);
  }

  /** Lets a host join as an agent, with the apps of `fixtures/agent.yaml` or those given. */
  async addAgent(host: Host, file = here("fixtures/agent.yaml")): Promise<LabProcess> {
    const { token } = await this.#vnet.json<{ token: string }>(
      ["ctl", "--config", SERVER_FILE, "tokens", "add", "--any"],
    );
    const text = (await Deno.readTextFile(file)).replace(/ca_pin: CA_PIN/, `ca_pin: ${this.caPin}`);
    await host.run(["sh", "-c", `umask 077; cat >/run/vnet-agent.token`], { stdin: `${token}\n` });
    await host.run(["sh", "-c", `cat >${AGENT_FILE}`], { stdin: text });
    const before = await this.#agentsConnected();
    const agent = new Vnet(host).start(
      ["agent", "start", "--config", AGENT_FILE],
      this.#lab.log(`agent-${host.name}`),
    );
    await until("the agent has joined", 20_000, async () => {
      if (agent.ended) throw new Error("vnet agent ended; its log says why");
      return await this.#agentsConnected() > before;
    });
    return agent;
  }

  async #agentsConnected(): Promise<number> {
    const args = ["ctl", "--config", SERVER_FILE, "status"];
    const status = await this.#vnet.json<{ agents_connected: number }>(args, { quiet: true });
    return status.agents_connected;
  }
}
