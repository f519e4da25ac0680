/**
 * How users of a company's identity provider sign in: what a resource of `kind: oidc` says.
 *
 * @module
 */
import { z } from "zod";
import { absolutePath, resourceName } from "../fields.ts";
import { strict } from "../mistakes.ts";
import { parseLabelPattern } from "../role/label_pattern.ts";

const ISSUER_WORDS =
  "an https:// URL as the provider writes it: no user, password, query or fragment, no /.well-known/";
const CLAIM_WORDS = "a claim's name of 1 to 64 letters, digits, _ and -";
const SCOPE_WORDS = "a scope: letters, digits and !#$&'()*+,-./:;<=>?@[]^_`{|}~";

const claimName = z.string({ error: CLAIM_WORDS }).regex(/^[A-Za-z0-9_-]{1,64}$/, {
  error: CLAIM_WORDS,
});

const claimPattern = z.string({ error: "a text" }).max(256).superRefine((text, context) => {
  const read = parseLabelPattern(text);
  if (read.kind === "good" && read.pattern.kind !== "template") return;
  const message = read.kind === "bad" ? read.expected : "a text without {{…}}";
  context.addIssue({ code: "custom", message });
});

/** An `oidc` resource's `spec`, as people write it. */
export const OidcSpecSchema = strict({
  issuer_url: z.string({ error: ISSUER_WORDS }).max(1024).refine(isIssuer, { error: ISSUER_WORDS }),
  client_id: z.string({ error: "a text" }).min(1).max(256),
  /** On the server; absent for a client without a secret. */
  client_secret_file: absolutePath.optional(),
  /** What people are told they log in with. */
  display: z.string().min(1).max(64).optional(),
  scope: z.array(
    z.string({ error: SCOPE_WORDS }).regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, {
      error: SCOPE_WORDS,
    }),
  ).max(32).default(["openid", "profile", "email"]),
  username_claim: claimName.optional(),
  claims_to_roles: z.array(strict({
    claim: claimName,
    value: claimPattern,
    roles: z.array(resourceName).min(1).max(64),
  })).min(1).max(256),
  /** What roles may go by, as `{{claims.NAME}}`. */
  claims: z.array(claimName).max(16).default([]),
  /** Authorities to trust beside the public ones, on the server. */
  ca_file: absolutePath.optional(),
  device_flow: z.boolean({ error: "true or false" }).default(false),
});

export type OidcSpec = z.infer<typeof OidcSpecSchema>;

function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return protocol === "https:" && `${username}${password}${search}${hash}` === "" &&
    !/[?#]|\/\.well-known\//.test(text);
}
