import { z } from "zod";

/** Where a process listens on this machine. */
const ListenSchema = z.object({ address: z.string(), port: z.int() });

/** `vnet connect APP --format json`: the local port of one app; it lasts as long as the command. */
export const ConnectV1Schema = z.object({
  schema: z.literal("vnet.connect/1"),
  listen: ListenSchema,
  app: z.string(),
  cluster: z.string(),
  /** The app's own port. */
  port: z.int(),
});
export type ConnectV1 = z.infer<typeof ConnectV1Schema>;

/** `vnet proxy --format json`: where the proxy for all apps listens, by SOCKS5 and by HTTP CONNECT. */
export const ProxyV1Schema = z.object({
  schema: z.literal("vnet.proxy/1"),
  listen: ListenSchema,
});
export type ProxyV1 = z.infer<typeof ProxyV1Schema>;
