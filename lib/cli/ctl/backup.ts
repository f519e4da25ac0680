import { parseServerFile } from "../../config/mod.ts";
import { readConfigFile } from "../../io/mod.ts";
import { ConfigError, UsageError } from "../../error.ts";
import { backUpStore, copyStore, restoreStore, type StoreKind } from "../../server/mod.ts";
import { type Context, requireConfigFile, SERVER_FILE, tell } from "../context.ts";
import { EXIT } from "../exit.ts";

interface CopyOptions {
  readonly file: string;
  readonly replace: boolean;
}

/** Copies the server's store; it may run. */
export async function backup(context: Context, { file, replace }: CopyOptions): Promise<number> {
  const { dataDir, store } = await readServerFile(context, "Cannot find the server");
  if (store.postgres !== null) throw elsewhere(`Cannot write the backup "${file}"`, "pg_dump");
  const { users, sizeBytes } = await backUpStore(dataDir, file, { replace });
  tell(
    context,
    `Wrote ${file}: ${users} ${users === 1 ? "user" : "users"}, ${
      Math.ceil(sizeBytes / 1024)
    } KiB. It has the cluster's private keys: keep it as you keep those`,
  );
  return EXIT.done;
}

/** Puts a copy in the place of the server's store; it must not run. */
export async function restore(context: Context, { file, replace }: CopyOptions): Promise<number> {
  const { dataDir, clusterName, store } = await readServerFile(context, "Cannot restore");
  if (store.postgres !== null) throw elsewhere(`Cannot restore "${file}"`, "pg_restore");
  const { users } = await restoreStore(dataDir, file, { cluster: clusterName, replace });
  tell(
    context,
    `Restored ${clusterName} in ${dataDir}: ${users} ${
      users === 1 ? "user" : "users"
    }. Start the server`,
  );
  return EXIT.done;
}

/** Copies the server's store from SQLite to the database of its file, or back; it must not run. */
export async function copyToOther(context: Context, to: StoreKind): Promise<number> {
  const act = "Cannot copy the store";
  const file = requireConfigFile(context, act, SERVER_FILE);
  const { dataDir, clusterName, store: { postgres } } = await readServerFile(context, act);
  if (postgres === null) {
    throw new ConfigError(file, [{
      path: "store.postgres",
      found: "nothing",
      expected: "the database to copy to, or from",
    }]);
  }
  const { users, rows, tables } = await copyStore({ dataDir, postgres, cluster: clusterName }, to);
  const where = to === "postgres"
    ? `the database ${postgres.database}. Start the server`
    : `${dataDir}. Take \`store\` out of ${file}, and start the server`;
  tell(
    context,
    `Copied ${clusterName}, ${rows} rows of ${tables} tables, ${users} ${
      users === 1 ? "user" : "users"
    } among them, to ${where}`,
  );
  return EXIT.done;
}

function elsewhere(act: string, program: "pg_dump" | "pg_restore"): UsageError {
  return new UsageError("backup-elsewhere", `${act}: the store is in PostgreSQL`, {
    hint: `${program} does that: \`vnet help operations\` has the line`,
  });
}

async function readServerFile(context: Context, act: string) {
  const file = requireConfigFile(context, act, SERVER_FILE);
  return parseServerFile(await readConfigFile(file), file);
}
