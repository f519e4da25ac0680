import { z } from "zod";
import { parseDuration } from "./duration.ts";
import { durationText, labelSelector } from "./fields.ts";
import { refusedKey, strict } from "./mistakes.ts";

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
export type LabelSelector = readonly {
  readonly key: string;
  readonly values: readonly string[];
}[];

/** A role, ready to decide with. */
export interface Role {
  readonly name: string;
  readonly allowApps: LabelSelector;
  readonly denyApps: LabelSelector;
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
 * deepEqual(role.allowApps, [{ key: "env", values: ["dev", "staging"] }]);
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

/** Makes a checked selector ready to match with; keys sorted. */
export function compileSelector(
  selector: Readonly<Record<string, string | readonly string[]>>,
): LabelSelector {
  return Object.keys(selector).sort().map((key) => {
    const values = selector[key] ?? [];
    return { key, values: typeof values === "string" ? [values] : values };
  });
}

function milliseconds(duration: string | undefined): number | null {
  return duration === undefined ? null : parseDuration(duration);
}
