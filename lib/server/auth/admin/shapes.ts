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
  joined: timestamp,
  renewed: timestamp,
});

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
});

const AuditRecordSchema = z.looseObject({
  seq: z.int(),
  time: timestamp,
  event: z.string(),
});

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
  "resources.get": {
    request: z.object({ kind, name: name.optional() }),
    response: z.object({ resources: z.array(resource) }),
  },
  "resources.remove": { request: z.object({ kind, name }), response: nothing },
  "lock": {
    request: z.object({
      target: LockTargetSchema,
      message: z.string().max(256).optional(),
      ttl_seconds: z.int().min(1).max(366 * 86_400).optional(),
    }),
    response: z.object({ resource }),
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
