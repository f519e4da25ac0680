/**
 * Whose users are let in: those of the cluster itself, and those of clusters that it trusts, whose roles count as what
 * a role map makes of them and as nothing else.
 *
 * @module
 */
import { fitsPattern } from "../config/mod.ts";
import type { Principal } from "./principal.ts";

/** Which roles here stand for a role there. In `remote`, `*` stands for any characters. */
export interface RoleMapping {
  readonly remote: string;
  readonly local: readonly string[];
}

export type RoleMap = readonly RoleMapping[];

/** A cluster whose users are let in. */
export interface Trust<Authority> {
  readonly cluster: string;
  /** Who signs for its users. */
  readonly authorities: readonly Authority[];
  /** `null` for the cluster itself: its roles are what they are called. */
  readonly roleMap: RoleMap | null;
}

/** Everybody who is let in; each cluster once. */
export type TrustSet<Authority> = readonly Trust<Authority>[];

/** The roles here of somebody who has these roles there; sorted, each once. What is in no row counts for nothing. */
export function mapRoles(roleMap: RoleMap, roles: readonly string[]): string[] {
  const mapped = roleMap.filter(({ remote }) => {
    const pattern = { kind: "glob", parts: remote.split("*") } as const;
    return roles.some((role) => fitsPattern(pattern, role));
  }).flatMap(({ local }) => local);
  return [...new Set(mapped)].sort();
}

/**
 * The roles that somebody has here.
 *
 * @returns `null` for somebody of a cluster that is not trusted.
 */
export function rolesHere(
  trust: readonly Pick<Trust<unknown>, "cluster" | "roleMap">[],
  cluster: string,
  roles: readonly string[],
): readonly string[] | null {
  const found = trust.find((one) => one.cluster === cluster);
  if (found === undefined) return null;
  return found.roleMap === null ? roles : mapRoles(found.roleMap, roles);
}

/** What stands before the name of another cluster's user, after the cluster: in no name of a user. */
const SEPARATOR = "/";

/** What a user is called here: `alice`, or `root.example/alice` for one of another cluster. */
export function userHere(
  { name, cluster }: Pick<Principal, "name" | "cluster">,
  here: string,
): string {
  return cluster === here ? name : `${cluster}${SEPARATOR}${name}`;
}

/** The inverse of {@link userHere}. @returns `null` for a user of the cluster itself. */
export function homeOf(user: string): Pick<Principal, "name" | "cluster"> | null {
  const at = user.indexOf(SEPARATOR);
  return at < 0 ? null : { cluster: user.slice(0, at), name: user.slice(at + 1) };
}
