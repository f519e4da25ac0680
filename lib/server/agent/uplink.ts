import type { AgentPolicy, FlowEvent, ReportRefusal } from "../../wire/mod.ts";
import type { ServerSettings, TlsIdentity } from "../../io/mod.ts";
import type { ControlChannel } from "./control_channel.ts";

/** What an agent is in its cluster, and for how long. */
export interface AgentCredentials {
  readonly clusterName: string;
  readonly agentId: string;
  readonly identity: TlsIdentity;
  /** Certificates for the same key, for the apps that the identity's does not name. */
  readonly appCertificatePems: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The cluster as an agent knows it: across the network, or in the same process. */
export interface Uplink {
  /** The agent's certificate for these apps: kept, renewed or joined for, as need be. */
  enrol(apps: readonly string[], signal: AbortSignal): Promise<AgentCredentials>;
  /** A new certificate for a new key, and these apps, in place of the one that is held. */
  renew(
    held: AgentCredentials,
    apps: readonly string[],
    signal: AbortSignal,
  ): Promise<AgentCredentials>;
  /**
   * What every flow is decided by. The first call answers at once, each later one when it has changed, or after a
   * while.
   *
   * @returns `null` when nothing has changed.
   */
  nextPolicy(held: AgentCredentials, signal: AbortSignal): Promise<AgentPolicy | null>;
  /**
   * Has events written to the audit log. Rejects when they were not.
   *
   * @returns Those that the cluster refuses: what they are about must not happen.
   * @param channel The open control channel, which is the shorter way; `null` if there is none.
   */
  report(
    held: AgentCredentials,
    events: readonly FlowEvent[],
    channel: Pick<ControlChannel, "report"> | null,
  ): Promise<readonly ReportRefusal[]>;
  /** How the proxy is reached with these credentials. */
  proxy(held: AgentCredentials): ServerSettings;
}
