/**
 * The file in which root says what clients may have.
 *
 * @module
 */
import { DEFAULT_HELPER_POLICY, type HelperPolicy, parseHelperPolicy } from "../../config/mod.ts";
import { OsError } from "../../error.ts";

export const POLICY_FILE = "/etc/vnet/helper.yaml";

/** Reads what root wrote; nothing written is the default. @throws ConfigError, OsError `file-unreadable` */
export async function readHelperPolicy(): Promise<HelperPolicy> {
  const found = await Deno.stat(POLICY_FILE).catch((thrown) => {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  });
  if (found === null) return DEFAULT_HELPER_POLICY;
  if (found.uid !== 0 || ((found.mode ?? 0) & 0o022) !== 0) {
    throw new OsError("file-unreadable", `Cannot trust "${POLICY_FILE}": others may write it`, {
      call: "stat",
      errno: "EPERM",
      hint: `Run \`sudo chown root ${POLICY_FILE}\` and \`sudo chmod go-w ${POLICY_FILE}\``,
    });
  }
  return parseHelperPolicy(await Deno.readTextFile(POLICY_FILE), POLICY_FILE);
}
