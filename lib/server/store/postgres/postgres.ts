/**
 * The store in a database of a PostgreSQL server, which other processes may use as well. Survives a crash of either at
 * any point; failed logins, known hosts and what audit sinks have may be lost with the server's power.
 *
 * @module
 */
import type { PostgresConfig } from "../../../config/mod.ts";
import {
  AGENT_KEPT_MS,
  FAILURE_KEPT_MS,
  MAX_EVENTS,
  MAX_FAILURES,
  SOURCE_KEPT_MS,
} from "../retention.ts";
import type { Store } from "../store.ts";
import { PostgresAgents, PostgresTokens } from "./agents.ts";
import { Database } from "./database.ts";
import { PostgresEvents } from "./events.ts";
import { LOCK_CLASS, PRUNE_LOCK } from "./keys.ts";
import { PostgresCredentials, PostgresFailures, PostgresKnownSources } from "./logins.ts";
import { PostgresAuthorities, PostgresResources, PostgresSettings } from "./resources.ts";
import { PostgresGuests } from "./guests.ts";
import { PostgresSessions } from "./sessions.ts";
import { PostgresTrusts } from "./trusts.ts";

/**
 * Opens the store in a database, which it makes its tables in.
 *
 * @param options `isSole`: whether it is refused while another server serves from the database, and such a server is
 * refused from here on.
 * @throws {OsError} `store-unreachable`, `store-denied`, `store-missing`, `store-untrusted`, `store-in-use`,
 * `store-too-new`, `store-unusable`.
 * @throws {ConfigError} if `ca_file` has no authority.
 */
export async function openPostgresStore(
  config: PostgresConfig,
  options: { readonly isSole: boolean },
): Promise<Store> {
  const db = await Database.open(config, options);
  return {
    settings: new PostgresSettings(db),
    authorities: new PostgresAuthorities(db),
    resources: new PostgresResources(db),
    credentials: new PostgresCredentials(db),
    failures: new PostgresFailures(db),
    knownSources: new PostgresKnownSources(db),
    sessions: new PostgresSessions(db),
    guests: new PostgresGuests(db),
    tokens: new PostgresTokens(db),
    agents: new PostgresAgents(db),
    trusts: new PostgresTrusts(db),
    events: new PostgresEvents(db),
    prune: (nowMs) => prune(db, nowMs),
    watch: db.watch,
    [Symbol.asyncDispose]: () => db.close(),
  };
}

async function prune(db: Database, nowMs: number): Promise<void> {
  await db.relaxed(async (tx) => {
    const lock = `SELECT pg_try_advisory_xact_lock(${LOCK_CLASS}, ${PRUNE_LOCK}) AS is_taken`;
    // Somebody else is at it
    if ((await tx.get(lock))?.["is_taken"] !== true) return;
    await tx.run(
      "DELETE FROM sessions s WHERE expires_ms <= $1 AND NOT EXISTS" +
        " (SELECT 1 FROM sessions p WHERE p.id = s.parent AND p.expires_ms > $1)",
      nowMs,
    );
    await tx.run("DELETE FROM guests WHERE session NOT IN (SELECT id FROM sessions)");
    await tx.run("DELETE FROM tokens WHERE expires_ms <= $1 OR uses_left <= 0", nowMs);
    await tx.run("DELETE FROM login_locks WHERE until_ms <= $1", nowMs);
    await tx.run("DELETE FROM login_failures WHERE at_ms <= $1", nowMs - FAILURE_KEPT_MS);
    await tx.run(
      "DELETE FROM login_failures WHERE id <= (SELECT max(id) FROM login_failures) - $1::bigint",
      MAX_FAILURES,
    );
    await tx.run("DELETE FROM known_sources WHERE seen_ms <= $1", nowMs - SOURCE_KEPT_MS);
    await tx.run("DELETE FROM agents WHERE renewed_ms <= $1", nowMs - AGENT_KEPT_MS);
    await tx.run(
      "DELETE FROM events WHERE seq <= (SELECT last FROM event_count) - $1::bigint",
      MAX_EVENTS,
    );
    await tx.run("DELETE FROM change_counts WHERE at < now() - interval '1 day'");
  });
}
