import type { HostPort } from "../../config/mod.ts";
import type { AgentPolicy, FlowEvent, ReportRefusal } from "../../wire/mod.ts";
import {
  type Dialer,
  generateKeyPair,
  parseCertificate,
  type ServerSettings,
} from "../../io/mod.ts";
import type { AgentIdentity, AuthService } from "../auth/mod.ts";
import type { AgentCredentials, Uplink } from "./uplink.ts";

/** The cluster in the same process; only the agent's connections go through the proxy's port. */
export class LocalUplink implements Uplink {
  readonly #auth: AuthService;
  readonly #name: string;
  readonly #publicHost: string;
  readonly #proxyAddress: HostPort;
  readonly #dial: Dialer;
  readonly #identities = new WeakMap<AgentCredentials, AgentIdentity>();
  readonly #settings = new WeakMap<
    AgentCredentials,
    { readonly pems: readonly string[]; readonly settings: ServerSettings }
  >();
  readonly #trustPems: () => readonly string[];
  #revision = -1;

  constructor(options: {
    readonly auth: AuthService;
    readonly name: string;
    /** The name in the proxy's certificate. */
    readonly publicHost: string;
    /** Where the proxy listens. */
    readonly proxyAddress: HostPort;
    readonly dial: Dialer;
    /** What vouches for the proxy's certificate; another list when it is another certificate. */
    readonly trustPems: () => readonly string[];
  }) {
    this.#auth = options.auth;
    this.#name = options.name;
    this.#publicHost = options.publicHost;
    this.#proxyAddress = options.proxyAddress;
    this.#dial = options.dial;
    this.#trustPems = options.trustPems;
  }

  async enrol(apps: readonly string[]): Promise<AgentCredentials> {
    const keys = await generateKeyPair();
    const { certificatePem, appCertificatePems, agent } = await this.#auth.admitLocalAgent({
      name: this.#name,
      apps,
      publicKeyPem: keys.publicKeyPem,
    });
    const certificate = parseCertificate(certificatePem);
    if (certificate === null) throw new TypeError("Auth gave a certificate that cannot be read");
    const held: AgentCredentials = {
      clusterName: this.#auth.clusterName,
      agentId: agent.agentId,
      identity: { certificatePem, privateKeyPem: keys.privateKeyPem },
      appCertificatePems,
      ...certificate.validity,
    };
    this.#identities.set(held, agent);
    return held;
  }

  renew(_held: AgentCredentials, apps: readonly string[]): Promise<AgentCredentials> {
    return this.enrol(apps);
  }

  async nextPolicy(_held: AgentCredentials, signal: AbortSignal): Promise<AgentPolicy | null> {
    await this.#auth.changed(this.#revision, signal);
    if (signal.aborted) return null;
    this.#revision = this.#auth.revision();
    return await this.#auth.policy();
  }

  async report(
    held: AgentCredentials,
    events: readonly FlowEvent[],
  ): Promise<readonly ReportRefusal[]> {
    const agent = this.#identities.get(held);
    if (agent === undefined) throw new TypeError("These credentials are not from here");
    return await this.#auth.reportFlow(agent, events, { partial: true });
  }

  proxy(held: AgentCredentials): ServerSettings {
    const pems = this.#trustPems();
    const known = this.#settings.get(held);
    if (known?.pems === pems) return known.settings;
    const settings: ServerSettings = {
      server: { host: this.#publicHost, port: this.#proxyAddress.port },
      trust: { kind: "authorities", pems },
      identity: held.identity,
      dial: (_address, signal) => this.#dial(this.#proxyAddress, signal),
    };
    this.#settings.set(held, { pems, settings });
    return settings;
  }
}
