import { z } from "zod";

/** What `vnet service status --format json` prints. */
export const ServiceV1Schema = z.object({
  schema: z.literal("vnet.service/1"),
  /** Whether this machine was started by systemd. */
  systemd: z.boolean(),
  /** Whether users of the group can bring vnet up without sudo. */
  ready: z.boolean(),
  group: z.object({ name: z.string(), exists: z.boolean(), members: z.array(z.string()) }),
  /** What `vnet service install` wrote. */
  files: z.array(z.object({ path: z.string(), state: z.enum(["same", "edited", "missing"]) })),
  units: z.array(z.object({
    name: z.string(),
    load: z.string(),
    active: z.string(),
    /** Whether it starts at boot, as `systemctl is-enabled` says. */
    enabled: z.string(),
  })),
});

export type ServiceV1 = z.infer<typeof ServiceV1Schema>;
