import { toTrust } from "../rows.ts";
import type { StoredTrust, TrustIdentity, Trusts } from "../store.ts";
import type { Database } from "./database.ts";

/** Clusters that are trusted, and clusters that trust this one. */
export class PostgresTrusts implements Trusts {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async list(): Promise<StoredTrust[]> {
    return (await this.#db.all("SELECT * FROM trusts ORDER BY cluster")).map(toTrust);
  }

  async get(cluster: string): Promise<StoredTrust | null> {
    const row = await this.#db.get("SELECT * FROM trusts WHERE cluster = $1", cluster);
    return row === null ? null : toTrust(row);
  }

  async addNew(trust: StoredTrust): Promise<boolean> {
    return await this.#db.run(
      "INSERT INTO trusts (cluster, side, host_cas, user_cas, certificate, private_key, join_id, facts, joined_ms, seen_ms)" +
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
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
    return await this.#db.run(
      "UPDATE trusts SET certificate = $1, private_key = $2 WHERE cluster = $3 AND certificate = $4",
      identity.certificatePem,
      identity.privateKeyPem,
      cluster,
      before,
    ) > 0;
  }

  async see(cluster: string, facts: string | null, nowMs: number): Promise<void> {
    await this.#db.relaxed((tx) =>
      tx.run(
        "UPDATE trusts SET seen_ms = $1, facts = coalesce($2, facts) WHERE cluster = $3",
        nowMs,
        facts,
        cluster,
      )
    );
  }

  async remove(cluster: string): Promise<boolean> {
    return await this.#db.run("DELETE FROM trusts WHERE cluster = $1", cluster) > 0;
  }
}
