/**
 * What `vnet ctl … --format json` prints. The admin API answers with the same, without `schema`.
 *
 * @module
 */
import { z } from "zod";

const name = z.string().min(1).max(253);
const timestamp = z.iso.datetime();
const strings = z.array(name).max(1024);

const UserSchema = z.object({
  name,
  roles: strings,
  can_log_in: z.boolean(),
  has_second_factor: z.boolean(),
  /** A lock on the user or one of the roles is in force. */
  locked: z.boolean(),
  /** Logins in force. */
  logins: z.int(),
});

/** `vnet ctl users ls`, sorted by name. */
export const CtlUsersV1Schema = z.object({
  schema: z.literal("vnet.ctl-users/1"),
  users: z.array(UserSchema),
});

const SessionSchema = z.object({
  id: name,
  user: name,
  /** Absent: it began before starts were kept. */
  started: timestamp.optional(),
  expires: timestamp,
  /** The address it came from; absent if that was not kept. */
  source: z.string().optional(),
  /** The apps that certificates in force are for. */
  apps: strings,
  /** Open connections to apps, as far as agents have said. */
  flows: z.int(),
  locked: z.boolean(),
});

/** `vnet ctl sessions ls`: the logins in force, sorted by user and start. */
export const CtlSessionsV1Schema = z.object({
  schema: z.literal("vnet.ctl-sessions/1"),
  sessions: z.array(SessionSchema),
});

const TokenSchema = z.object({
  id: name,
  kinds: strings,
  apps: strings.optional(),
  labels: z.record(z.string(), z.string()),
  /** Patterns of the public addresses that its agents' apps may take where nobody has them; absent: any. */
  public_addrs: strings.optional(),
  expires: timestamp,
  uses_left: z.int(),
});

/** `vnet ctl tokens ls`: never the tokens themselves. */
export const CtlTokensV1Schema = z.object({
  schema: z.literal("vnet.ctl-tokens/1"),
  tokens: z.array(TokenSchema),
});

/** `vnet ctl tokens add`: `token` is told once and never again. */
export const CtlTokenV1Schema = z.object({
  schema: z.literal("vnet.ctl-token/1"),
  id: name,
  token: z.string(),
  expires: timestamp,
  ca_pin: z.string(),
});

/** What an agent offers and may not have. */
const RefusedSchema = z.object({
  app: name,
  /** A code of docs/errors.md. */
  code: z.string(),
  reason: z.string(),
  /** Set where only this address of the app is refused. */
  public_addr: z.string().optional(),
});

const AgentSchema = z.object({
  id: name,
  name,
  apps: strings,
  connected: z.boolean(),
  locked: z.boolean(),
  joined: timestamp,
  renewed: timestamp,
  /** When it was connected last; of one that is connected, now. */
  last_seen: timestamp,
  /** Of one that is connected: what it offers and may not have. */
  refused: z.array(RefusedSchema),
});

/** `vnet ctl agents ls`. */
export const CtlAgentsV1Schema = z.object({
  schema: z.literal("vnet.ctl-agents/1"),
  agents: z.array(AgentSchema),
});

/** `vnet ctl apps ls`: what connected agents serve, sorted by name, and what they offer and may not have. */
export const CtlAppsV1Schema = z.object({
  schema: z.literal("vnet.ctl-apps/1"),
  apps: z.array(z.looseObject({
    name,
    public_addrs: strings,
    labels: z.record(z.string(), z.string()),
    /** The names of the agents that serve it. */
    agents: strings,
  })),
  refused: z.array(RefusedSchema.extend({ agent: name, agent_id: name })),
});

/** What the proxy shows to whoever connects. */
const WebCertificateSchema = z.object({
  /** Whether it comes from files of `https_keypairs` or is issued by the cluster's own authority. */
  source: z.enum(["files", "cluster"]),
  /** Absent for one that the cluster issued. */
  cert_file: z.string().optional(),
  names: z.array(z.string()),
  not_after: timestamp,
  /** When it was taken into use. */
  loaded: timestamp,
  /** Why a newer one in the files is not used, or what is wrong with this one. */
  problem: z.string().optional(),
});
export type WebCertificateStatus = z.infer<typeof WebCertificateSchema>;

/** `vnet ctl status`. */
export const CtlStatusV1Schema = z.object({
  schema: z.literal("vnet.ctl-status/1"),
  cluster_name: name,
  server_version: z.string(),
  ca_pin: z.string(),
  proxy_public_addrs: z.array(z.string()),
  second_factor: z.string(),
  users: z.int(),
  sessions: z.int(),
  agents_connected: z.int(),
  apps: z.int(),
  locks: z.int(),
  started: timestamp,
  flows: z.int(),
  agents: z.array(AgentSchema),
  /** Absent while the proxy starts. */
  web_certificate: WebCertificateSchema.optional(),
  authorities: z.array(z.object({ kind: z.enum(["user", "host"]), not_after: timestamp })),
});

/** `vnet ctl get`: resources whole, with their revisions; docs/configuration.md has what stands in each kind. */
export const CtlResourcesV1Schema = z.object({
  schema: z.literal("vnet.ctl-resources/1"),
  resources: z.array(z.looseObject({
    kind: z.string(),
    version: z.string(),
    metadata: z.looseObject({ name }),
  })),
});

/** One line of `vnet ctl audit`; what else stands in it depends on the event. */
export const CtlAuditV1Schema = z.looseObject({
  seq: z.int(),
  time: timestamp,
  event: z.string(),
});
