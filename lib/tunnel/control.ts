/**
 * What an agent and its proxy say to each other over the control channel, a WebSocket of JSON messages.
 * Unknown keys are ignored, so that a newer peer may say more; an unknown message is too.
 *
 * @module
 * @see docs/protocol.md "Agents"
 */
import { z } from "zod";

/** A control message is at most this long. */
export const CONTROL_MESSAGE_MAX_BYTES = 1_048_576;

/** How often each side pings, and how many answers may be missing before the channel counts as dead. */
export const CONTROL_PING_MS = 20_000;
export const CONTROL_PING_MISSES = 3;

const name = z.string().min(1).max(253);
const id = z.string().regex(/^[0-9A-Za-z_-]{1,64}$/);
const ticket = z.string().regex(/^[a-z2-7]{8,63}$/);
const appId = z.string().regex(/^[0-9a-f]{16}$/);
const code = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const text = z.string().max(1024);
const count = z.int().min(0);

/** Somebody or something that may not have sessions; what is given must match, all of it. */
export const LockSchema = z.object({
  id,
  user: name.optional(),
  role: name.optional(),
  session_id: name.optional(),
  message: text.optional(),
  expires: z.iso.datetime().optional(),
});
export type Lock = z.infer<typeof LockSchema>;

/** What the agent says. In `hello`, each of `apps` is an `AgentApp` of config/, parsed by the proxy. */
export const AgentMessageSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    version: z.string().max(64),
    apps: z.array(z.unknown()).max(1024),
  }),
  z.object({ type: z.literal("dial_failed"), ticket, code, message: text }),
  /** Asks leave for one flow, and has its start recorded; nothing of it moves before the answer. */
  z.object({
    type: z.literal("session_start"),
    flow_id: id,
    session_id: name,
    user: name,
    roles: z.array(name).max(256),
    app: name,
    port: z.int().min(0).max(65_535),
    client: z.string().max(64),
    mfa_time: z.iso.datetime().optional(),
  }),
  z.object({
    type: z.literal("session_end"),
    flow_id: id,
    session_id: name,
    user: name,
    app: name,
    sent_bytes: count,
    received_bytes: count,
    reason: code,
  }),
  z.object({ type: z.literal("ping") }),
  z.object({ type: z.literal("pong") }),
  z.object({ type: z.literal("drain") }),
]);
export type AgentMessage = z.infer<typeof AgentMessageSchema>;

/** What the proxy says. */
export const ProxyMessageSchema = z.discriminatedUnion("type", [
  /** The answer to `hello`, and again whenever one of these changes: whom to let in, and whom not. */
  z.object({
    type: z.literal("trust"),
    user_cas: z.array(z.string().max(65_536)).min(1).max(8),
    locks: z.array(LockSchema).max(4096),
  }),
  z.object({ type: z.literal("dial"), ticket, app_id: appId, peer: z.string().max(64) }),
  z.object({ type: z.literal("session_allowed"), flow_id: id }),
  z.object({ type: z.literal("session_denied"), flow_id: id, code, message: text }),
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
  try {
    const result = schema.safeParse(JSON.parse(message));
    return result.success ? result.data : null;
  } catch {
    return null; // not JSON
  }
}
