/**
 * What becomes of resources that are put together, decided before the first is written: every one is held against
 * what is there and against the others.
 *
 * @module
 */
import { checkResource, type LockTarget, type Resource } from "../../../config/mod.ts";
import type { StoredResource } from "../../store/mod.ts";

/** What was there before. */
export interface Held {
  /** By {@link keyOf}. */
  readonly resources: ReadonlyMap<string, StoredResource>;
  readonly agentIds: readonly string[];
  /** Logins and what was drawn from them. */
  readonly sessionIds: readonly string[];
  /** The names of the proxies themselves. */
  readonly proxyHosts: readonly string[];
  /** Clusters that have joined as leaves. */
  readonly leaves: readonly string[];
  /** Users who come from an identity provider. */
  readonly guests: readonly string[];
}

export interface PutOptions {
  /** Whatever is there may be replaced. */
  readonly replace: boolean;
  /** A lock may name somebody who is not there. */
  readonly anybody: boolean;
  /** What the file names beside the resources: its documents that have mistakes of their own. */
  readonly alsoNamed: readonly { readonly kind: string; readonly name: string }[];
}

export type Outcome = "created" | "replaced" | "unchanged";

/** A resource that can be written. */
export interface Draft {
  readonly resource: Resource;
  readonly outcome: Outcome;
  /** What must be there when it is written, 0 for nothing. */
  readonly expectedRevision: number;
}

export interface PutMistake {
  readonly code: "resource-exists" | "resource-changed" | "resource-invalid";
  /** Which of the resources. */
  readonly index: number;
  readonly path: readonly (string | number)[];
  readonly found: string;
  readonly expected: string;
  /** The mistake as a sentence. */
  readonly message: string;
}

/** Names shown of those there are. */
const SHOWN = 8;

/** Plans to put resources. With any mistake, none of the drafts may be written. */
export function planPuts(
  resources: readonly Resource[],
  held: Held,
  options: PutOptions,
): { readonly drafts: readonly Draft[]; readonly mistakes: readonly PutMistake[] } {
  const names = namesAfter(resources, held, options.alsoNamed);
  const seen = new Set<string>();
  const mistakes: PutMistake[] = [];
  const drafts: Draft[] = [];
  resources.forEach((resource, index) => {
    const key = keyOf(resource.kind, resource.metadata.name);
    const before = held.resources.get(key) ?? null;
    const draft: Draft = {
      resource,
      outcome: outcomeOf(resource, before),
      expectedRevision: before?.revision ?? 0,
    };
    drafts.push(draft);
    if (seen.has(key)) mistakes.push(twice(resource, index));
    seen.add(key);
    if (draft.outcome === "unchanged") return;
    const conflict = conflictOf(resource, before, options.replace);
    if (conflict !== null) mistakes.push({ ...conflict, index });
    mistakes.push(
      ...danglingOf(resource, names, options.anybody).map((one) => ({ ...one, index })),
    );
  });
  return { drafts, mistakes };
}

/** What a resource is found by. */
export function keyOf(kind: string, name: string): string {
  return `${kind}/${name}`;
}

/** The text that is kept of a resource, without its revision. */
export function bodyOf(resource: Resource): string {
  const { revision: _, ...metadata } = resource.metadata;
  return JSON.stringify({ ...resource, metadata });
}

type Names = Readonly<
  Record<"user" | "role" | "agent" | "session" | "proxy" | "leaf", ReadonlySet<string>>
>;
type Found = Omit<PutMistake, "index">;

function namesAfter(
  resources: readonly Resource[],
  held: Held,
  alsoNamed: PutOptions["alsoNamed"],
): Names {
  const named = [
    ...held.resources.values(),
    ...alsoNamed,
    ...resources.map(({ kind, metadata }) => ({ kind, name: metadata.name })),
  ];
  const ofKind = (wanted: string) =>
    new Set(named.filter(({ kind }) => kind === wanted).map(({ name }) => name).sort());
  return {
    user: new Set([...ofKind("user"), ...held.guests].sort()),
    role: ofKind("role"),
    agent: new Set(held.agentIds),
    session: new Set(held.sessionIds),
    leaf: new Set(held.leaves),
    proxy: new Set(held.proxyHosts),
  };
}

function outcomeOf(resource: Resource, before: StoredResource | null): Outcome {
  if (before === null) return "created";
  // As it is shown, defaults and all: what is shown may be put again
  const shown = checkResource(JSON.parse(before.body), keyOf(before.kind, before.name));
  const isSame = canonical(JSON.parse(bodyOf(shown))) === canonical(JSON.parse(bodyOf(resource)));
  return isSame ? "unchanged" : "replaced";
}

/** The same text for values that differ in the order of keys only. */
function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, inner) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1))
        : inner,
  );
}

function twice({ kind, metadata: { name } }: Resource, index: number): PutMistake {
  return {
    code: "resource-invalid",
    index,
    path: ["metadata", "name"],
    found: `${kind} "${name}" a second time`,
    expected: "each resource once in a file",
    message: `The ${kind} "${name}" stands there twice`,
  };
}

function conflictOf(
  { kind, metadata: { name, revision } }: Resource,
  before: StoredResource | null,
  replace: boolean,
): Found | null {
  if (revision !== undefined) {
    if (revision === before?.revision) return null;
    return {
      code: "resource-changed",
      path: ["metadata", "revision"],
      found: `revision ${revision}`,
      expected: before === null
        ? `no revision: the ${kind} "${name}" was removed`
        : `revision ${before.revision}: somebody else changed the ${kind} "${name}"`,
      message: before === null
        ? `Somebody else removed ${kind} "${name}"`
        : `Somebody else changed ${kind} "${name}"`,
    };
  }
  // The one configuration there is always replaces the one before
  if (before === null || replace || kind === "vnet_config") return null;
  return {
    code: "resource-exists",
    path: ["metadata", "name"],
    found: `"${name}", which is another ${kind} already`,
    expected: "a name that is free, or --force to replace what is there",
    message: `There is a ${kind} "${name}" already, and it differs`,
  };
}

/** Names in a resource that nobody has. */
function danglingOf(resource: Resource, names: Names, anybody: boolean): Found[] {
  switch (resource.kind) {
    case "user": {
      return resource.spec.roles.flatMap((role, i): Found[] =>
        names.role.has(role) ? [] : [missing("role", role, ["spec", "roles", i], names)]
      );
    }
    case "lock": {
      const [kind, name] = targetOf(resource.spec.target);
      if (anybody || names[kind].has(name)) return [];
      return [missing(kind, name, ["spec", "target", kind], names)];
    }
    case "public_addr": {
      const { name } = resource.metadata;
      if (!names.proxy.has(name)) return [];
      return [{
        code: "resource-invalid",
        path: ["metadata", "name"],
        found: `"${name}"`,
        expected: "another name: this one is the proxy's own",
        message: `"${name}" is the proxy's own name`,
      }];
    }
    case "trusted_cluster":
      return resource.spec.role_map.flatMap(({ local }, row) =>
        local.flatMap((role, i): Found[] =>
          names.role.has(role)
            ? []
            : [missing("role", role, ["spec", "role_map", row, "local", i], names)]
        )
      );
    case "remote_cluster": {
      const { name } = resource.metadata;
      if (names.leaf.has(name)) return [];
      return [missing("leaf", name, ["metadata", "name"], names)];
    }
    case "oidc":
      return resource.spec.claims_to_roles.flatMap(({ roles }, row) =>
        roles.flatMap((role, i): Found[] =>
          names.role.has(role)
            ? []
            : [missing("role", role, ["spec", "claims_to_roles", row, "roles", i], names)]
        )
      );
    case "role":
    case "vnet_config":
      return [];
  }
}

/** Whom a lock is for. */
export function targetOf(
  target: LockTarget,
): readonly [kind: "user" | "role" | "agent" | "session", name: string] {
  if ("user" in target) return ["user", target.user];
  if ("role" in target) return ["role", target.role];
  return "agent" in target ? ["agent", target.agent] : ["session", target.session];
}

function missing(kind: keyof Names, name: string, path: Found["path"], names: Names): Found {
  const there = [...names[kind]];
  const shown = there.length === 0 ? "there is none" : [
    ...there.slice(0, SHOWN),
    ...(there.length > SHOWN ? [`${there.length - SHOWN} more`] : []),
  ].join(", ");
  return {
    code: "resource-invalid",
    path,
    found: `"${name}"`,
    expected: `a ${kind} that exists: ${shown}`,
    message: `There is no ${kind} "${name}"`,
  };
}
