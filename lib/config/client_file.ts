/**
 * What the administrator of a machine says for all of its users: /etc/vnet/client.yaml.
 *
 * @module
 */
import { z } from "zod";
import { formatHostPort, parseHostPort } from "../ip/mod.ts";
import { strict } from "./mistakes.ts";
import { parseOne } from "./service_file.ts";
import { isEverybodys } from "./zone.ts";

const MAX_GRANTS = 1_000;
const DEFAULT_PORT = 443;

const suffix = z.string().max(253).regex(
  /^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+$/,
  "a domain name of two labels or more, in lower case",
).refine((text) => !isEverybodys(text), "a zone that is not everybody's");

const proxy = z.string().refine(
  (text) => parseHostPort(text, DEFAULT_PORT) !== null,
  "HOST or HOST:PORT, as users log in to it",
).transform((text) => {
  const parsed = parseHostPort(text, DEFAULT_PORT);
  if (parsed === null) throw new TypeError("What was refined has this form");
  return parsed.port === DEFAULT_PORT ? parsed.host : formatHostPort(parsed);
});

const ClientFileSchema = strict({
  version: z.literal("v1"),
  zones: z.array(strict({ suffix, proxy })).max(MAX_GRANTS).default([]),
});

/** A zone and the proxy, by its profile's name, whose cluster has it. */
export interface ClientGrant {
  readonly suffix: string;
  readonly proxy: string;
}

/**
 * Reads the file.
 *
 * @throws {ConfigError} With every mistake in it.
 */
export function parseClientFile(text: string, file: string): readonly ClientGrant[] {
  return parseOne(ClientFileSchema, text, file).zones;
}
