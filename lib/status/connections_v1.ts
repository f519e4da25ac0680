import { z } from "zod";

const total = z.int().nonnegative();

/** What the connections to an app add up to since vnet started, those included that are kept no more. */
const AppTotalsSchema = z.object({
  cluster: z.string(),
  app: z.string(),
  /** Of an app with several ports; absent for what its other ports add up to. */
  port: z.int().optional(),
  active: total,
  opened_total: total,
  failed_total: total,
  /** Programs that gave up before anything was open. */
  cancelled_total: total,
  sent_bytes: total,
  received_bytes: total,
});

const ConnectionSchema = z.object({
  id: z.int(),
  cluster: z.string(),
  app: z.string(),
  /** As the program asked for it. */
  name: z.string(),
  port: z.int(),
  /** By a virtual address, or by a port of `vnet connect` or `vnet proxy`. */
  way: z.enum(["device", "local-port"]),
  /** `done` once it was open and has ended, whatever ended it; `failed` if it never opened. */
  state: z.enum(["opening", "waiting", "open", "done", "failed"]),
  /** What somebody has to do before it can open. */
  waits_for: z.enum(["second-factor", "login"]).optional(),
  started: z.iso.datetime(),
  /** From its first packet to its end; absent while it lasts. */
  duration_ms: total.optional(),
  sent_bytes: total,
  received_bytes: total,
  /** Why it ended, if not because both sides were done. */
  reason: z.string().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  uid: z.int().optional(),
  /** Of the owner's own programs, where it was found while they lasted. */
  pid: z.int().optional(),
  /** The program's file, or its name where that cannot be read. */
  program: z.string().optional(),
  /** The program's end. */
  local: z.string().optional(),
  /** The virtual address. */
  address: z.string().optional(),
});

/** `vnet status --connections --format json`: newest first, as many as are kept. */
export const ConnectionsV1Schema = z.object({
  schema: z.literal("vnet.connections/1"),
  /** By cluster, app and port. */
  apps: z.array(AppTotalsSchema),
  connections: z.array(ConnectionSchema),
});
export type ConnectionsV1 = z.infer<typeof ConnectionsV1Schema>;
