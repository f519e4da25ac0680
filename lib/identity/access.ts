/**
 * Who may use an app. Roles allow by labels, deny wins, and what no role allows is denied.
 *
 * @module
 */
import {
  type FilledPattern,
  fitsPattern,
  type LabelSelector,
  type PersonalRole,
  type Role,
} from "../config/mod.ts";

/** What an app is labelled with. */
export type Labels = Readonly<Record<string, string>>;

export type AccessDecision =
  | {
    readonly kind: "allowed";
    /** Whether a role that allows the app asks for the second factor once per session. */
    readonly requireSessionMfa: boolean;
    /** How long a flow may be silent; `null` is for ever. */
    readonly clientIdleMs: number | null;
    /** Whether a flow ends with the certificate it was opened by. */
    readonly disconnectExpired: boolean;
  }
  /** `role` is the one whose deny rule matched; `null` when no role allows. */
  | { readonly kind: "denied"; readonly role: string | null };

/** Decides whether somebody with these roles may use an app with these labels. The strictest option wins. */
export function decideAccess(roles: readonly PersonalRole[], labels: Labels): AccessDecision {
  const denying = roles.find((role) => matchesSelector(role.denyApps, labels));
  if (denying !== undefined) return { kind: "denied", role: denying.name };
  const allowing = roles.filter((role) => matchesSelector(role.allowApps, labels));
  if (allowing.length === 0) return { kind: "denied", role: null };
  return {
    kind: "allowed",
    requireSessionMfa: allowing.some((role) => role.requireSessionMfa),
    clientIdleMs: least(allowing.map((role) => role.clientIdleMs)),
    disconnectExpired: allowing.some((role) => role.disconnectExpired),
  };
}

/** The longest login these roles permit together; `null` if none has a limit of its own. */
export function maxSessionMs(roles: readonly Pick<Role, "maxSessionMs">[]): number | null {
  return least(roles.map((role) => role.maxSessionMs));
}

/** Whether every key of a selector matches. An empty one matches nothing; the key `*` stands for everything. */
export function matchesSelector(selector: LabelSelector<FilledPattern>, labels: Labels): boolean {
  return selector.length > 0 && selector.every(({ key, values }) => {
    if (key === "*") return values.some((pattern) => fitsPattern(pattern, "*"));
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return value !== undefined && values.some((pattern) => fitsPattern(pattern, value));
  });
}

function least(values: readonly (number | null)[]): number | null {
  const given = values.filter((value) => value !== null);
  return given.length === 0 ? null : Math.min(...given);
}
