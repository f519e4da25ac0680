/**
 * What `vnet ctl` may ask of a server, and what it is answered: one row per operation. Both sides of the admin
 * socket parse with these.
 *
 * @module
 */
import { z } from "zod";
import {
  ADDR_PATTERN_WORDS,
  LockTargetSchema,
  parseAddrPattern,
  RESOURCE_KINDS,
} from "../../../config/mod.ts";
import {
  CtlAgentsV1Schema,
  CtlAppsV1Schema,
  CtlAuditV1Schema,
  CtlResourcesV1Schema,
  CtlSessionsV1Schema,
  CtlStatusV1Schema,
  CtlTokensV1Schema,
  CtlTokenV1Schema,
  CtlUsersV1Schema,
} from "../../../status/mod.ts";

const name = z.string().min(1).max(253);
const nothing = z.object({});
const strings = z.array(name).max(1024);
const kind = z.enum(RESOURCE_KINDS);

/** A resource as it is shown. */
const resource = CtlResourcesV1Schema.shape.resources.element;

const password = z.string().min(1).max(1024);

/** `password` and `totp_uri` are told once and never again. */
const UserSecretsSchema = z.object({
  name,
  password: z.string().optional(),
  totp_uri: z.string().optional(),
});

const addrPattern = z.string().max(255).transform((text, context) => {
  const pattern = parseAddrPattern(text);
  if (pattern !== null) return pattern;
  context.addIssue({ code: "custom", message: ADDR_PATTERN_WORDS });
  return z.NEVER;
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
  "status": { request: nothing, response: CtlStatusV1Schema.omit({ schema: true }) },
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
  "users.list": { request: nothing, response: CtlUsersV1Schema.omit({ schema: true }) },
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
      /** `trusted_cluster`: for a cluster that becomes a leaf; it takes none of the limits. */
      kind: z.enum(["app", "trusted_cluster"]).default("app"),
      apps: strings.optional(),
      labels: z.record(z.string().max(128), z.string().max(256)).default({}),
      /** Public addresses its apps may take where nobody has them. Absent: any with `any`, else none. */
      public_addrs: z.array(addrPattern).max(256).optional(),
      /** For any app: said where neither `apps` nor `labels` is. */
      any: z.boolean().default(false),
      ttl_seconds: z.int().min(60).max(7 * 86_400).default(1800),
      uses: z.int().min(1).max(10_000).default(1),
    }).refine(
      ({ kind, apps, labels, any }) =>
        kind === "trusted_cluster" ||
        any !== (apps !== undefined || Object.keys(labels).length > 0),
      { path: ["any"], error: "true where neither apps nor labels are, and only there" },
    ),
    /** `token` is told once and never again. */
    response: CtlTokenV1Schema.omit({ schema: true }),
  },
  "tokens.list": { request: nothing, response: CtlTokensV1Schema.omit({ schema: true }) },
  "tokens.remove": { request: z.object({ id: name }), response: nothing },
  "agents.list": { request: nothing, response: CtlAgentsV1Schema.omit({ schema: true }) },
  "agents.remove": { request: z.object({ id: name }), response: nothing },
  "apps.list": {
    request: nothing,
    response: CtlAppsV1Schema.omit({ schema: true }),
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
    response: CtlResourcesV1Schema.omit({ schema: true }),
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
  "sessions.list": { request: nothing, response: CtlSessionsV1Schema.omit({ schema: true }) },
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
      /** Without `after`: only such events. */
      since: z.iso.datetime().optional(),
      user: name.optional(),
      app: name.optional(),
      event: name.optional(),
    }),
    response: z.object({ events: z.array(CtlAuditV1Schema) }),
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
