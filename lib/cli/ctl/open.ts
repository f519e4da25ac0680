import { parseServerFile } from "../../config/mod.ts";
import { readConfigFile } from "../../io/files.ts";
import { AdminClient } from "../../server/auth/admin/client.ts";
import { type ConfigContext, requireConfigFile, SERVER_FILE } from "../context.ts";

/** How a result is printed. */
export type Form = "text" | "json";

/** Finds the admin socket by the server's file. */
export async function openAdmin(context: ConfigContext): Promise<AdminClient> {
  const file = requireConfigFile(context, "Cannot find the server", SERVER_FILE);
  const { dataDir } = parseServerFile(await readConfigFile(file), file);
  return new AdminClient(`${dataDir}/admin.sock`);
}

/** The entries of `a,b, c`. */
export function splitList(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}
