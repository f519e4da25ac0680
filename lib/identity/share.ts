/**
 * Which user ids are meant by wishes to share.
 *
 * @module
 * @see passwd(5), group(5)
 */
import { formatShare, type Share } from "../config/mod.ts";

/** The user ids that wishes stand for, at the moment the files were read. */
interface Sharing {
  /** Sorted; `"all"` is everybody. */
  readonly uids: readonly number[] | "all";
  /** Users and groups that the files do not have. */
  readonly unknown: readonly string[];
}

/** A uid of all ones means "none" to the kernel. */
const MAX_ID = 0xffff_fffe;

/**
 * Finds the user ids of wishes. A group is those whose own group it is and those it lists; a number that the files
 * do not have stands for itself as a user, because users may come from elsewhere.
 *
 * @param files The text of /etc/passwd and /etc/group.
 */
export function resolveShares(
  shares: readonly Share[],
  files: { readonly passwd: string; readonly group: string },
): Sharing {
  const users = rows(files.passwd).flatMap(([name = "", , uid, gid]) => {
    const ids = { name, uid: parseId(uid), gid: parseId(gid) };
    return ids.uid === null ? [] : [{ ...ids, uid: ids.uid }];
  });
  const groups = rows(files.group).map(([name = "", , gid, members = ""]) => ({
    name,
    gid: parseId(gid),
    members: members.split(","),
  }));
  const uids = new Set<number>();
  const unknown = new Set<string>();
  for (const share of shares) {
    if (share.kind === "all") continue;
    const found = share.kind === "user" ? userIds(share.name, users) : memberIds(share.name, {
      users,
      groups,
    });
    if (found === null) unknown.add(formatShare(share));
    for (const uid of found ?? []) uids.add(uid);
  }
  const everybody = shares.some(({ kind }) => kind === "all");
  return {
    uids: everybody ? "all" : [...uids].sort((a, b) => a - b),
    unknown: [...unknown].sort(),
  };
}

interface UserRow {
  readonly name: string;
  readonly uid: number;
  readonly gid: number | null;
}

interface GroupRow {
  readonly name: string;
  readonly gid: number | null;
  readonly members: readonly string[];
}

function userIds(name: string, users: readonly UserRow[]): readonly number[] | null {
  const found = users.find((user) => user.name === name);
  if (found !== undefined) return [found.uid];
  const uid = parseId(name);
  return uid === null ? null : [uid];
}

function memberIds(
  name: string,
  { users, groups }: { readonly users: readonly UserRow[]; readonly groups: readonly GroupRow[] },
): readonly number[] | null {
  const group = groups.find((group) => group.name === name) ??
    groups.find((group) => group.gid !== null && group.gid === parseId(name));
  if (group === undefined) return null;
  return users.filter((user) =>
    (group.gid !== null && user.gid === group.gid) || group.members.includes(user.name)
  ).map(({ uid }) => uid);
}

function rows(text: string): string[][] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) =>
    line.split(":")
  );
}

function parseId(text: string | undefined): number | null {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return null;
  const id = Number(text);
  return id <= MAX_ID ? id : null;
}
