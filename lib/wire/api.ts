/**
 * The JSON that clients, agents and the cluster say to each other over HTTPS, as schemas. Both sides parse what
 * they receive with these; unknown keys are ignored, so that a newer peer may say more.
 *
 * @module
 */
import { z } from "zod";
import {
  fitsLabels,
  LockTargetSchema,
  MAX_AGENT_APPS,
  RoleMapSchema,
  RoleSpecSchema,
} from "../config/mod.ts";
import { OidcOfferSchema } from "./oidc.ts";

const name = z.string().min(1).max(253);
const pem = z.string().max(65_536);
const timestamp = z.iso.datetime();
const port = z.int().min(1).max(65_535);

/** A range of TCP ports; `end_port` absent means just `port`. */
export const PortRangeSchema = z.object({ port, end_port: port.optional() });

const address = z.string().max(260);

/** `GET /webapi/ping` and `GET /webapi/find`: what anybody may know of a cluster. */
export const FindResponseSchema = z.object({
  cluster_name: name,
  server_version: z.string().max(64),
  min_client_version: z.string().max(64),
  auth: z.object({
    type: z.enum(["local", "oidc"]),
    second_factor: z.enum(["off", "optional", "otp"]),
    /** What a second factor is; absent where nobody is asked for one. */
    preferred_local_mfa: z.literal("otp").optional(),
    allow_passwordless: z.literal(false).optional(),
    allow_headless: z.literal(false).optional(),
    local: z.object({ name: z.string().max(64) }).optional(),
    /**
     * Identity providers that one may log in with, the first unless another is named. `type` goes on saying `local`, so
     * that older clients, which know no other, still ask for a password.
     */
    oidc: z.array(OidcOfferSchema).max(64).optional(),
  }),
  proxy: z.object({
    public_addrs: z.array(z.string().max(260)).min(1).max(16),
    tls_routing_enabled: z.literal(true),
    /** The same address under the names that Teleport's tools look for: there is one port for everything. */
    ssh: z.object({
      public_addr: address,
      tunnel_public_addr: address,
      ssh_tunnel_public_addr: address,
      listen_addr: address,
      tunnel_listen_addr: address,
      web_listen_addr: address,
    }).optional(),
  }),
});
export type FindResponse = z.infer<typeof FindResponseSchema>;

/** `POST /v1/login/begin`. The answer is the same for known and unknown users. */
export const LoginBeginRequestSchema = z.object({ user: name });
export const LoginBeginResponseSchema = z.object({
  second_factor: z.enum(["off", "optional", "otp"]),
});

/** `POST /v1/login/finish`. Keys are SubjectPublicKeyInfo in PEM; `ttl_seconds` is a wish, clamped by the cluster. */
export const LoginFinishRequestSchema = z.object({
  user: name,
  password: z.string().min(1).max(1024),
  totp_code: z.string().regex(/^[0-9]{6,8}$/).optional(),
  tls_public_key: pem,
  ssh_public_key: pem.optional(),
  ttl_seconds: z.int().min(60).max(31_536_000).optional(),
});
export type LoginFinishRequest = z.infer<typeof LoginFinishRequestSchema>;

/** What a client must trust to meet this cluster's agents and proxies: host CA certificates in PEM. */
export const TrustSchema = z.object({ host_cas: z.array(pem).min(1).max(8) });

export const LoginFinishResponseSchema = z.object({
  cluster_name: name,
  user: name,
  certificate: pem,
  trust: TrustSchema,
  expires: timestamp,
});
export type LoginFinishResponse = z.infer<typeof LoginFinishResponseSchema>;

/** `vnet_config`'s spec, as clients are told. */
export const VnetConfigSpecSchema = z.object({
  ipv4_cidr_range: z.string().max(18),
  custom_dns_zones: z.array(z.object({ suffix: name, private: z.boolean().optional() })).max(256),
});
export type VnetConfigSpec = z.infer<typeof VnetConfigSpecSchema>;

/**
 * `GET /v1/config` (ETag; `?wait=SECONDS` holds the request until something changed, at most 60). With `&apps=TAG`, the
 * entity tag held of `/v1/apps`, it is answered as soon as that is another one, too: by 304 if this is the same. With
 * `&refused=access-locked`, who was told of a lock is told again only when the wait is over: as soon as there is none,
 * the answer comes.
 */
export const ClusterConfigSchema = z.object({
  cluster_name: name,
  proxy_public_addrs: z.array(z.string().max(260)).min(1).max(16),
  vnet_config: VnetConfigSpecSchema,
  leaf_clusters: z.array(
    z.object({
      cluster_name: name,
      proxy_public_addrs: z.array(z.string().max(260)).max(16),
      vnet_config: VnetConfigSpecSchema,
      /** Who vouches for its agents. Not from servers that have no leaves. */
      trust: TrustSchema.optional(),
      /** Whether it is connected, and since when it is, or is not. */
      online: z.boolean().optional(),
      /** How many of its apps are not told of, because they would be too many or too large. */
      apps_left_out: z.int().min(0).optional(),
      since: timestamp.optional(),
    }),
  ).max(256),
});
export type ClusterConfig = z.infer<typeof ClusterConfigSchema>;

/** What of labels an app may have: each client holds those of every app it may use. */
const appLabels = z.record(z.string().max(128), z.string().max(256)).refine(fitsLabels);

/** One TCP app as a client sees it. No `tcp_ports` means any port. */
export const AppSchema = z.object({
  name,
  cluster: name,
  app_id: z.string().regex(/^[0-9a-f]{16}$/),
  public_addrs: z.array(name).min(1).max(16),
  description: z.string().max(1024).optional(),
  labels: z.record(z.string().max(128), z.string().max(256)),
  tcp_ports: z.array(PortRangeSchema).max(256).optional(),
});
export type App = z.infer<typeof AppSchema>;

/** An app that no agent serves at the moment, and when one did. */
export const AwayAppSchema = AppSchema.extend({ last_seen: timestamp });
export type AwayApp = z.infer<typeof AwayAppSchema>;

/** Clusters whose users are let in, beside the own ones. */
export const MAX_TRUSTED_CLUSTERS = 64;

/** Apps that one user is told of. */
export const MAX_APPS = 50_000;

/** `GET /v1/apps` (ETag): only what the user's roles allow, sorted by cluster and name. */
export const AppsResponseSchema = z.object({
  apps: z.array(AppSchema).max(MAX_APPS),
  /** Not from servers that do not know. */
  away: z.array(AwayAppSchema).max(1000).optional(),
});
export type AppsResponse = z.infer<typeof AppsResponseSchema>;

/** `POST /v1/certs/app`. `port` 0 is for an app without `tcp_ports`: the certificate then serves any port. */
export const AppCertRequestSchema = z.object({
  app: name,
  cluster: name,
  port: z.int().min(0).max(65_535),
  public_key: pem,
  totp_code: z.string().regex(/^[0-9]{6,8}$/).optional(),
});
export type AppCertRequest = z.infer<typeof AppCertRequestSchema>;

/** `ticket` is the first label of the SNI of an app connection. */
export const AppCertResponseSchema = z.object({
  certificate: pem,
  ticket: z.string().regex(/^[a-z2-7]{8,63}$/),
  expires: timestamp,
});
export type AppCertResponse = z.infer<typeof AppCertResponseSchema>;

/** An app as an agent offers it; `labels` decide who may use it. */
export const AgentAppSchema = z.object({
  name,
  public_addrs: z.array(name).max(16),
  description: z.string().max(1024).optional(),
  labels: appLabels,
  tcp_ports: z.array(PortRangeSchema).max(256).optional(),
});
export type AgentApp = z.infer<typeof AgentAppSchema>;

/**
 * Whether the agent takes several certificates for the key: TLS carries none that names some hundred apps. Older agents
 * do not say so, and get one.
 */
const splitCertificates = z.boolean().optional();

/** `POST /v1/join`: an agent shows a token and gets its certificate. */
export const JoinRequestSchema = z.object({
  token: z.string().min(16).max(128),
  kind: z.literal("app"),
  name,
  apps: z.array(name).max(MAX_AGENT_APPS),
  public_key: pem,
  split_certificates: splitCertificates,
});
export type JoinRequest = z.infer<typeof JoinRequestSchema>;

/** `user_cas` are what the agent lets in. */
export const JoinResponseSchema = z.object({
  cluster_name: name,
  agent_id: name,
  certificate: pem,
  /** The apps that `certificate` does not name, in certificates of their own. */
  app_certificates: z.array(pem).max(1024).optional(),
  trust: TrustSchema,
  user_cas: z.array(pem).min(1).max(8),
  expires: timestamp,
});
export type JoinResponse = z.infer<typeof JoinResponseSchema>;

/**
 * `POST /v1/leaf/join`: a cluster shows a token and becomes a leaf of this one. Its `certificate` is signed by its host
 * authority, for the key: whoever has only seen the authority cannot pose as it.
 */
export const LeafJoinRequestSchema = z.object({
  token: z.string().min(16).max(128),
  cluster_name: name,
  /** What the leaf takes the root for. */
  root_cluster_name: name,
  host_cas: z.array(pem).min(1).max(8),
  certificate: pem,
  public_key: pem,
});
export type LeafJoinRequest = z.infer<typeof LeafJoinRequestSchema>;

/** `user_cas` sign for the users that the leaf lets in. */
export const LeafJoinResponseSchema = z.object({
  cluster_name: name,
  certificate: pem,
  trust: TrustSchema,
  user_cas: z.array(pem).min(1).max(8),
  expires: timestamp,
});
export type LeafJoinResponse = z.infer<typeof LeafJoinResponseSchema>;

/** `POST /v1/leaf/renew` (mTLS with the leaf's certificate): a new certificate for a new key. */
export const LeafRenewRequestSchema = z.object({ public_key: pem });
export const LeafRenewResponseSchema = z.object({ certificate: pem });

/**
 * What a leaf says of itself in its `hello`: where it is, and what its apps are decided by. `roles` are those that
 * `role_map` names.
 */
export const LeafFactsSchema = z.object({
  proxy_public_addrs: z.array(z.string().max(260)).max(16),
  vnet_config: VnetConfigSpecSchema,
  role_map: RoleMapSchema,
  roles: z.array(z.object({ name, spec: RoleSpecSchema })).max(4096),
});
export type LeafFacts = z.infer<typeof LeafFactsSchema>;

/** `POST /v1/agent/renew` (mTLS with the agent certificate): a new certificate for a new key. */
export const AgentRenewRequestSchema = z.object({
  apps: z.array(name).max(MAX_AGENT_APPS),
  public_key: pem,
  split_certificates: splitCertificates,
});
export type AgentRenewRequest = z.infer<typeof AgentRenewRequestSchema>;

/**
 * `GET /v1/agent/policy` (mTLS with the agent certificate; ETag and `?wait=` as for `/v1/config`): what an agent
 * decides every flow by. An agent that does not understand all of a role keeps nothing of it.
 */
export const AgentPolicySchema = z.object({
  cluster_name: name,
  roles: z.array(z.object({ name, spec: RoleSpecSchema })).max(4096),
  locks: z.array(z.object({ target: LockTargetSchema, expires: timestamp.optional() })).max(65_536),
  user_cas: z.array(pem).min(1).max(8),
  /** Clusters whose users are let in, too, with the roles that the map gives them. Not from older servers. */
  trusted_clusters: z.array(
    z.object({
      cluster_name: name,
      user_cas: z.array(pem).min(1).max(8),
      role_map: RoleMapSchema,
    }),
  ).max(MAX_TRUSTED_CLUSTERS).optional(),
});
export type AgentPolicy = z.infer<typeof AgentPolicySchema>;

const count = z.int().min(0);

/** The start and the end of one flow, as an agent reports them. */
export const FlowEventSchema = z.object({
  event: z.enum(["app.session.start", "app.session.end"]),
  /** From the app certificate. */
  session_id: z.string().regex(/^[0-9a-f]{32}$/),
  connection_id: z.string().min(1).max(64),
  user: name,
  app: name,
  port,
  /** Who the proxy says the client is, as `address:port`. */
  peer: z.string().max(64).optional(),
  sent_bytes: count.optional(),
  received_bytes: count.optional(),
  duration_ms: count.optional(),
  reason: z.string().max(256).optional(),
});
export type FlowEvent = z.infer<typeof FlowEventSchema>;

/** An event of a report that was not written: its index there. What it is about must not happen. */
export const ReportRefusalSchema = z.object({
  index: z.int().min(0).max(255),
  code: z.string().max(64),
  message: z.string().max(1024),
});
export type ReportRefusal = z.infer<typeof ReportRefusalSchema>;

/**
 * `POST /v1/agent/audit` (mTLS with the agent certificate). Without `partial`: answered with 204 once all is written,
 * with an error if any is refused. With it: the rest is written, and the answer says what is refused.
 */
export const AgentAuditRequestSchema = z.object({
  events: z.array(FlowEventSchema).min(1).max(256),
  partial: z.boolean().optional(),
});
export const AgentAuditResponseSchema = z.object({
  refused: z.array(ReportRefusalSchema).max(256),
});

/** Every refusal, with the HTTP status that fits. `challenge` comes with `mfa-required`: repeat with `totp_code`. */
export const ApiErrorSchema = z.object({
  error: z.object({
    code: z.string().max(64),
    message: z.string().max(1024),
    hint: z.string().max(1024).optional(),
    challenge: z.object({ kind: z.literal("totp") }).optional(),
  }),
});
export type ApiError = z.infer<typeof ApiErrorSchema>;
