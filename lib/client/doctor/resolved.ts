/**
 * The settings systemd-resolved has for a link, read through `busctl`, which is there wherever resolved is.
 *
 * @module
 * @see org.freedesktop.resolve1(5), Link Object
 */
import { z } from "zod";
import type { ResolvedLinkFacts } from "../../health/mod.ts";
import { decodeIp, type Endpoint } from "../../ip/mod.ts";
import { Unmeasured } from "./measure.ts";

/** A D-Bus variant as busctl writes it; its signature is beside the point. */
const variant = <T extends z.ZodType>(data: T) => z.object({ data });

const LinkSchema = z.object({
  data: z.tuple([
    z.object({
      DNSEx: variant(z.array(z.tuple([z.int(), z.array(z.int()), z.int(), z.string()]))).optional(),
      DNS: variant(z.array(z.tuple([z.int(), z.array(z.int())]))).optional(),
      Domains: variant(z.array(z.tuple([z.string(), z.boolean()]))),
      DefaultRoute: variant(z.boolean()).optional(),
      DNSSEC: variant(z.string()).optional(),
      DNSOverTLS: variant(z.string()).optional(),
    }),
  ]),
});

const DNS_PORT = 53;

/** Reads the link's settings. No root is needed. */
export async function readResolvedLink(
  ifindex: number,
  signal: AbortSignal,
): Promise<ResolvedLinkFacts> {
  const output = await new Deno.Command("busctl", {
    // deno-fmt-ignore
    args: ["--system", "--json=short", "--timeout=1", "call", "org.freedesktop.resolve1",
      `/org/freedesktop/resolve1/link/_3${ifindex}`, "org.freedesktop.DBus.Properties", "GetAll",
      "s", "org.freedesktop.resolve1.Link"],
    stdin: "null",
    signal,
  }).output().catch((thrown) => {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    throw new Unmeasured("there is no program `busctl` here");
  });
  const decoder = new TextDecoder();
  if (output.code !== 0) throw new Unmeasured(`busctl: ${decoder.decode(output.stderr).trim()}`);
  return parseResolvedLink(decoder.decode(output.stdout));
}

/** Reads what `busctl --json=short` printed. */
export function parseResolvedLink(json: string): ResolvedLinkFacts {
  const [link] = LinkSchema.parse(JSON.parse(json)).data;
  const servers = link.DNSEx?.data.map(([, bytes, port]) => endpoint(bytes, port)) ??
    link.DNS?.data.map(([, bytes]) => endpoint(bytes, DNS_PORT)) ?? [];
  return {
    domains: link.Domains.data.map(([name, routeOnly]) => ({ name, routeOnly })),
    servers: servers.filter((server) => server !== null),
    defaultRoute: link.DefaultRoute?.data ?? null,
    dnssec: link.DNSSEC?.data ?? null,
    dnsOverTls: link.DNSOverTLS?.data ?? null,
  };
}

function endpoint(bytes: readonly number[], port: number): Endpoint | null {
  const address = decodeIp(Uint8Array.from(bytes));
  return address === null ? null : { address, port: port === 0 ? DNS_PORT : port };
}
