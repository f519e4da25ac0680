/**
 * Where a server keeps what it must not forget.
 *
 * @module
 */
import { z } from "zod";
import { parseHost, parseHostPort } from "../ip/mod.ts";
import { absolutePath } from "./fields.ts";
import { refusedKey, strict } from "./mistakes.ts";

/** A database of its own on a PostgreSQL server. */
export interface PostgresConfig {
  /** A name, an address, or the folder of a Unix socket, which begins with "/". */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** The password on its first line; `null`: the server asks for none. */
  readonly passwordFile: string | null;
  /** Authorities to trust instead of the public ones; `null` for those. */
  readonly caFile: string | null;
  /** Whether it is spoken to by TLS, and its certificate held against its host. */
  readonly tls: boolean;
}

/** `null`: SQLite, in `data_dir`. */
export interface StoreConfig {
  readonly postgres: PostgresConfig | null;
}

const PORT = 5432;
const HOST_WORDS = "a name, an address, or the folder of a Unix socket like /run/postgresql";
const URL_WORDS =
  "postgres://user@host[:5432]/database without a password (password_file has it) and without ?";
const PORT_WORDS = "a port, 1 to 65535";
const NAME_WORDS = "1 to 63 characters, none of them a control character";

const name = z.string({ error: NAME_WORDS }).regex(/^[^\p{Cc}]{1,63}$/u, { error: NAME_WORDS });
const host = z.string({ error: HOST_WORDS }).refine(
  (text) => /^\/[^\0]{0,90}$/.test(text) || parseHost(text) !== null,
  { error: HOST_WORDS },
);

interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

const url = z.string({ error: URL_WORDS }).transform((text, context): Place => {
  const place = readUrl(text);
  if (place !== null) return place;
  context.addIssue({ code: "custom", message: URL_WORDS });
  return z.NEVER;
});

const PostgresSchema = strict({
  url: url.optional(),
  host: host.optional(),
  port: z.int({ error: PORT_WORDS }).min(1, PORT_WORDS).max(65_535, PORT_WORDS).optional(),
  database: name.optional(),
  user: name.optional(),
  password_file: absolutePath.optional(),
  ca_file: absolutePath.optional(),
}, {
  password: refusedKey("password_file, a file with the password on its first line"),
}).transform((given, context): PostgresConfig => {
  const place = placeOf(given);
  if (typeof place === "string") {
    context.addIssue({ code: "custom", message: place });
    return z.NEVER;
  }
  const { host } = place;
  const caFile = given.ca_file ?? null;
  const tls = !host.startsWith("/") && (caFile !== null || !isLoopback(host));
  return { ...place, passwordFile: given.password_file ?? null, caFile, tls };
});

/** `store` of the server's file. */
export const StoreSchema = strict({ postgres: PostgresSchema.optional() })
  .transform(({ postgres }): StoreConfig => ({ postgres: postgres ?? null }));

/** @returns The words of what is expected, if it is not clear. */
function placeOf(given: {
  readonly url?: Place | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly database?: string | undefined;
  readonly user?: string | undefined;
}): Place | string {
  const { url, host, port, database, user } = given;
  const parts = [host, port, database, user].filter((part) => part !== undefined);
  if (url !== undefined) {
    return parts.length === 0 ? url : "either url, or host, port, database and user";
  }
  if (host === undefined || database === undefined || user === undefined) {
    return "host, database and user, or url";
  }
  return { host, port: port ?? PORT, database, user };
}

function readUrl(text: string): Place | null {
  const match = /^postgres(?:ql)?:\/\/([^:@/?#]+)@([^@/?#]+)\/([^/?#]+)$/.exec(text);
  const at = match === null ? null : parseHostPort(match[2]!, PORT);
  const user = name.safeParse(unescape(match?.[1]));
  const database = name.safeParse(unescape(match?.[3]));
  if (at === null || !user.success || !database.success) return null;
  return { ...at, user: user.data, database: database.data };
}

function unescape(text: string | undefined): string | null {
  try {
    return text === undefined ? null : decodeURIComponent(text);
  } catch {
    return null;
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
