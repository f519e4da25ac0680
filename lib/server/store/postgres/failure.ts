/**
 * What is the matter with a PostgreSQL server, in words for whoever has to put it right.
 *
 * @module
 */
import type { PostgresConfig } from "../../../config/mod.ts";
import { OsError } from "../../../error.ts";

/** SQLSTATEs, and classes of them, that say: not now. */
const PASSING = /^(?:08...|57P0[1-4]|53300)$/;
/** What the system says of a server that is not there, or went away. */
const AWAY =
  /^(?:ECONNREFUSED|ECONNRESET|ECONNABORTED|ENOENT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|EPIPE|ENOTCONN|EACCES)$/;
/** What the client says when a connection or an answer does not come, or has ended. */
const AWAY_WORDS = /timeout|terminated|Connection ended|not queryable|closed/i;
const TLS_CODES = /^(?:ERR_TLS_|ERR_SSL_|UNABLE_TO_|CERT_|DEPTH_ZERO_|SELF_SIGNED_)/;

/** How a server is written in messages: never with a password. */
export function formatPlace({ host, port, database, user }: PostgresConfig): string {
  const where = host.startsWith("/") ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return `"${user}" to the PostgreSQL database "${database}" at ${where}`;
}

/** Makes an error of ours of whatever a statement or a connection failed with. */
export function explain(cause: unknown, config: PostgresConfig): OsError {
  if (cause instanceof OsError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const sqlState = codeOf(cause);
  const { code, hint } = judge(sqlState, reason, config);
  return new OsError(code, `Cannot use the store as ${formatPlace(config)}: ${reason}`, {
    call: "postgres",
    errno: sqlState ?? "UNKNOWN",
    cause,
    hint,
  });
}

/** Whether a connection must not be used any more, whatever becomes of the server. */
export function isBroken(cause: unknown): boolean {
  const code = codeOf(cause);
  // What the server itself answered leaves the connection whole, unless it said good-bye
  return code === null || !/^[0-9A-Z]{5}$/.test(code) || AWAY.test(code) || PASSING.test(code);
}

/** Whether a statement was undone because of another one, and may be tried again. */
export function isConflict(cause: unknown): boolean {
  return /^(?:40001|40P01)$/.test(codeOf(cause) ?? "");
}

function codeOf(cause: unknown): string | null {
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") {
    return cause.code;
  }
  return null;
}

function judge(
  sqlState: string | null,
  reason: string,
  { passwordFile, user, database }: PostgresConfig,
): { readonly code: string; readonly hint: string } {
  if (sqlState !== null && TLS_CODES.test(sqlState) || /does not support SSL/.test(reason)) {
    return {
      code: "store-untrusted",
      hint:
        "Give the server a certificate for the host as `store` names it, and its authority as `ca_file`",
    };
  }
  switch (sqlState) {
    case "28P01":
    case "28000":
      return {
        code: "store-denied",
        hint: passwordFile === null
          ? "Name a `password_file`, or let pg_hba.conf admit this user without a password"
          : `Look at "${passwordFile}" and at pg_hba.conf; ALTER ROLE sets a password`,
      };
    case "42501":
      return {
        code: "store-denied",
        hint: `Let the role own the database: ALTER DATABASE "${database}" OWNER TO "${user}"`,
      };
    case "3D000":
      return { code: "store-missing", hint: `CREATE DATABASE "${database}" OWNER "${user}"` };
    case "25006":
      return { code: "store-unusable", hint: "This server only reads: name the primary" };
    case "57014":
    case "55P03":
      return {
        code: "store-unreachable",
        hint: "The database is too slow: look at its load and its locks",
      };
    case "53100":
      return { code: "store-unusable", hint: "Make room on the disk of the PostgreSQL server" };
  }
  const isAway = sqlState === null
    ? AWAY_WORDS.test(reason)
    : AWAY.test(sqlState) || PASSING.test(sqlState);
  return isAway
    ? {
      code: "store-unreachable",
      hint:
        "Start PostgreSQL, or look at the way there; the server goes on by itself once it is back",
    }
    : { code: "store-unusable", hint: "PostgreSQL's own log says more" };
}
