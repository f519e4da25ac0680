import { z } from "zod";

const CheckSchema = z.object({
  id: z.string().describe("Stable; what follows a family's id names the thing judged."),
  title: z.string(),
  status: z.enum(["ok", "warn", "fail", "skip"])
    .describe("skip: could not be judged; the summary says why."),
  severity: z.enum(["error", "warning", "info"]),
  summary: z.string(),
  depends_on: z.array(z.string()),
  blocked_by: z.string().optional().describe("The id of the check that explains this one."),
  evidence: z.array(z.object({ label: z.string(), text: z.string() })),
  cause: z.string().optional(),
  fix: z.object({
    kind: z.enum(["command", "advice"]),
    text: z.string(),
    automatic: z.boolean().describe("`vnet doctor --fix` does it."),
  }).optional(),
});

/** `vnet doctor --format json`. Frozen once released: only additions that old readers may ignore. */
export const DoctorV1Schema = z.object({
  schema: z.literal("vnet.doctor/1"),
  version: z.string(),
  started: z.iso.datetime(),
  duration_ms: z.int(),
  host: z.object({
    os: z.string(),
    kernel: z.string(),
    arch: z.string(),
    distribution: z.string().optional(),
    container: z.string().optional(),
    uid: z.int(),
  }),
  summary: z.object({ ok: z.int(), warn: z.int(), fail: z.int(), skip: z.int() }),
  checks: z.array(CheckSchema).describe("Causes before consequences."),
  measurements: z.array(z.object({
    name: z.string(),
    duration_ms: z.int(),
    reason: z.string().optional().describe("Why it gave nothing."),
  })),
  repaired: z.array(z.object({ done: z.boolean(), text: z.string() })).optional()
    .describe("What --fix did before the checks were judged."),
});
export type DoctorV1 = z.infer<typeof DoctorV1Schema>;
