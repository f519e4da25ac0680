/**
 * What rows of the store mean. The tables of SQLite and of PostgreSQL have the same columns.
 *
 * @module
 */
import type {
  Credential,
  JoinToken,
  Session,
  StoredAgent,
  StoredAuthority,
  StoredEvent,
  StoredGuest,
  StoredResource,
  StoredTrust,
  TokenScope,
} from "./store.ts";

/** One row: numbers as numbers or, of 64 bits, as digits. */
export type Row = Record<string, unknown>;

export function toAuthority(row: Row): StoredAuthority {
  return {
    kind: row["kind"] === "user" ? "user" : "host",
    certificatePem: String(row["certificate"]),
    privateKeyPem: String(row["private_key"]),
  };
}

export function toResource(row: Row): StoredResource {
  return {
    kind: String(row["kind"]),
    name: String(row["name"]),
    revision: Number(row["revision"]),
    body: String(row["body"]),
  };
}

export function toCredential(row: Row): Credential {
  return {
    user: String(row["user"]),
    passwordHash: String(row["password_hash"]),
    totpSecret: row["totp_secret"] === null ? null : String(row["totp_secret"]),
  };
}

export function toSession(row: Row): Session {
  return {
    id: String(row["id"]),
    user: String(row["user"]),
    startedMs: row["started_ms"] === null ? null : Number(row["started_ms"]),
    expiresMs: Number(row["expires_ms"]),
    source: row["source"] === null ? null : String(row["source"]),
    parent: row["parent"] === null ? null : String(row["parent"]),
    app: row["app"] === null ? null : {
      name: String(row["app"]),
      id: String(row["app_id"]),
      port: Number(row["port"]),
      cluster: row["app_cluster"] === null ? null : String(row["app_cluster"]),
    },
  };
}

export function toToken(row: Row): JoinToken {
  return {
    id: String(row["id"]),
    scope: toScope(row),
    expiresMs: Number(row["expires_ms"]),
    usesLeft: Number(row["uses_left"]),
  };
}

export function toAgent(row: Row): StoredAgent {
  return {
    id: String(row["id"]),
    name: String(row["name"]),
    apps: JSON.parse(String(row["apps"])) as string[],
    scope: toScope(row),
    joinedMs: Number(row["joined_ms"]),
    renewedMs: Number(row["renewed_ms"]),
    seenMs: row["seen_ms"] === null ? null : Number(row["seen_ms"]),
  };
}

/** Scopes that were kept before public addresses had any limit have none. */
function toScope(row: Row): TokenScope {
  return {
    publicAddrs: null,
    ...JSON.parse(String(row["scope"])) as Omit<TokenScope, "publicAddrs">,
  };
}

export function toTrust(row: Row): StoredTrust {
  const { certificate, private_key: privateKey, join_id: joinId, facts, seen_ms: seenMs } = row;
  return {
    cluster: String(row["cluster"]),
    side: row["side"] === "root" ? "root" : "leaf",
    hostCaPems: JSON.parse(String(row["host_cas"])) as string[],
    userCaPems: JSON.parse(String(row["user_cas"])) as string[],
    identity: certificate === null
      ? null
      : { certificatePem: String(certificate), privateKeyPem: String(privateKey) },
    joinId: joinId === null ? null : String(joinId),
    facts: facts === null ? null : String(facts),
    joinedMs: Number(row["joined_ms"]),
    seenMs: seenMs === null ? null : Number(seenMs),
  };
}

export function toEvent(row: Row): StoredEvent {
  return { seq: Number(row["seq"]), body: String(row["body"]) };
}

export function toGuest(row: Row): StoredGuest {
  const facts = JSON.parse(String(row["facts"])) as Pick<StoredGuest, "roles" | "claims">;
  return {
    sessionId: String(row["session"]),
    user: String(row["user"]),
    connector: String(row["connector"]),
    subject: String(row["subject"]),
    ...facts,
  };
}
