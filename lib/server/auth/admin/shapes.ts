/**
 * What `vnet ctl` may ask of a server, and what it is answered: one row per operation. Both sides of the admin
 * socket parse with these.
 *
 * @module
 */
import { z } from "zod";
import { LockTargetSchema, RESOURCE_KINDS } from "../../../config/mod.ts";

const name = z.string().min(1).max(253);
const timestamp = z.iso.datetime();
const nothing = z.object({});
const strings = z.array(name).max(1024);
const kind = z.enum(RESOURCE_KINDS);

/** A resource as it is shown: whole, with its revision. */
const resource = z.looseObject({
  kind: z.string(),
  version: z.string(),
  metadata: z.looseObject({ name }),
});

const password = z.string().min(1).max(1024);

/** `password` and `totp_uri` are told once and never again. */
const UserSecretsSchema = z.object({
  name,
  password: z.string().optional(),
  totp_uri: z.string().optional(),
});

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

const TokenSchema = z.object({
  id: name,
  kinds: strings,
  apps: strings.optional(),
  labels: z.record(z.string(), z.string()),
  expires: timestamp,
  uses_left: z.int(),
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

const StatusSchema = z.object({
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

const AuditRecordSchema = z.looseObject({
  seq: z.int(),
  time: timestamp,
  event: z.string(),
});

const PutMistakeSchema = z.object({
  code: z.enum(["resource-exists", "resource-changed", "resource-invalid"]),
  /** Which of the resources. */
  index: z.int(),
  path: z.array(z.union([z.string(), z.int()])),
  found: z.string(),
  expected: z.string(),
  message: z.string(),
});

/** Part of an id: enough of it that it is the only one. */
const idPart = z.string().regex(/^[0-9a-f]{4,32}$/, { error: "4 to 32 hex digits" });

/** Every operation: what it takes and what it gives. */
export const ADMIN_OPERATIONS = {
  "status": { request: nothing, response: StatusSchema },
  "users.add": {
    request: z.object({
      name,
      roles: strings.min(1),
      /** Absent: one is made and told. */
      password: password.optional(),
      /** Absent: enrolled where the cluster asks everybody for it. */
      second_factor: z.boolean().optional(),
    }),
    response: UserSecretsSchema,
  },
  "users.list": { request: nothing, response: z.object({ users: z.array(UserSchema) }) },
  "users.reset": {
    request: z.object({
      name,
      password: password.optional(),
      /** Absent: whoever had one gets another. */
      second_factor: z.boolean().optional(),
    }),
    response: UserSecretsSchema,
  },
  "users.remove": { request: z.object({ name }), response: nothing },
  "tokens.add": {
    request: z.object({
      kind: z.literal("app").default("app"),
      apps: strings.optional(),
      labels: z.record(z.string().max(128), z.string().max(256)).default({}),
      ttl_seconds: z.int().min(60).max(7 * 86_400).default(1800),
      uses: z.int().min(1).max(10_000).default(1),
    }),
    /** `token` is told once and never again. */
    response: z.object({ id: name, token: z.string(), expires: timestamp, ca_pin: z.string() }),
  },
  "tokens.list": { request: nothing, response: z.object({ tokens: z.array(TokenSchema) }) },
  "tokens.remove": { request: z.object({ id: name }), response: nothing },
  "agents.list": { request: nothing, response: z.object({ agents: z.array(AgentSchema) }) },
  "agents.remove": { request: z.object({ id: name }), response: nothing },
  "apps.list": {
    request: nothing,
    response: z.object({
      apps: z.array(z.looseObject({ name, agents: strings, public_addrs: strings })),
    }),
  },
  "resources.put": {
    request: z.object({
      resource,
      /** `false`: whatever is there stays, and the answer is `resource-exists`. */
      replace: z.boolean().default(false),
    }),
    response: z.object({ resource }),
  },
  "resources.apply": {
    request: z.object({
      resources: z.array(resource).max(10_000),
      /** `false`: what is there and differs stays, and is a mistake. */
      replace: z.boolean().default(false),
      /** Nothing is written, whether there are mistakes or not. */
      check_only: z.boolean().default(false),
      /** What the file names beside the resources: its documents that have mistakes of their own. */
      also_named: z.array(z.object({ kind: z.string(), name: z.string() })).max(10_000).default([]),
    }),
    /** With any mistake nothing was written, and there are no results. */
    response: z.object({
      results: z.array(z.object({
        kind,
        name,
        outcome: z.enum(["created", "replaced", "unchanged"]),
        revision: z.int(),
      })),
      mistakes: z.array(PutMistakeSchema),
    }),
  },
  "resources.get": {
    request: z.object({ kind, name: name.optional() }),
    response: z.object({ resources: z.array(resource) }),
  },
  "resources.remove": { request: z.object({ kind, name }), response: nothing },
  "lock": {
    request: z.object({
      /** Of an agent the name will do, of a session the beginning of its id. */
      target: z.union([LockTargetSchema, z.strictObject({ session: idPart })]),
      message: z.string().max(256).optional(),
      ttl_seconds: z.int().min(1).max(366 * 86_400).optional(),
      /** Locks out somebody who is not there, too. */
      force: z.boolean().default(false),
    }),
    response: z.object({
      resource,
      /** What was open when the lock came into force, and is cut by it. */
      cut: z.object({ logins: z.int(), flows: z.int() }),
    }),
  },
  "sessions.list": { request: nothing, response: z.object({ sessions: z.array(SessionSchema) }) },
  "sessions.remove": {
    request: z.object({ id: idPart }),
    response: z.object({ id: name, user: name, flows: z.int() }),
  },
  "audit.read": {
    request: z.object({
      /** Events after this number; absent: the newest. */
      after: z.int().min(0).optional(),
      limit: z.int().min(1).max(1000).default(100),
      /** With `after`: waits this long for an event when there is none. */
      wait_seconds: z.int().min(0).max(60).default(0),
    }),
    response: z.object({ events: z.array(AuditRecordSchema) }),
  },
} as const;

export type AdminOperation = keyof typeof ADMIN_OPERATIONS;
/** What an operation is asked with; fields with a default may be left out. */
export type AdminRequest<Op extends AdminOperation> = z.input<
  (typeof ADMIN_OPERATIONS)[Op]["request"]
>;
/** What an operation works on, defaults filled in. */
export type AdminArguments<Op extends AdminOperation> = z.output<
  (typeof ADMIN_OPERATIONS)[Op]["request"]
>;
export type AdminResponse<Op extends AdminOperation> = z.output<
  (typeof ADMIN_OPERATIONS)[Op]["response"]
>;
