/**
 * The schema, step by step. A step that was released is never changed: the next one is appended.
 *
 * @module
 */

/** Each entry is the SQL that leads from the version before it. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE authorities (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    certificate TEXT NOT NULL,
    private_key TEXT NOT NULL
  ) STRICT;

  CREATE TABLE resources (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE credentials (
    user TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    totp_secret TEXT,
    totp_step INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE login_failures (
    user TEXT NOT NULL,
    source TEXT NOT NULL,
    at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX login_failures_by_pair ON login_failures (user, source, at_ms);
  CREATE INDEX login_failures_by_time ON login_failures (at_ms);

  CREATE TABLE login_locks (
    user TEXT NOT NULL,
    source TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (user, source)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    parent TEXT,
    app TEXT,
    app_id TEXT,
    port INTEGER,
    expires_ms INTEGER NOT NULL,
    ended_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_parent ON sessions (parent);
  CREATE INDEX sessions_by_user ON sessions (user);
  CREATE INDEX sessions_by_expiry ON sessions (expires_ms);

  CREATE TABLE tokens (
    hash TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    uses_left INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    apps TEXT NOT NULL,
    scope TEXT NOT NULL,
    joined_ms INTEGER NOT NULL,
    renewed_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL) STRICT;
  `,
  `
  ALTER TABLE sessions ADD COLUMN started_ms INTEGER;
  ALTER TABLE sessions ADD COLUMN source TEXT;
  ALTER TABLE agents ADD COLUMN seen_ms INTEGER;
  `,
  `
  CREATE TABLE known_sources (
    user TEXT NOT NULL,
    source TEXT NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (user, source)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE trusts (
    cluster TEXT PRIMARY KEY,
    side TEXT NOT NULL CHECK (side IN ('root', 'leaf')),
    host_cas TEXT NOT NULL,
    user_cas TEXT NOT NULL,
    certificate TEXT,
    private_key TEXT,
    join_id TEXT,
    facts TEXT,
    joined_ms INTEGER NOT NULL,
    seen_ms INTEGER
  ) STRICT, WITHOUT ROWID;

  ALTER TABLE sessions ADD COLUMN app_cluster TEXT;
  `,
  `
  CREATE TABLE guests (
    session TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    connector TEXT NOT NULL,
    subject TEXT NOT NULL,
    facts TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX guests_by_user ON guests (user);
  `,
];
