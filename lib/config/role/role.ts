import { z } from "zod";
import { parseDuration } from "../duration.ts";
import { durationText, labelSelector } from "../fields.ts";
import { refusedKey, strict } from "../mistakes.ts";
import {
  type FilledPattern,
  fillPattern,
  type LabelPattern,
  parseLabelPattern,
  type Person,
} from "./label_pattern.ts";

const flag = z.boolean();
const unserved = refusedKey(
  "nothing: SSH servers are not served yet, they come in a later version",
);

/** A role that seems to restrict logins on servers must not be taken for one that does. */
const ConditionsSchema = strict({ app_labels: labelSelector.optional() }, {
  node_labels: unserved,
  logins: unserved,
});

/** A role's `spec`, as people write it. */
export const RoleSpecSchema = strict({
  allow: ConditionsSchema.default({}),
  deny: ConditionsSchema.default({}),
  options: strict({
    max_session_ttl: durationText.refine((text) => parseDuration(text)! >= 60_000, {
      error: "at least 1m",
    }).optional(),
    require_session_mfa: flag.optional(),
    client_idle_timeout: durationText.optional(),
    disconnect_expired_cert: flag.optional(),
  }).default({}),
});
export type RoleSpec = z.infer<typeof RoleSpecSchema>;

/** Which labels a rule matches: every key must, by any of its values. An empty selector matches nothing. */
export type LabelSelector<Pattern = LabelPattern> = readonly {
  readonly key: string;
  readonly values: readonly Pattern[];
}[];

/** A role, ready to be read for somebody. */
export type Role = RoleOf<LabelPattern>;

/** A role as it is for one person, ready to decide with. */
export type PersonalRole = RoleOf<FilledPattern>;

interface RoleOf<Pattern> {
  readonly name: string;
  readonly allowApps: LabelSelector<Pattern>;
  readonly denyApps: LabelSelector<Pattern>;
  /** The longest login this role permits; `null` is no limit of its own. */
  readonly maxSessionMs: number | null;
  readonly requireSessionMfa: boolean;
  /** How long a flow may be silent; `null` is for ever. */
  readonly clientIdleMs: number | null;
  /** Whether a flow ends with the certificate it was opened by. */
  readonly disconnectExpired: boolean;
}

/**
 * Makes a checked spec ready to decide with.
 *
 * @example
 * ```ts
 * import { deepEqual, equal } from "node:assert/strict";
 * import { compileRole, RoleSpecSchema } from "./role.ts";
 *
 * const spec = RoleSpecSchema.parse({
 *   allow: { app_labels: { env: ["dev", "staging"] } },
 *   options: { max_session_ttl: "12h" },
 * });
 * const role = compileRole("dev", spec);
 * deepEqual(role.allowApps.map(({ key, values }) => [key, values.length]), [["env", 2]]);
 * equal(role.maxSessionMs, 43_200_000);
 * ```
 */
export function compileRole(name: string, spec: RoleSpec): Role {
  const { options } = spec;
  const idleMs = milliseconds(options.client_idle_timeout);
  return {
    name,
    allowApps: compileSelector(spec.allow.app_labels ?? {}),
    denyApps: compileSelector(spec.deny.app_labels ?? {}),
    maxSessionMs: milliseconds(options.max_session_ttl),
    requireSessionMfa: options.require_session_mfa ?? false,
    clientIdleMs: idleMs === 0 ? null : idleMs,
    disconnectExpired: options.disconnect_expired_cert ?? true,
  };
}

/** What it takes at most to hold a role against an app, for each character of its labels. */
export function stepsOf({ allowApps, denyApps }: Role): number {
  return [...allowApps, ...denyApps].flatMap(({ values }) => values)
    .reduce((sum, pattern) => sum + (pattern.kind === "regex" ? pattern.steps : 1), 0);
}

/** Reads a role for somebody: what is theirs stands in the place of `{{user}}` and `{{claims.NAME}}`. */
export function personalRole(role: Role, person: Person): PersonalRole {
  const { allowApps, denyApps } = role;
  if (isFilled(role)) return role;
  return { ...role, allowApps: fill(allowApps, person), denyApps: fill(denyApps, person) };
}

/** Whether a role says the same for everybody. */
export function isFilled(role: Role): role is PersonalRole {
  return [...role.allowApps, ...role.denyApps].every(({ values }) =>
    values.every(({ kind }) => kind !== "template")
  );
}

function fill(selector: LabelSelector, person: Person): LabelSelector<FilledPattern> {
  return selector.map(({ key, values }) => ({
    key,
    values: values.flatMap((pattern) => fillPattern(pattern, person)),
  }));
}

/** Makes a checked selector ready to be filled; keys sorted. */
function compileSelector(
  selector: Readonly<Record<string, string | readonly string[]>>,
): LabelSelector {
  return Object.keys(selector).sort().map((key) => {
    const values = selector[key] ?? [];
    return { key, values: [values].flat().map(compilePattern) };
  });
}

function compilePattern(text: string): LabelPattern {
  const read = parseLabelPattern(text);
  if (read.kind === "good") return read.pattern;
  throw new TypeError(`A label's value that was checked is none: ${read.expected}`);
}

function milliseconds(duration: string | undefined): number | null {
  return duration === undefined ? null : parseDuration(duration);
}
