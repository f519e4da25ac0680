/**
 * Resources: what an administrator creates, shows and removes with `vnet ctl`. The shapes are Teleport's, so that
 * admins feel at home.
 *
 * @module
 */
import { getPublicSuffix } from "tldts";
import { z } from "zod";
import { ConfigError, type ConfigMistake } from "../error.ts";
import { parseHostPort } from "../ip/mod.ts";
import {
  anyUserName,
  caPin,
  clusterName,
  domainName,
  HTTPS_PORT,
  labelName,
  oneOrMore,
  resourceName,
} from "./fields.ts";
import {
  type Checked,
  checkValue,
  formatPath,
  type KeyPath,
  type LineOf,
  strict,
} from "./mistakes.ts";
import { RoleSpecSchema } from "./role/role.ts";
import { OidcSpecSchema } from "./sign_in/oidc.ts";
import { isVirtualRange, RANGE_WORDS } from "./up/virtual_range.ts";
import { parseYaml } from "./yaml.ts";

const DEFAULT_RANGE = "100.64.0.0/10";
/** Certificates are shown in every handshake. */
const MAX_CLAIMS_LENGTH = 4096;
const NAME_WORDS = "a name of 1 to 64 letters, digits, _ and -";
const version = z.literal("v1");
const timestamp = z.iso.datetime({ error: "a time like 2026-01-31T12:00:00Z" });

/** `revision` is what `get` shows; given back with `create -f`, it must still be the current one. */
const metadata = strict({
  name: resourceName,
  description: z.string().max(1024).optional(),
  revision: z.int().min(1).optional(),
});

/** One for the whole cluster. */
export const VnetConfigResourceSchema = strict({
  kind: z.literal("vnet_config"),
  version,
  metadata: strict({
    name: z.literal("vnet-config"),
    description: z.string().max(1024).optional(),
    revision: z.int().min(1).optional(),
  }),
  spec: strict({
    ipv4_cidr_range: z.string({ error: RANGE_WORDS })
      .refine(isVirtualRange, { error: RANGE_WORDS }).default(DEFAULT_RANGE),
    custom_dns_zones: z.array(strict({ suffix: zoneSuffix(), private: z.boolean().optional() }))
      .max(256).default([])
      .refine((zones) => new Set(zones.map(({ suffix }) => suffix)).size === zones.length, {
        error: "every suffix once",
      }),
  }),
});

export const RoleResourceSchema = strict({
  kind: z.literal("role"),
  version,
  metadata,
  spec: RoleSpecSchema,
});

export const UserResourceSchema = strict({
  kind: z.literal("user"),
  version,
  metadata,
  spec: strict({
    roles: z.array(resourceName).min(1).max(64),
    claims: claimsOfUser().optional(),
  }),
});

/** What a lock keeps out: one of these. */
export const LockTargetSchema = z.union([
  strict({ user: anyUserName }),
  strict({ role: resourceName }),
  strict({ agent: resourceName }),
  strict({ session: z.string().regex(/^[0-9a-f]{32}$/, { error: "32 hex digits" }) }),
], { error: "exactly one of user, role, agent, session" });
export type LockTarget = z.infer<typeof LockTargetSchema>;

export const LockResourceSchema = strict({
  kind: z.literal("lock"),
  version,
  metadata,
  spec: strict({
    target: LockTargetSchema,
    message: z.string().max(256).optional(),
    expires: timestamp.optional(),
  }),
});

/** Which app a public address is for, whoever serves the app. The address is the resource's name. */
export const PublicAddrResourceSchema = strict({
  kind: z.literal("public_addr"),
  version,
  metadata: strict({
    name: domainName,
    description: z.string().max(1024).optional(),
    revision: z.int().min(1).optional(),
  }),
  spec: strict({
    app: labelName,
    /** The id of the agent that took it on first use; absent where an administrator gave it. */
    agent: resourceName.optional(),
  }),
});

/** A cluster's resource is called as the cluster is. */
const clusterMetadata = strict({
  name: clusterName,
  description: z.string().max(1024).optional(),
  revision: z.int().min(1).optional(),
});

/** Which roles of a root's users stand for which here. */
export const RoleMapSchema = z.array(
  strict({
    /** A role there; `*` stands for any characters. */
    remote: z.string().min(1).max(63),
    local: z.array(resourceName).min(1).max(64),
  }),
).min(1).max(256);

/** On a leaf: the root whose users are let in. */
export const TrustedClusterResourceSchema = strict({
  kind: z.literal("trusted_cluster"),
  version,
  metadata: clusterMetadata,
  spec: strict({
    enabled: z.boolean().default(true),
    /** Good once, and not kept. */
    token: z.string().min(16).max(128).optional(),
    /** The root's proxy. */
    web_proxy_addr: z.string().refine((text) => parseHostPort(text, HTTPS_PORT) !== null, {
      error: "host or host:port",
    }),
    /** Of the root's host CA; without it a public authority vouches for the proxy. */
    ca_pin: caPin.optional(),
    role_map: RoleMapSchema,
  }),
});

/** On a root: a leaf that has joined. */
export const RemoteClusterResourceSchema = strict({
  kind: z.literal("remote_cluster"),
  version,
  metadata: clusterMetadata,
  spec: strict({}),
});

/** An identity provider whose users may log in. */
const OidcResourceSchema = strict({
  kind: z.literal("oidc"),
  version,
  metadata: strict({
    name: labelName.refine((name) => name !== "local", {
      error: "another name: local is the cluster's own passwords",
    }),
    description: z.string().max(1024).optional(),
    revision: z.int().min(1).optional(),
  }),
  spec: OidcSpecSchema,
});

const ResourceSchema = z.discriminatedUnion("kind", [
  VnetConfigResourceSchema,
  RoleResourceSchema,
  UserResourceSchema,
  LockResourceSchema,
  PublicAddrResourceSchema,
  TrustedClusterResourceSchema,
  RemoteClusterResourceSchema,
  OidcResourceSchema,
]);

export type VnetConfigResource = z.infer<typeof VnetConfigResourceSchema>;
export type RoleResource = z.infer<typeof RoleResourceSchema>;
export type UserResource = z.infer<typeof UserResourceSchema>;
export type LockResource = z.infer<typeof LockResourceSchema>;
export type PublicAddrResource = z.infer<typeof PublicAddrResourceSchema>;
export type RemoteClusterResource = z.infer<typeof RemoteClusterResourceSchema>;
export type TrustedClusterResource = z.infer<typeof TrustedClusterResourceSchema>;
export type OidcResource = z.infer<typeof OidcResourceSchema>;
export type Resource = z.infer<typeof ResourceSchema>;
export type ResourceKind = Resource["kind"];

/** The kinds `vnet ctl get` and `rm` know, sorted. */
export const RESOURCE_KINDS: readonly ResourceKind[] = [
  "lock",
  "oidc",
  "public_addr",
  "remote_cluster",
  "role",
  "trusted_cluster",
  "user",
  "vnet_config",
];

/** What a cluster starts with, before anybody says otherwise. */
export const DEFAULT_VNET_CONFIG: VnetConfigResource = {
  kind: "vnet_config",
  version: "v1",
  metadata: { name: "vnet-config" },
  spec: { ipv4_cidr_range: DEFAULT_RANGE, custom_dns_zones: [] },
};

/** One document of a file of resources. */
export interface ResourceDocument {
  /** With mistakes whose paths say which document it is, if there are several. */
  readonly checked: Checked<Resource>;
  /** What it names, as far as it can be told; `null` if it cannot. */
  readonly named: { readonly kind: string; readonly name: string } | null;
  /** Words a mistake that somebody else found in it. */
  readonly mistake: (path: KeyPath, found: string, expected: string) => ConfigMistake;
}

/**
 * Reads a YAML or JSON text of one resource or several.
 *
 * @throws {ConfigError} With every mistake in every document.
 *
 * @example
 * ```ts
 * import { equal, throws } from "node:assert/strict";
 * import { parseResources } from "./resource.ts";
 *
 * const [role] = parseResources(
 *   "{ kind: role, version: v1, metadata: { name: dev }, spec: { allow: { app_labels: { env: dev } } } }",
 *   "role.yaml",
 * );
 * equal(role?.metadata.name, "dev");
 * throws(() => parseResources("{ kind: role, version: v9 }", "role.yaml"), /role\.yaml/);
 * ```
 */
export function parseResources(text: string, file: string): Resource[] {
  const checked = readResources(text, file).map((document) => document.checked);
  const mistakes = checked.flatMap((one) => one.kind === "bad" ? one.mistakes : []);
  if (mistakes.length > 0) throw new ConfigError(file, mistakes);
  return checked.flatMap((one) => one.kind === "good" ? [one.value] : []);
}

/**
 * Reads a YAML or JSON text of one resource or several, each for itself.
 *
 * @throws {ConfigError} When the text is no YAML, or has no document.
 */
export function readResources(text: string, file: string): ResourceDocument[] {
  const documents = parseYaml(text, file);
  if (documents.length === 0) {
    throw new ConfigError(file, [{ path: "", found: "nothing", expected: "a resource" }]);
  }
  return documents.map(({ value, lineOf }, i) => {
    const index = documents.length > 1 ? i : null;
    const checked = checkValue(ResourceSchema, value, lineOf);
    return {
      named: namedIn(value),
      checked: checked.kind === "good"
        ? checked
        : { kind: "bad", mistakes: checked.mistakes.map((one) => inDocument(one, index)) },
      mistake: (path, found, expected) => {
        const line = lineOf(path);
        const where = line === null ? found : `${found} (line ${line})`;
        return inDocument({ path: formatPath(path), found: where, expected }, index);
      },
    };
  });
}

function namedIn(value: unknown): ResourceDocument["named"] {
  const Named = z.object({ kind: z.string(), metadata: z.object({ name: z.string() }) });
  const { data } = Named.safeParse(value);
  return data === undefined ? null : { kind: data.kind, name: data.metadata.name };
}

/**
 * Checks one resource that is already a value, for example out of a request or the store.
 *
 * @throws {ConfigError} With every mistake.
 */
export function checkResource(value: unknown, file: string): Resource {
  const checked = checkValue(ResourceSchema, value, NO_LINES);
  if (checked.kind === "bad") throw new ConfigError(file, checked.mistakes);
  return checked.value;
}

const NO_LINES: LineOf = () => null;

/** With several documents in a file, a path begins with which. */
function inDocument(mistake: ConfigMistake, index: number | null): ConfigMistake {
  if (index === null) return mistake;
  const dot = mistake.path === "" || mistake.path.startsWith("[") ? "" : ".";
  return { ...mistake, path: `(document ${index + 1})${dot}${mistake.path}` };
}

/** What is said of a user, for `{{claims.NAME}}` in roles. It is in their certificates, so it is short. */
function claimsOfUser() {
  const name = /^[A-Za-z0-9_-]{1,64}$/;
  const values = oneOrMore(
    z.string({ error: "a text" }).min(1).max(256),
    "a text or a list of texts",
  );
  return z.record(
    z.string().regex(name, { error: NAME_WORDS }) as z.ZodType<string, string>,
    values,
  )
    .refine((claims) => JSON.stringify(claims).length <= MAX_CLAIMS_LENGTH, {
      error: `at most ${MAX_CLAIMS_LENGTH} characters in all`,
    });
}

/** Nobody may take a name like "com" or "co.uk" from everybody else on a machine. */
function zoneSuffix() {
  const taken = (suffix: string) =>
    getPublicSuffix(suffix, { allowPrivateDomains: true }) === suffix;
  return domainName.refine((suffix) => !taken(suffix), {
    error: "a zone that is not a public suffix",
  });
}
