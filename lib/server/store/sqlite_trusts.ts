// deno-lint-ignore-file require-await -- methods are async so that an error thrown becomes a rejection
import type { Database } from "./database.ts";
import { toTrust } from "./rows.ts";
import type { StoredTrust, TrustIdentity, Trusts } from "./store.ts";

/** Clusters that are trusted, and clusters that trust this one. */
export class SqliteTrusts implements Trusts {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async list(): Promise<StoredTrust[]> {
    return this.#db.all("SELECT * FROM trusts ORDER BY cluster").map(toTrust);
  }

  async get(cluster: string): Promise<StoredTrust | null> {
    const row = this.#db.get("SELECT * FROM trusts WHERE cluster = ?", cluster);
    return row === null ? null : toTrust(row);
  }

  async addNew(trust: StoredTrust): Promise<boolean> {
    return this.#db.run(
      "INSERT INTO trusts (cluster, side, host_cas, user_cas, certificate, private_key, join_id, facts, joined_ms, seen_ms)" +
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      trust.cluster,
      trust.side,
      JSON.stringify(trust.hostCaPems),
      JSON.stringify(trust.userCaPems),
      trust.identity?.certificatePem ?? null,
      trust.identity?.privateKeyPem ?? null,
      trust.joinId,
      trust.facts,
      trust.joinedMs,
      trust.seenMs,
    ) > 0;
  }

  async renew(cluster: string, before: string, identity: TrustIdentity): Promise<boolean> {
    return this.#db.run(
      "UPDATE trusts SET certificate = ?, private_key = ? WHERE cluster = ? AND certificate = ?",
      identity.certificatePem,
      identity.privateKeyPem,
      cluster,
      before,
    ) > 0;
  }

  async see(cluster: string, facts: string | null, nowMs: number): Promise<void> {
    this.#db.relaxed(() =>
      this.#db.run(
        "UPDATE trusts SET seen_ms = ?, facts = coalesce(?, facts) WHERE cluster = ?",
        nowMs,
        facts,
        cluster,
      )
    );
  }

  async remove(cluster: string): Promise<boolean> {
    return this.#db.run("DELETE FROM trusts WHERE cluster = ?", cluster) > 0;
  }
}
