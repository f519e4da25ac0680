import { z } from "zod";
import type { FindingCode, Told } from "../refusal/mod.ts";
import { MfaQuestionSchema } from "./mfa_v1.ts";
import { ZoneStandingSchema } from "./zones_v1.ts";
import { CONTAINER_POLICIES } from "../config/up/up_flags.ts";

const timestamp = z.iso.datetime();

/** A thing worth a person's attention, with what to do about it. */
const FindingSchema = z.object({
  /** One of `FindingCode`; a daemon of another version may know others. */
  code: z.string() as z.ZodType<Told<FindingCode>, string>,
  message: z.string(),
  hint: z.string().optional(),
});

const ProfileSchema = z.object({
  proxy: z.string(),
  cluster: z.string(),
  user: z.string(),
  expires: timestamp,
  state: z.enum(["active", "expired", "unreachable"]),
  /** Why an expired login cannot be used: `login-expired`, `access-locked`, `session-ended` and the like. */
  reason: z.string().optional(),
  refreshed: timestamp.optional(),
  error: z.string().optional(),
  /** Connections that wait for the next login. */
  waiting: z.int().optional(),
});

const FlowSchema = z.object({
  name: z.string(),
  port: z.int(),
  state: z.enum(["connecting", "open"]),
  since: timestamp,
  uid: z.int().optional(),
});

const FailureSchema = z.object({
  at: timestamp,
  name: z.string(),
  port: z.int(),
  code: z.string(),
  message: z.string(),
  /** How often it happened alike; `at` is the latest. */
  count: z.int().optional(),
  uid: z.int().optional(),
  program: z.string().optional(),
});

/** `vnet status --format json`. Frozen once released: only additions that old readers may ignore. */
export const StatusV1Schema = z.object({
  schema: z.literal("vnet.status/1"),
  state: z.enum(["starting", "ready", "degraded", "stopping"]),
  version: z.string(),
  pid: z.int(),
  uid: z.int(),
  started: timestamp,
  uptime_ms: z.int(),
  link: z.object({
    name: z.string(),
    ipv4: z.string(),
    ipv6: z.string().optional(),
    ranges: z.array(z.string()),
    offload: z.boolean(),
  }).optional(),
  dns: z.object({
    backend: z.string(),
    why: z.array(z.string()),
    server: z.string(),
    /** Everywhere it answers, the one above included. */
    listeners: z.array(z.string()).optional(),
    zones: z.array(z.string()),
    upstreams: z.array(z.string()),
    queries_total: z.int(),
    queries_forwarded: z.int(),
    queries_malformed: z.int(),
  }).optional(),
  /** What clusters want of private networks' space, and may have only by your word, and root's. */
  private_ranges: z.array(z.object({
    proxy: z.string(),
    cluster: z.string(),
    range: z.string(),
    /** `forbidden`: you agreed, and root does not allow it. */
    state: z.enum(["taken", "unasked", "declined", "forbidden"]),
  })).optional(),
  profiles: z.array(ProfileSchema),
  apps_total: z.int(),
  /** Every zone that a cluster asks for, and how it stands to it. */
  zones: z.array(ZoneStandingSchema).optional(),
  /** Who may connect besides the owner and root: user ids, sorted. */
  access: z.object({
    shared_with: z.union([z.literal("all"), z.array(z.int())]),
    containers: z.enum(CONTAINER_POLICIES),
  }).optional(),
  /** What waits for a second factor, oldest first; absent if nothing does. */
  mfa_waiting: z.array(MfaQuestionSchema).optional(),
  connections: z.object({
    active: z.int(),
    opened_total: z.int(),
    refused_total: z.int(),
    sent_bytes: z.int(),
    received_bytes: z.int(),
    flows: z.array(FlowSchema),
    recent_failures: z.array(FailureSchema),
    /** Connections refused for whose they are, most first; no `uid`: no socket of this machine. */
    refused_owners: z.array(z.object({ uid: z.int().optional(), total: z.int() })).optional(),
  }),
  packets: z.record(z.string(), z.int()).optional(),
  findings: z.array(FindingSchema),
});
export type StatusV1 = z.infer<typeof StatusV1Schema>;
