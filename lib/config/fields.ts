/**
 * The fields files and resources are made of. Each says what it expects in words a person can act on.
 *
 * @module
 */
import { z } from "zod";
import {
  type Endpoint,
  type HostPort,
  isLoopback,
  parseEndpoint,
  parseHost,
  parseHostPort,
  parsePrefix,
  type Prefix,
} from "../ip/mod.ts";
import { parseDuration } from "./duration.ts";
import { parseLabelPattern } from "./role/label_pattern.ts";

/** A text that a reader accepts; the value is what the reader made of it. */
function text<T>(expected: string, read: (text: string) => T | null): z.ZodType<T> {
  return z.string({ error: expected }).transform((value, context) => {
    const result = read(value);
    if (result !== null) return result;
    context.addIssue({ code: "custom", message: expected });
    return z.NEVER;
  });
}

function matching(expected: string, form: RegExp): z.ZodType<string> {
  return text(expected, (value) => form.test(value) ? value : null);
}

export const HTTPS_PORT = 443;

/** A duration as written, kept as text so that a resource is shown as it was given. */
export const durationText: z.ZodType<string> = text(
  "a duration like 12h or 30m",
  (value) => parseDuration(value) === null ? null : value,
);

/** The name of a user, a role or another resource. */
export const resourceName: z.ZodType<string> = matching(
  "1 to 63 letters, digits and ._@+-, beginning with a letter or digit",
  /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}$/,
);

/** The name of a user, here or of a cluster that is trusted: `alice`, `root.example.com/alice`. */
export const anyUserName: z.ZodType<string> = matching(
  "a user's name, or CLUSTER/NAME for one of a trusted cluster",
  /^(?:(?=[^/]{1,63}\/)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}$/,
);

/** The name of an app or an agent: one DNS label. */
export const labelName: z.ZodType<string> = matching(
  "a DNS label: 1 to 63 of a-z, 0-9 and -, with no - at either end",
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
);

/** A cluster's name. */
export const clusterName: z.ZodType<string> = matching(
  "a name like cluster.example.com: a-z, 0-9, - and .",
  /^(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/,
);

/** A DNS name of at least two labels, in lower case. */
export const domainName: z.ZodType<string> = text("a DNS name like db.example.com", readDomainName);

/** An absolute path. */
export const absolutePath: z.ZodType<string> = matching("an absolute path", /^\/[^\0]*$/);

/** `host` or `host:port`; 443 if no port is written. */
export const publicAddress: z.ZodType<HostPort> = text(
  "host or host:port",
  (value) => parseHostPort(value, HTTPS_PORT),
);

/** `address:port` to listen on. */
export const listenAddress: z.ZodType<Endpoint> = text(
  "an address and a port like 0.0.0.0:443 or [::]:443",
  (value) => {
    try {
      return parseEndpoint(value);
    } catch {
      return null;
    }
  },
);

/** `address:port` of this machine alone. */
export const loopbackAddress: z.ZodType<Endpoint> = text(
  "a loopback address and a port like 127.0.0.1:3434 or [::1]:3434",
  (value) => {
    const endpoint = listenAddress.safeParse(value).data;
    if (endpoint === undefined) return null;
    return isLoopback(endpoint.address) ? endpoint : null;
  },
);

/** Addresses that are trusted with something. */
export const trustedPrefix: z.ZodType<Prefix> = text(
  "a prefix like 10.0.0.0/24 or 2001:db8::/64, host bits zero, and not everybody",
  (value) => {
    try {
      const prefix = parsePrefix(value);
      return prefix.length > 0 ? prefix : null;
    } catch {
      return null;
    }
  },
);

/** The digest a joining agent or a client knows a cluster's host CA by. */
export const caPin: z.ZodType<string> = matching(
  "sha256: and 64 hex digits",
  /^sha256:[0-9a-f]{64}$/,
);

/** One text or a list of them; always a list afterwards. */
export function oneOrMore<T>(field: z.ZodType<T>, expected: string): z.ZodType<readonly T[]> {
  // Not a union: its mistakes would not say which entry is wrong
  return z.preprocess(
    (value) => typeof value === "string" ? [value] : value,
    z.array(field, { error: expected }).min(1, { error: expected }).max(16),
  );
}

/** What one thing may have of labels: every client holds those of all apps that it may use. */
const MAX_LABELS = 128;
const MAX_LABELS_LENGTH = 16_384;

/** Whether labels are no more, and no longer in all, than a thing may have. */
export function fitsLabels(labels: Readonly<Record<string, string>>): boolean {
  const entries = Object.entries(labels);
  const length = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return entries.length <= MAX_LABELS && length <= MAX_LABELS_LENGTH;
}

/** What a thing is labelled with. */
export const labels: z.ZodType<Readonly<Record<string, string>>> = z.record(
  labelKey(),
  z.string({ error: "a text" }).max(256),
).refine(fitsLabels, {
  error: `at most ${MAX_LABELS} labels of ${MAX_LABELS_LENGTH} letters in all`,
});

/** Which labels a rule matches: for each key one pattern or several; `"*": "*"` is everything. */
export const labelSelector: z.ZodType<Readonly<Record<string, string | readonly string[]>>> = z
  .record(
    labelKey(),
    z.union([labelPattern(), z.array(labelPattern()).min(1).max(256)], {
      error: "a text or a list of texts; * stands for any characters, ^…$ is a regular expression",
    }),
  )
  .refine((selector) => selector["*"] === undefined || isStar(selector["*"]), {
    path: ["*"],
    error: 'the value "*"; the key "*" only stands for everything',
  });

/** The positions of rows that hold something an earlier row holds. */
export function repeated(rows: readonly (readonly unknown[])[]): number[] {
  const seen = new Set<unknown>();
  return rows.flatMap((row, index) => {
    const again = row.some((entry) => seen.has(entry));
    row.forEach((entry) => seen.add(entry));
    return again ? [index] : [];
  });
}

function isStar(value: string | readonly string[]): boolean {
  return value === "*" || (Array.isArray(value) && value.length === 1 && value[0] === "*");
}

function labelKey(): z.ZodType<string, string> {
  return z.string().min(1).max(128) as unknown as z.ZodType<string, string>;
}

function labelPattern() {
  return z.string().max(256).superRefine((value, context) => {
    const read = parseLabelPattern(value);
    if (read.kind === "bad") context.addIssue({ code: "custom", message: read.expected });
  });
}

function readDomainName(value: string): string | null {
  const host = parseHost(value);
  if (host === null || host.includes(":") || /^[\d.]+$/.test(host)) return null;
  return host.includes(".") ? host : null;
}
