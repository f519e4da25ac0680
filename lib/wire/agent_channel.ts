/**
 * What an agent and its proxy say to each other over the control channel, a WebSocket of JSON messages.
 * Unknown keys are ignored, so that a newer peer may say more; an unknown message is too.
 *
 * @module
 */
import { parseJson } from "../json.ts";
import { z } from "zod";
import { ReportRefusalSchema } from "./api.ts";

/** A control message is at most this long. */
export const CONTROL_MESSAGE_MAX_BYTES = 1_048_576;

/** An agent's apps are told in at most so many messages. */
export const HELLO_MAX_PARTS = 32;

/** What the apps of a leaf may take in all, as JSON; and what it says of itself. */
export const LEAF_APPS_MAX_BYTES = 4 * 1_048_576;
export const LEAF_FACTS_MAX_BYTES = 384 * 1024;

/** How often each side pings, and how many answers may be missing before the channel counts as dead. */
export const CONTROL_PING_MS = 20_000;
export const CONTROL_PING_MISSES = 3;

const name = z.string().min(1).max(253);
const id = z.int().min(0);
const ticket = z.string().regex(/^[a-z2-7]{8,63}$/);
const appId = z.string().regex(/^[0-9a-f]{16}$/);
const code = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const text = z.string().max(1024);
const sessionId = z.string().regex(/^[0-9a-f]{32}$/);

const apps = z.array(z.unknown()).max(1024);

/**
 * What the agent says. In `hello`, each of `apps` is an `AgentApp` of config/, parsed by the proxy; those that do not
 * fit into it come before it, in `apps` messages.
 */
export const AgentMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("apps"), apps }),
  z.object({
    type: z.literal("hello"),
    version: z.string().max(64),
    apps,
    /** Said by a leaf: its `LeafFacts`. */
    leaf: z.unknown().optional(),
  }),
  z.object({ type: z.literal("dial_failed"), ticket, code, message: text }),
  /**
   * For the audit log: each of `events` is a `FlowEvent`. With `partial`, those that can be written are when others
   * are refused.
   */
  z.object({
    type: z.literal("report"),
    id,
    events: z.array(z.unknown()).min(1).max(256),
    partial: z.boolean().optional(),
  }),
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("pong") }),
  z.object({ type: z.literal("drain") }),
]);
export type AgentMessage = z.infer<typeof AgentMessageSchema>;

/** A right that a root has given to one of its users, for an app of a leaf; what the user's certificate says, too. */
export const ForeignRightSchema = z.object({
  session_id: sessionId,
  login_id: sessionId,
  user: name,
  roles: z.array(name).max(256),
  app: name,
  port: z.int().min(0).max(65_535),
  expires: z.iso.datetime(),
});
export type ForeignRight = z.infer<typeof ForeignRightSchema>;

/** What the proxy says. */
export const ProxyMessageSchema = z.discriminatedUnion("type", [
  /**
   * The answer to `hello`, and again when it has become another: the apps that this agent may not serve, and why.
   * With `public_addr` only that address of the app is refused. `code` is absent from older proxies.
   */
  z.object({
    type: z.literal("welcome"),
    refused: z.array(
      z.object({ app: name, reason: text, code: code.optional(), public_addr: name.optional() }),
    ).max(1024),
  }),
  z.object({
    type: z.literal("dial"),
    ticket,
    app_id: appId,
    peer: z.string().max(64),
    /** To a leaf: whose connection it is. */
    right: ForeignRightSchema.optional(),
  }),
  /** The events of that report are written, but for those refused; none are without `partial`. */
  z.object({
    type: z.literal("reported"),
    id,
    refused: z.array(ReportRefusalSchema).max(256).optional(),
  }),
  /** They are not: what they are about must not happen. */
  z.object({ type: z.literal("report_failed"), id, code, message: text }),
  /** Somebody may not go on with an app session: its flows end at once. */
  z.object({ type: z.literal("revoked"), session_id: sessionId, code }),
  /** Somebody was locked out: their flows end at once. In `target`, a `LockTarget` of config/. */
  z.object({ type: z.literal("lock"), target: z.unknown() }),
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("pong") }),
  z.object({ type: z.literal("drain") }),
]);
export type ProxyMessage = z.infer<typeof ProxyMessageSchema>;

/**
 * Decodes one message.
 *
 * @returns `null` if it is not JSON, not of the schema, or of a type this version does not know.
 */
export function decodeControl<T>(schema: z.ZodType<T>, message: string): T | null {
  if (message.length > CONTROL_MESSAGE_MAX_BYTES) return null;
  const value = parseJson(message);
  if (value === undefined) return null;
  return schema.safeParse(value).data ?? null;
}
