import {
  checkResource,
  type HostPort,
  type LockResource,
  type LockTarget,
  type Resource,
  type TrustedClusterResource,
} from "../../../config/mod.ts";
import type { Store } from "../../store/mod.ts";
import { refusal } from "../api/refusals.ts";
import { type Directory, toResource } from "../directory.ts";
import { leafId } from "../trust/leaves.ts";
import type { AuditEvent, AuditLog, ShutOut } from "../types.ts";
import { bodyOf, type Draft, keyOf, planPuts, type PutMistake } from "./put_plan.ts";
import type { AdminArguments, AdminResponse } from "./shapes.ts";

export interface ResourceDeskOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly audit: AuditLog;
  readonly proxies: readonly HostPort[];
  readonly nowMs: () => number;
  readonly onLock: (target: LockTarget, reason: ShutOut) => void;
  readonly onReview: () => void;
  /** Ends what a user has open, who is gone. */
  readonly endUser: (name: string) => Promise<void>;
  /** Becomes a leaf of a root, unless it is one. @returns Whether it was none. */
  readonly joinRoot: (resource: TrustedClusterResource, token: string | null) => Promise<boolean>;
  readonly leaveRoot: (name: string) => Promise<void>;
  /** A leaf is none from here on. */
  readonly onLeafRemoved: (name: string) => void;
}

interface Written {
  readonly draft: Draft;
  readonly revision: number;
}

/** Writes, shows and removes resources. */
export class ResourceDesk {
  readonly #options: ResourceDeskOptions;

  constructor(options: ResourceDeskOptions) {
    this.#options = options;
  }

  /**
   * Creates a resource, or with `replace` puts it in the place of one. A `revision` in its metadata must be the one
   * that is there. One that is there as it is stays, and nothing is recorded.
   *
   * @throws {AuthError} `resource-exists`, `resource-changed`, `resource-invalid`.
   * @throws {ConfigError} With every mistake.
   */
  async put(
    value: unknown,
    how: { readonly replace: boolean; readonly anybody?: boolean },
  ): Promise<Resource> {
    const { resource, tokens } = withoutToken(checkResource(value, nameIn(value)));
    const { kind, metadata: { name, revision } } = resource;
    const { drafts, mistakes: [mistake] } = await this.#plan([resource], how);
    if (mistake !== undefined) throw refusalOf(mistake);
    const isTaken = drafts[0]?.outcome === "unchanged" && !how.replace && revision === undefined;
    if (isTaken && kind !== "vnet_config") throw taken(kind, name);
    const [put] = await this.#trusting(drafts, new Map(tokens));
    return { ...resource, metadata: { ...resource.metadata, revision: put?.revision } } as Resource;
  }

  /** Puts resources, all of them or, with any mistake, none. What is there as it is stays, and is not recorded. */
  async apply(
    request: AdminArguments<"resources.apply">,
  ): Promise<AdminResponse<"resources.apply">> {
    const given = request.resources.map((value) =>
      withoutToken(checkResource(value, nameIn(value)))
    );
    const resources = given.map(({ resource }) => resource);
    const { replace, also_named: alsoNamed } = request;
    // Who says --force means it, whomever a lock is for
    const how = { replace, anybody: replace, alsoNamed };
    const { drafts, mistakes } = await this.#plan(resources, how);
    if (mistakes.length > 0) {
      return { results: [], mistakes: mistakes.map((one) => ({ ...one, path: [...one.path] })) };
    }
    if (request.check_only) return { results: [], mistakes: [] };
    const written = await this.#trusting(drafts, new Map(given.flatMap(({ tokens }) => tokens)));
    return {
      mistakes: [],
      results: written.map((
        { draft: { resource: { kind, metadata: { name } }, outcome }, revision },
      ) => ({
        kind,
        name,
        outcome,
        revision,
      })),
    };
  }

  /** @returns Those of a kind, sorted by name. @throws {AuthError} `not-found` if one is named and not there. */
  async get(
    { kind, name }: AdminArguments<"resources.get">,
  ): Promise<AdminResponse<"resources.get">> {
    const { resources } = this.#options.store;
    if (name === undefined) return { resources: (await resources.list(kind)).map(toResource) };
    const one = await resources.get(kind, name);
    if (one === null) throw notFound(kind, name);
    return { resources: [toResource(one)] };
  }

  /** @throws {AuthError} `not-found`, `resource-in-use`. */
  async remove(kind: Resource["kind"], name: string): Promise<void> {
    const { store, directory, audit } = this.#options;
    if (kind === "vnet_config") {
      throw refusal("resource-in-use", {
        message: "The cluster always has a vnet_config",
        hint: "Replace it instead",
      });
    }
    if (kind === "role") this.#refuseUsedRole(name);
    if (await store.resources.get(kind, name) === null) throw notFound(kind, name);
    await audit.write({ event: "resource.removed", kind, name });
    if (kind === "user") {
      // The user goes last: what fails on the way can be repeated
      await store.credentials.remove(name);
      await this.#options.endUser(name);
    }
    await store.resources.remove(kind, name);
    if (kind === "trusted_cluster") await this.#options.leaveRoot(name);
    if (kind === "remote_cluster") await store.trusts.remove(name);
    if (kind === "oidc") {
      const guests = await store.guests.listLive(this.#options.nowMs());
      const users = new Set(
        guests.filter(({ connector }) => connector === name).map(({ user }) => user),
      );
      for (const user of users) await this.#options.endUser(user);
    }
    await directory.reload();
    if (kind === "remote_cluster") this.#options.onLeafRemoved(name);
    this.#options.onReview();
  }

  /**
   * Writes what differs, as {@link #write}. A cluster that is to be trusted is met first: what cannot be had is not
   * written, and one that was met for what is not written is not trusted.
   */
  async #trusting(
    drafts: readonly Draft[],
    tokens: ReadonlyMap<string, string>,
  ): Promise<readonly Written[]> {
    const { joinRoot, leaveRoot, directory } = this.#options;
    const joined: string[] = [];
    try {
      for (const { resource } of drafts) {
        if (resource.kind !== "trusted_cluster") continue;
        const { name } = resource.metadata;
        if (await joinRoot(resource, tokens.get(name) ?? null)) joined.push(name);
      }
      return await this.#write(drafts);
    } catch (thrown) {
      for (const name of joined) await leaveRoot(name);
      if (joined.length > 0) await directory.reload();
      throw thrown;
    }
  }

  #tellLock({ spec: { target, expires } }: LockResource): void {
    const { nowMs, onLock } = this.#options;
    if (expires === undefined || nowMs() < Date.parse(expires)) onLock(target, "access-locked");
  }

  async #plan(
    resources: readonly Resource[],
    how: { readonly replace: boolean; readonly anybody?: boolean } & {
      readonly alsoNamed?: readonly { readonly kind: string; readonly name: string }[];
    },
  ): Promise<ReturnType<typeof planPuts>> {
    const { store, directory, nowMs } = this.#options;
    const held = await store.resources.list(null);
    const leaves = [...this.#options.directory.trusts.values()]
      .filter(({ side }) => side === "leaf").map(({ cluster }) => cluster);
    return planPuts(resources, {
      resources: new Map(held.map((one) => [keyOf(one.kind, one.name), one])),
      agentIds: [...(await store.agents.list()).map(({ id }) => id), ...leaves.map(leafId)],
      sessionIds: (await store.sessions.listLive(nowMs())).map(({ id }) => id),
      proxyHosts: this.#options.proxies.map(({ host }) => host),
      leaves,
      guests: directory.guests.names(),
    }, { anybody: false, alsoNamed: [], ...how });
  }

  /** Records and writes what differs, all or nothing. */
  async #write(
    drafts: readonly Draft[],
  ): Promise<readonly Written[]> {
    const { store, directory, audit, onReview } = this.#options;
    const changed = drafts.filter(({ outcome }) => outcome !== "unchanged");
    await Promise.all(changed.map(({ resource }) =>
      audit.write({
        event: "resource.put",
        kind: resource.kind,
        name: resource.metadata.name,
        ...detailOf(resource),
      })
    ));
    const revisions = await store.resources.putAll(
      changed.map(({ resource, expectedRevision }) => ({
        resource: {
          kind: resource.kind,
          name: resource.metadata.name,
          body: bodyOf(resource),
        },
        expectedRevision,
      })),
    );
    if (revisions === null) {
      throw refusal("resource-changed", {
        message: "Somebody else changed one of the resources at this very moment",
        hint: "Repeat it",
      });
    }
    if (changed.length > 0) {
      await directory.reload();
      for (const { resource } of changed) if (resource.kind === "lock") this.#tellLock(resource);
      for (const { resource, outcome } of changed) {
        if (resource.kind !== "user" || outcome !== "created") continue;
        // Whoever had the name by an identity provider, at whichever server, has it no more
        await this.#options.endUser(resource.metadata.name);
      }
      onReview();
    }
    const written = new Map(changed.map((draft, i) => [draft, revisions[i]!]));
    return drafts.map((draft) => ({
      draft,
      revision: written.get(draft) ?? draft.expectedRevision,
    }));
  }

  #refuseMappedRole(role: string): void {
    for (const [name, { spec }] of this.#options.directory.connectors) {
      if (!spec.claims_to_roles.some(({ roles }) => roles.includes(role))) continue;
      throw refusal("resource-in-use", {
        message: `The role "${role}" is given by claims_to_roles of oidc/${name}`,
        hint: `Take it out first: \`vnet ctl edit oidc/${name}\``,
      });
    }
  }

  #refuseUsedRole(role: string): void {
    const root = this.#options.directory.trustedClusters.find(({ spec }) =>
      spec.role_map.some(({ local }) => local.includes(role))
    );
    if (root !== undefined) {
      throw refusal("resource-in-use", {
        message: `The role "${role}" is in the role_map of trusted_cluster/${root.metadata.name}`,
        hint: `Take it out first: \`vnet ctl edit trusted_cluster/${root.metadata.name}\``,
      });
    }
    const users = [...this.#options.directory.users].filter(([, roles]) => roles.includes(role));
    if (users.length === 0) return this.#refuseMappedRole(role);
    const names = users.map(([name]) => name).sort();
    const more = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : "";
    throw refusal("resource-in-use", {
      message: `The role "${role}" is held by ${names.slice(0, SHOWN_NAMES).join(", ")}${more}`,
      hint: `Take it from them first: \`vnet ctl edit user/${names[0]}\``,
    });
  }
}

/** A token is used at once and never kept. */
function withoutToken(
  resource: Resource,
): { readonly resource: Resource; readonly tokens: readonly (readonly [string, string])[] } {
  if (resource.kind !== "trusted_cluster") return { resource, tokens: [] };
  const { token, ...spec } = resource.spec;
  return {
    resource: { ...resource, spec },
    tokens: token === undefined ? [] : [[resource.metadata.name, token]],
  };
}

/** What the audit log says of a resource beside its name. */
function detailOf(resource: Resource): Pick<AuditEvent, "target" | "roles" | "app"> {
  switch (resource.kind) {
    case "lock":
      return { target: Object.entries(resource.spec.target).flat().join("/") };
    case "user":
      return { roles: resource.spec.roles };
    case "public_addr":
      return { app: resource.spec.app };
    case "trusted_cluster":
    case "remote_cluster":
    case "oidc":
    case "role":
    case "vnet_config":
      return {};
  }
}

/** Makes the refusal of what is not there, with where to look. */
export function notFound(kind: string, name: string): Error {
  const list = kind === "token" || kind === "agent" ? `${kind}s ls` : `get ${kind}s`;
  return refusal("not-found", {
    message: `There is no ${kind} "${name}"`,
    hint: `\`vnet ctl ${list}\` shows what there is`,
  });
}

function taken(kind: string, name: string): Error {
  return refusal("resource-exists", {
    message: `There is a ${kind} "${name}" already`,
    hint: "`vnet ctl create --force FILE` replaces what is there",
  });
}

function refusalOf({ code, path, message }: PutMistake): Error {
  const hints = {
    "resource-exists": "`vnet ctl create --force FILE` replaces what is there",
    "resource-changed": "Get it again and repeat your change",
    "resource-invalid": path[1] === "target"
      ? "Check the name; --force locks it all the same, for whoever comes with it"
      : "`vnet ctl get roles` shows the roles",
  };
  return refusal(code, { message, hint: hints[code] });
}

/** What a mistake in a value is reported of. */
function nameIn(value: unknown): string {
  const { kind, metadata } = (value ?? {}) as {
    readonly kind?: unknown;
    readonly metadata?: { readonly name?: unknown };
  };
  return `${String(kind)}/${String(metadata?.name)}`;
}

/** Names told of those that stand in the way. */
const SHOWN_NAMES = 5;
