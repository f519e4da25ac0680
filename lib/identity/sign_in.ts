/**
 * Who somebody is to a cluster, by what an identity provider says of them.
 *
 * @module
 */
import { fitsPattern, type OidcSpec, parseLabelPattern, type Person } from "../config/mod.ts";
import { isPrincipalName } from "./principal.ts";

/** What a provider says of somebody, after it was verified. */
export type ProviderClaims = Readonly<Record<string, unknown>>;

/** A person and their roles, or why they cannot be let in. */
export type SignIn =
  | { readonly kind: "good"; readonly person: Person; readonly roles: readonly string[] }
  | {
    readonly kind: "bad";
    readonly why: "name" | "email" | "role" | "claims";
    readonly words: string;
  };

/** A claim of some hundred groups is read; more is nobody's. */
const MAX_VALUES = 2048;
/** Certificates are shown in every handshake. */
const MAX_KEPT_VALUES = 16;
const MAX_KEPT_CHARACTERS = 256;
const MAX_KEPT_LENGTH = 4096;
const MAX_ROLES = 64;

/** Reads a person out of claims. Who has no name, or no role, is nobody. */
export function signIn(spec: OidcSpec, claims: ProviderClaims): SignIn {
  const named = nameOf(spec.username_claim, claims);
  if (named.kind === "bad") return named;
  const tooMany = spec.claims_to_roles.find(({ claim }) =>
    listOf(claims, claim).length > MAX_VALUES
  );
  if (tooMany !== undefined) {
    const words =
      `The claim ${tooMany.claim} of "${named.user}" has more than ${MAX_VALUES} values`;
    return { kind: "bad", why: "claims", words };
  }
  const roles = rolesOf(spec, claims);
  if (roles.length === 0 || roles.length > MAX_ROLES) {
    return {
      kind: "bad",
      why: "role",
      words: roles.length === 0
        ? `"${named.user}" has no role here: no row of claims_to_roles fits`
        : `"${named.user}" would have more than ${MAX_ROLES} roles`,
    };
  }
  const kept = keptOf(spec.claims, claims);
  if (kept === null) {
    const words = `The claims to keep of "${named.user}" are too many or too long`;
    return { kind: "bad", why: "claims", words };
  }
  return { kind: "good", person: { user: named.user, claims: kept }, roles };
}

function nameOf(
  wanted: string | undefined,
  claims: ProviderClaims,
): { readonly kind: "good"; readonly user: string } | Extract<SignIn, { kind: "bad" }> {
  const claim = wanted ??
    (textOf(claims, "preferred_username") === null ? "email" : "preferred_username");
  const user = textOf(claims, claim);
  if (user === null) {
    return { kind: "bad", why: "name", words: `The provider does not say your ${claim}` };
  }
  // Anybody may have written any address at a provider that does not look
  if (claim === "email" && claims["email_verified"] !== true) {
    return {
      kind: "bad",
      why: "email",
      words: "The provider has not verified your e-mail address",
    };
  }
  if (isPrincipalName(user)) return { kind: "good", user };
  const words = `The ${claim} that the provider says cannot be a user name here`;
  return { kind: "bad", why: "name", words };
}

function rolesOf(spec: OidcSpec, claims: ProviderClaims): readonly string[] {
  const roles = new Set<string>();
  for (const row of spec.claims_to_roles) {
    const read = parseLabelPattern(row.value);
    if (read.kind === "bad" || read.pattern.kind === "template") continue;
    const { pattern } = read;
    if (!valuesOf(claims, row.claim).some((value) => fitsPattern(pattern, value))) continue;
    for (const role of row.roles) roles.add(role);
  }
  return [...roles].sort();
}

/** @returns `null` if they do not fit into a certificate: a role that denies by one must not miss it. */
function keptOf(names: readonly string[], claims: ProviderClaims): Person["claims"] | null {
  const kept = names.flatMap((name) => {
    const values = valuesOf(claims, name).filter((value) => value !== "");
    return values.length === 0 ? [] : [[name, values] as const];
  });
  const fits = kept.every(([, values]) =>
    values.length <= MAX_KEPT_VALUES && values.every(({ length }) => length <= MAX_KEPT_CHARACTERS)
  );
  const object = Object.fromEntries(kept);
  return fits && JSON.stringify(object).length <= MAX_KEPT_LENGTH ? object : null;
}

/** A claim as texts: one, or each of a list; nothing of anything else. */
function valuesOf(claims: ProviderClaims, name: string): readonly string[] {
  return listOf(claims, name).flatMap((one) =>
    typeof one === "string"
      ? [one]
      : typeof one === "boolean" || typeof one === "number"
      ? [String(one)]
      : []
  );
}

function listOf(claims: ProviderClaims, name: string): readonly unknown[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return Array.isArray(value) ? value : [value];
}

function textOf(claims: ProviderClaims, name: string): string | null {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return typeof value === "string" && value !== "" ? value : null;
}
