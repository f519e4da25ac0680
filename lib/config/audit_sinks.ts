/**
 * Where audit events go beside the server's own file and store.
 *
 * @module
 */
import { z } from "zod";
import { absolutePath, oneOrMore, repeated } from "./fields.ts";
import { strict } from "./mistakes.ts";
import { parseHostPort } from "../ip/mod.ts";

/** A syslog server. */
export type SyslogAddress =
  & { readonly text: string }
  & (
    | { readonly kind: "udp"; readonly host: string; readonly port: number }
    | { readonly kind: "tcp"; readonly host: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string }
  );

/** Somebody who takes events over HTTPS. */
export interface WebhookConfig {
  readonly url: URL;
  /** What authorizes, on the first line; `null`: nothing does. */
  readonly secretFile: string | null;
  /** Authorities to trust beside the public ones. */
  readonly caFile: string | null;
}

export interface AuditConfig {
  readonly syslog: readonly SyslogAddress[];
  readonly webhooks: readonly WebhookConfig[];
}

/** @see RFC 5426 section 3.3, and RFC 6587, which names no port: 601 is RFC 3195's. */
const PORTS = { udp: 514, tcp: 601 } as const;
const SYSLOG_WORDS = "udp://host[:514], tcp://host[:601] or unix:///path";
const URL_WORDS = "an https:// URL without a user and a password";

const syslogAddress = z.string({ error: SYSLOG_WORDS }).transform((text, context) => {
  const address = parseSyslog(text);
  if (address !== null) return address;
  context.addIssue({ code: "custom", message: SYSLOG_WORDS });
  return z.NEVER;
});

const httpsUrl = z.string({ error: URL_WORDS }).transform((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "https:" && url.username === "" && url.password === "") return url;
  context.addIssue({ code: "custom", message: URL_WORDS });
  return z.NEVER;
});

/** `audit` of the server's file. */
export const AuditSchema = strict({
  syslog: oneOrMore(syslogAddress as unknown as z.ZodType<SyslogAddress>, SYSLOG_WORDS)
    .superRefine((addresses, context) =>
      refuseRepeated(addresses.map((one) => one.text), "another syslog server", context)
    ).optional(),
  webhooks: z.array(strict({
    url: httpsUrl,
    secret_file: absolutePath.optional(),
    ca_file: absolutePath.optional(),
  })).max(16).superRefine((webhooks, context) =>
    refuseRepeated(
      webhooks.map(({ url }) => url instanceof URL ? webhookPlace(url) : null),
      "another url: what differs behind the ? only is the same webhook",
      context,
    )
  ).default([]),
}).transform(({ syslog, webhooks }): AuditConfig => ({
  syslog: syslog ?? [],
  webhooks: webhooks.map(({ url, secret_file, ca_file }) => ({
    url,
    secretFile: secret_file ?? null,
    caFile: ca_file ?? null,
  })),
}));

/** What a webhook is known by: not the query, where what authorizes may stand. */
export function webhookPlace({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** Each place is known by its text, and gets every event once. @param places `null` where there is none. */
function refuseRepeated(
  places: readonly (string | null)[],
  expected: string,
  context: z.RefinementCtx,
): void {
  for (const index of repeated(places.map((place) => place === null ? [] : [place]))) {
    context.addIssue({ code: "custom", path: [index], message: expected });
  }
}

function parseSyslog(text: string): SyslogAddress | null {
  if (text.startsWith("unix:///")) return { text, kind: "unix", path: text.slice(7) };
  const match = /^(udp|tcp):\/\/([^/]+)$/.exec(text);
  if (match === null) return null;
  const kind = match[1] as "udp" | "tcp";
  const address = parseHostPort(match[2]!, PORTS[kind]);
  return address === null ? null : { text, kind, ...address };
}
