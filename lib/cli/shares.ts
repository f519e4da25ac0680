import type { Share } from "../config/mod.ts";
import { UsageError } from "../error.ts";
import { resolveShares } from "../identity/mod.ts";

/**
 * Finds the user ids that are meant by `--share`, as they are at this moment.
 *
 * @throws UsageError when this machine has no such user or group.
 */
export async function sharedUids(shares: readonly Share[]): Promise<readonly number[] | "all"> {
  if (shares.length === 0) return [];
  const [passwd, group] = await Promise.all(
    ["/etc/passwd", "/etc/group"].map((path) => Deno.readTextFile(path)),
  );
  const { uids, unknown } = resolveShares(shares, { passwd: passwd ?? "", group: group ?? "" });
  if (unknown.length === 0) return uids;
  throw new UsageError("usage", `Cannot share with ${unknown.map(quote).join(", ")}: not found`, {
    hint: "Use a name that /etc/passwd or /etc/group has, or a user's number",
  });
}

function quote(text: string): string {
  return `"${text}"`;
}
