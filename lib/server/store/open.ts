import { join } from "node:path";
import type { StoreConfig } from "../../config/mod.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** The store of a data directory that has it in a file. */
export const STORE_FILE = "auth.db";

/**
 * Opens the store a server serves from, for it alone.
 *
 * @throws {OsError} `store-unusable`, `store-too-new`; of a database also `store-unreachable`, `store-denied`,
 * `store-missing`, `store-untrusted`, `store-in-use`.
 * @throws {ConfigError} if the authority of the database cannot be read.
 */
export async function openStore({ postgres }: StoreConfig, dataDir: string): Promise<Store> {
  if (postgres === null) return await openSqliteStore(join(dataDir, STORE_FILE));
  const { openPostgresStore } = await import("./postgres/mod.ts");
  return await openPostgresStore(postgres, { isSole: true });
}
