// @ts-types="@types/pg"
import type pg from "pg";
import type { PostgresConfig } from "../../../config/mod.ts";
import { OsError } from "../../../error.ts";
import { readAuthorityFile } from "../../../io/mod.ts";
import { formatPlace } from "./failure.ts";

/** How long a connection may take: TCP, TLS and login together. */
const CONNECT_MS = 5_000;
/** How long a statement may take; the server ends it a little before the client gives up on the connection. */
const STATEMENT_MS = 10_000;
const ANSWER_MS = STATEMENT_MS + 2_000;
const LOCK_MS = 3_000;
const KEEP_ALIVE_MS = 10_000;

/**
 * What every connection is made with. Nothing is taken from the environment.
 *
 * @param name What the connections are called at the server; others go by it, so it must be this store's own.
 * @throws {ConfigError} if `ca_file` has no authority.
 */
export async function connectionOptions(
  config: PostgresConfig,
  name: string,
): Promise<pg.ClientConfig> {
  const { host, port, database, user } = config;
  return {
    host,
    port,
    database,
    user,
    // Asked for each connection: a password is changed by changing the file
    password: () => readPassword(config),
    ssl: config.tls ? await tlsOptions(config) : false,
    application_name: name,
    options: "-c timezone=UTC",
    client_encoding: "UTF8",
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: ANSWER_MS,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  } as pg.ClientConfig;
}

async function tlsOptions({ caFile }: PostgresConfig) {
  return {
    rejectUnauthorized: true,
    minVersion: "TLSv1.2" as const,
    ...(caFile === null ? {} : { ca: [...await readAuthorityFile(caFile)] }),
  };
}

/** Called only by a server that wants a password. */
async function readPassword(config: PostgresConfig): Promise<string> {
  const { passwordFile } = config;
  const refuse = (reason: string, errno: string, hint: string) =>
    new OsError("store-denied", `Cannot log in ${formatPlace(config)}: ${reason}`, {
      call: "read",
      errno,
      hint,
    });
  if (passwordFile === null) {
    throw refuse(
      "the server wants a password, and there is no `password_file`",
      "EACCES",
      "Name a `password_file` in `store`, or let pg_hba.conf admit this user without a password",
    );
  }
  try {
    const [line = ""] = (await Deno.readTextFile(passwordFile)).split("\n");
    if (line.trim() !== "") return line.trim();
  } catch (thrown) {
    const errno = (thrown as { readonly code?: string }).code ?? "EIO";
    throw refuse(
      `"${passwordFile}" cannot be read: ${errno}`,
      errno,
      "Let the server's user read it, and nobody else",
    );
  }
  throw refuse(`"${passwordFile}" is empty`, "ENODATA", "Write the password on its first line");
}
