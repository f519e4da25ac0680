import { parseServerFile } from "../../config/mod.ts";
import { readConfigFile } from "../../io/mod.ts";
import { backUpStore, restoreStore } from "../../server/mod.ts";
import { type Context, requireConfigFile, SERVER_FILE, tell } from "../context.ts";
import { EXIT } from "../exit.ts";

interface CopyOptions {
  readonly file: string;
  readonly replace: boolean;
}

/** Copies the server's store; it may run. */
export async function backup(context: Context, { file, replace }: CopyOptions): Promise<number> {
  const { dataDir } = await readServerFile(context, "Cannot find the server");
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
  const { dataDir, clusterName } = await readServerFile(context, "Cannot restore");
  const { users } = await restoreStore(dataDir, file, { cluster: clusterName, replace });
  tell(
    context,
    `Restored ${clusterName} in ${dataDir}: ${users} ${
      users === 1 ? "user" : "users"
    }. Start the server`,
  );
  return EXIT.done;
}

async function readServerFile(context: Context, act: string) {
  const file = requireConfigFile(context, act, SERVER_FILE);
  return parseServerFile(await readConfigFile(file), file);
}
