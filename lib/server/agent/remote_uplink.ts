import { parseJson } from "../../json.ts";
import { join } from "node:path";
import { z } from "zod";
import { type AgentConfig } from "../../config/mod.ts";
import {
  AgentAuditResponseSchema,
  type AgentPolicy,
  AgentPolicySchema,
  type FlowEvent,
  type JoinResponse,
  JoinResponseSchema,
  type ReportRefusal,
} from "../../wire/mod.ts";
import { AuthError } from "../../error.ts";
import { agentDnsName } from "../../identity/mod.ts";
import {
  appId,
  type Dialer,
  ensurePrivateDirectory,
  generateKeyPair,
  HttpClient,
  type MoreAuthorities,
  parseCertificate,
  readFileIfThere,
  readSecretFile,
  type ServerSettings,
  type ServerTrust,
  writeFileAtomic,
} from "../../io/mod.ts";
import { getLogger } from "../../log.ts";
import type { ControlChannel } from "./control_channel.ts";
import type { AgentCredentials, Uplink } from "./uplink.ts";

const log = getLogger("server", "agent");

const STATE_FILE = "agent.json";
const POLL_SECONDS = 30;
const POLL_MARGIN_MS = 10_000;
const REPORT_MS = 10_000;

const StateSchema = z.object({
  cluster_name: z.string(),
  agent_id: z.string(),
  certificate: z.string(),
  app_certificates: z.array(z.string()).default([]),
  private_key: z.string(),
  host_cas: z.array(z.string()).min(1),
});
type State = z.infer<typeof StateSchema>;

/** Credentials from the disk. */
interface Kept {
  readonly credentials: AgentCredentials;
  /** Whether the certificate is for all of these apps. */
  readonly serves: (apps: readonly string[]) => boolean;
}

/** A client for one set of credentials, and what it knows. */
interface ClusterClient {
  readonly settings: ServerSettings;
  readonly http: HttpClient;
  policyTag: string | null;
}

/** The cluster across the network. */
export class RemoteUplink implements Uplink {
  readonly #config: AgentConfig;
  readonly #nowMs: () => number;
  readonly #dial: Dialer;
  readonly #authorities: MoreAuthorities;
  readonly #clients = new Map<AgentCredentials, ClusterClient>();
  #hostCaPems: readonly string[] = [];

  constructor(
    config: AgentConfig,
    options: {
      readonly nowMs: () => number;
      readonly dial: Dialer;
      /** Whom to trust beside the public authorities that are built in. */
      readonly authorities: MoreAuthorities;
    },
  ) {
    this.#config = config;
    this.#nowMs = options.nowMs;
    this.#dial = options.dial;
    this.#authorities = options.authorities;
  }

  /**
   * Takes the certificate that is kept, or joins with the token.
   *
   * @throws {AuthError} `join-token-missing`, or the cluster's refusal.
   */
  async enrol(apps: readonly string[], signal: AbortSignal): Promise<AgentCredentials> {
    await ensurePrivateDirectory(this.#config.dataDir);
    const kept = await this.#load();
    if (kept === null || kept.credentials.notAfterMs <= this.#nowMs()) {
      return await this.#join(apps, signal);
    }
    if (kept.serves(apps)) return kept.credentials;
    return await this.renew(kept.credentials, apps, signal); // the file names other apps than it did
  }

  async renew(
    held: AgentCredentials,
    apps: readonly string[],
    signal: AbortSignal,
  ): Promise<AgentCredentials> {
    const keys = await generateKeyPair();
    const answer = await this.#clientOf(held).http.request({
      method: "POST",
      path: "/v1/agent/renew",
      schema: JoinResponseSchema,
      body: {
        apps,
        public_key: keys.publicKeyPem,
        split_certificates: true,
      },
    }, signal);
    if (answer.kind !== "value") throw new TypeError("A POST is never answered with 304");
    const renewed = await this.#keep(answer.value, keys.privateKeyPem);
    this.#retire(held);
    log.info("Renewed the agent's certificate", {});
    return renewed;
  }

  async nextPolicy(held: AgentCredentials, signal: AbortSignal): Promise<AgentPolicy | null> {
    const client = this.#clientOf(held);
    const waitSeconds = client.policyTag === null ? 0 : POLL_SECONDS;
    const answer = await client.http.request({
      method: "GET",
      path: waitSeconds === 0 ? "/v1/agent/policy" : `/v1/agent/policy?wait=${waitSeconds}`,
      schema: AgentPolicySchema,
      etag: client.policyTag,
      timeoutMs: waitSeconds * 1000 + POLL_MARGIN_MS,
    }, signal);
    if (answer.kind === "not-modified") return null;
    client.policyTag = answer.etag;
    return answer.value;
  }

  async report(
    held: AgentCredentials,
    events: readonly FlowEvent[],
    channel: Pick<ControlChannel, "report"> | null,
  ): Promise<readonly ReportRefusal[]> {
    if (channel !== null) return await channel.report(events);
    const answer = await this.#clientOf(held).http.request({
      method: "POST",
      path: "/v1/agent/audit",
      // An older cluster writes all or refuses all, and has nothing more to say
      schema: z.union([z.null(), AgentAuditResponseSchema]),
      body: { events, partial: true },
      timeoutMs: REPORT_MS,
    }, new AbortController().signal);
    return answer.kind === "value" ? answer.value?.refused ?? [] : [];
  }

  proxy(held: AgentCredentials): ServerSettings {
    return this.#clientOf(held).settings;
  }

  /** Ends its connections. */
  close(): void {
    for (const { http } of this.#clients.values()) http.close();
    this.#clients.clear();
  }

  async #join(apps: readonly string[], signal: AbortSignal): Promise<AgentCredentials> {
    const token = await this.#token();
    const keys = await generateKeyPair();
    using http = new HttpClient({
      server: this.#config.proxy,
      trust: this.#firstTrust(),
      identity: null,
      dial: this.#dial,
      nowMs: this.#nowMs,
    });
    const answer = await http.request({
      method: "POST",
      path: "/v1/join",
      schema: JoinResponseSchema,
      body: {
        token,
        kind: "app",
        name: this.#config.name,
        apps,
        public_key: keys.publicKeyPem,
        split_certificates: true,
      },
    }, signal);
    if (answer.kind !== "value") throw new TypeError("A POST is never answered with 304");
    log.info("Joined the cluster", { cluster: answer.value.cluster_name });
    return await this.#keep(answer.value, keys.privateKeyPem);
  }

  async #token(): Promise<string> {
    const { tokenFile } = this.#config;
    const token = tokenFile === null ? null : await readSecretFile(tokenFile);
    if (token !== null) return token;
    const state = tokenFile === null
      ? "the file names no join.token_file"
      : `"${tokenFile}" holds none`;
    throw new AuthError("join-token-missing", `Cannot join the cluster: ${state}`, {
      hint: "Make a token with `vnet ctl tokens add` on the server and put it into the token file",
    });
  }

  /** @returns `null` if nothing is kept that can be read. */
  async #load(): Promise<Kept | null> {
    const text = await readFileIfThere(join(this.#config.dataDir, STATE_FILE));
    if (text === null) return null;
    const parsed = StateSchema.safeParse(parseJson(text));
    if (!parsed.success) {
      log.warning("The kept certificate cannot be read", { file: STATE_FILE });
      return null;
    }
    return this.#toKept(parsed.data);
  }

  async #keep(response: JoinResponse, privateKeyPem: string): Promise<AgentCredentials> {
    const state: State = {
      cluster_name: response.cluster_name,
      agent_id: response.agent_id,
      certificate: response.certificate,
      app_certificates: response.app_certificates ?? [],
      private_key: privateKeyPem,
      host_cas: response.trust.host_cas,
    };
    const kept = this.#toKept(state);
    if (kept === null) throw new TypeError("The cluster gave a certificate that cannot be read");
    await writeFileAtomic(join(this.#config.dataDir, STATE_FILE), JSON.stringify(state, null, 2));
    return kept.credentials;
  }

  #toKept(state: State): Kept | null {
    const certificate = parseCertificate(state.certificate);
    if (certificate === null) return null;
    this.#hostCaPems = state.host_cas;
    const names = new Set(
      [certificate, ...state.app_certificates.map((pem) => parseCertificate(pem))]
        .flatMap((one) => one?.dnsNames ?? []),
    );
    return {
      credentials: {
        clusterName: state.cluster_name,
        agentId: state.agent_id,
        identity: { certificatePem: state.certificate, privateKeyPem: state.private_key },
        appCertificatePems: state.app_certificates,
        ...certificate.validity,
      },
      serves: (apps) =>
        apps.every((app) => names.has(agentDnsName(appId(state.cluster_name, app)))),
    };
  }

  #clientOf(held: AgentCredentials): ClusterClient {
    let client = this.#clients.get(held);
    if (client === undefined) {
      const { caPins, proxy } = this.#config;
      const settings: ServerSettings = {
        server: proxy,
        trust: {
          kind: "authorities",
          pems: this.#hostCaPems,
          orPublic: caPins.length === 0,
          more: this.#authorities,
        },
        identity: held.identity,
        dial: this.#dial,
        nowMs: this.#nowMs,
      };
      client = { settings, http: new HttpClient(settings), policyTag: null };
      this.#clients.set(held, client);
    }
    return client;
  }

  /** Requests of the old credentials that are under way may end. */
  #retire(held: AgentCredentials): void {
    const client = this.#clients.get(held);
    this.#clients.delete(held);
    client?.http.closeWhenIdle();
  }

  #firstTrust(): ServerTrust {
    const { caPins } = this.#config;
    return caPins.length === 0
      ? { kind: "public", more: this.#authorities }
      : { kind: "pins", pins: caPins };
  }
}
