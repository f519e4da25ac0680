import { parseHostPort, type TrustedClusterResource } from "../../../config/mod.ts";
import { describeError } from "../../../error.ts";
import {
  decideAccess,
  homeOf,
  isLocked,
  isPrincipalName,
  mapRoles,
  userHere,
} from "../../../identity/mod.ts";
import {
  appId,
  type Authority,
  dialTcp,
  generateKeyPair,
  HttpClient,
  importPublicKey,
  parseCertificate,
  type ServerSettings,
} from "../../../io/mod.ts";
import { getLogger } from "../../../log.ts";
import {
  type AgentApp,
  type FlowEvent,
  type ForeignRight,
  type LeafFacts,
  LeafRenewResponseSchema,
  MAX_TRUSTED_CLUSTERS,
} from "../../../wire/mod.ts";
import type { Store } from "../../store/mod.ts";
import type { Agents } from "../agents/agents.ts";
import { type ApiRefusalCode, isApiRefusal } from "../../../refusal/mod.ts";
import { refusal } from "../api/refusals.ts";
import type { Directory } from "../directory.ts";
import type { AuditLog, Denial, TicketHolder } from "../types.ts";
import { readLeafCertificate, trustRefused } from "./authorities.ts";
import { type RootReport, WaitingEnds } from "./ends.ts";
import { checkPin, exchangeTrust } from "./exchange.ts";
import { ForeignRights } from "./foreign_rights.ts";
import { knownPins } from "./leaf_joins.ts";

const log = getLogger("server", "auth");

interface RootsOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly agents: Agents;
  readonly audit: AuditLog;
  readonly userCa: Authority;
  readonly hostCa: Authority;
  readonly cluster: string;
  readonly proxies: readonly string[];
  readonly nowMs: () => number;
}

/** A root as its leaf reaches it. */
export interface RootLink {
  readonly cluster: string;
  readonly settings: ServerSettings;
  /** Another text when the link has to be made anew. */
  readonly key: string;
  readonly expiresMs: number;
  readonly beginsMs: number;
}

/** The roots of this cluster: whose users come here, what they may, and how the roots are reached. */
export class Roots {
  readonly #options: RootsOptions;
  readonly #rights = new ForeignRights();
  readonly #ends = new WaitingEnds();
  readonly #reports = new Map<string, RootReport>();

  constructor(options: RootsOptions) {
    this.#options = options;
  }

  /**
   * Becomes a leaf of a root, unless it is one.
   *
   * @param token What the root gave; `null` for none.
   * @returns Whether it was none before.
   * @throws {AuthError} `trust-refused`, and the root's refusal; a token or a pin for a root that is trusted already.
   */
  async join(
    { metadata: { name }, spec }: TrustedClusterResource,
    token: string | null,
  ): Promise<boolean> {
    const { store, directory, audit, cluster, userCa, hostCa, nowMs } = this.#options;
    if (name === cluster) throw trustRefused("it is called as this one");
    const held = await store.trusts.get(name);
    if (held?.side === "leaf") throw trustRefused(`"${name}" is a leaf of this cluster`);
    const isKept = directory.trustedClusters.some(({ metadata }) => metadata.name === name);
    if (held !== null && isKept) {
      if (token !== null) {
        throw refusal("trust-refused", {
          message: `"${name}" is trusted already: a token is for one that is not`,
          hint: `Take it out of the file, or \`vnet ctl rm trusted_cluster/${name}\` first`,
        });
      }
      checkPin(spec.ca_pin, held.hostCaPems.flatMap((pem) => parseCertificate(pem)?.pin ?? []));
      return false;
    }
    if (token === null) {
      throw refusal("trust-refused", {
        message: `Cannot trust "${name}": the file has no token`,
        hint: "Make one with `vnet ctl tokens add --type trusted_cluster` on the root",
      });
    }
    if (held !== null) await this.leave(name); // Left by a write that was cut short
    await directory.reload();
    const roots = [...directory.trusts.values()].filter(({ side }) => side === "root");
    if (roots.length >= MAX_TRUSTED_CLUSTERS) {
      throw trustRefused(`this cluster has ${roots.length} roots, and takes no more`);
    }
    const known = knownPins([userCa, hostCa], directory);
    const trust = await exchangeTrust({ root: name, spec, token, cluster, hostCa, known, nowMs });
    await audit.write({ event: "root.trusted", name });
    if (!await store.trusts.addNew(trust)) throw trustRefused("it was added at this very moment");
    await directory.reload();
    return true;
  }

  /** Forgets a root. */
  async leave(name: string): Promise<void> {
    const { store } = this.#options;
    if ((await store.trusts.get(name))?.side === "root") await store.trusts.remove(name);
    this.#rights.forget(name);
    this.#ends.forget(name);
  }

  /** The roots to be connected to. */
  links(): readonly RootLink[] {
    const { directory, nowMs } = this.#options;
    return directory.roots().flatMap(({ trust, resource }): RootLink[] => {
      const { identity, hostCaPems: pems, cluster } = trust;
      const server = parseHostPort(resource.spec.web_proxy_addr, 443);
      const certificate = identity === null ? null : parseCertificate(identity.certificatePem);
      if (identity === null || server === null || certificate === null) return [];
      const orPublic = resource.spec.ca_pin === undefined;
      return [{
        cluster,
        settings: {
          server,
          trust: { kind: "authorities", pems, orPublic },
          identity,
          dial: dialTcp,
          nowMs,
        },
        key: JSON.stringify([server, orPublic, certificate.serial]),
        beginsMs: certificate.validity.notBeforeMs,
        expiresMs: certificate.validity.notAfterMs,
      }];
    });
  }

  /** Takes another certificate at a root. @throws what the way to it throws */
  async renew({ cluster, settings }: RootLink, signal: AbortSignal): Promise<void> {
    const { store, directory, nowMs } = this.#options;
    const trust = await store.trusts.get(cluster);
    const before = settings.identity?.certificatePem ?? "";
    const keys = await generateKeyPair();
    const publicKey = await importPublicKey(keys.publicKeyPem);
    if (publicKey === null || trust === null) throw trustRefused("it is trusted no more");
    using http = new HttpClient(settings);
    const answer = await http.request({
      method: "POST",
      path: "/v1/leaf/renew",
      schema: LeafRenewResponseSchema,
      body: { public_key: keys.publicKeyPem },
    }, signal);
    if (answer.kind !== "value") throw new TypeError("A POST is never answered with 304");
    const { certificate: certificatePem } = answer.value;
    await readLeafCertificate(certificatePem, {
      authorities: trust.hostCaPems.flatMap((pem) => parseCertificate(pem) ?? []),
      root: cluster,
      publicKey,
      id: parseCertificate(before)?.principal?.name ?? "",
      nowMs: nowMs(),
    });
    const identity = { certificatePem, privateKeyPem: keys.privateKeyPem };
    if (!await store.trusts.renew(cluster, before, identity)) {
      throw trustRefused("it was trusted anew at this very moment");
    }
    await directory.reload();
  }

  /** What this cluster says of itself to a root. */
  hello(root: string): { readonly facts: LeafFacts; readonly apps: readonly AgentApp[] } | null {
    const { directory, agents, proxies } = this.#options;
    const found = directory.roots().find(({ trust }) => trust.cluster === root);
    if (found === undefined) return null;
    const { role_map } = found.resource.spec;
    const named = new Set(role_map.flatMap(({ local }) => local));
    const roles = directory.roleResources.filter(({ metadata }) => named.has(metadata.name))
      .map(({ metadata, spec }) => ({ name: metadata.name, spec }));
    return {
      facts: {
        proxy_public_addrs: [...proxies],
        vnet_config: directory.vnetConfig.spec,
        role_map,
        roles,
      },
      apps: agents.apps().map(({ app: { cluster: _, app_id: _id, ...app } }) => app),
    };
  }

  /** Judges a right that a root says it gave: whether it may be used here. @returns `null` if not. */
  judge(root: string, right: ForeignRight, id: string): TicketHolder | null {
    const { cluster, nowMs } = this.#options;
    const expiresMs = Date.parse(right.expires);
    if (appId(cluster, right.app) !== id || nowMs() >= expiresMs) return null;
    if (!isPrincipalName(right.user)) return null;
    const holder = {
      appId: id,
      app: right.app,
      sessionId: right.session_id,
      loginId: right.login_id,
      user: userHere({ name: right.user, cluster: root }, cluster),
      expiresMs,
      leaf: null,
      home: { cluster: root, user: right.user, roles: right.roles },
      port: right.port,
    };
    if (this.denialOf(holder) !== null) return null;
    this.#rights.add(root, holder, nowMs());
    return holder;
  }

  /** Why a root's user may not go on; `null`: they may. */
  denialOf(
    { home, app, user, sessionId, loginId }: Pick<
      TicketHolder,
      "home" | "app" | "user" | "sessionId" | "loginId"
    >,
  ): Denial | null {
    const { directory, agents, nowMs } = this.#options;
    const found = directory.roots().find(({ trust }) => trust.cluster === home?.cluster);
    if (home === null || found === undefined) return "access-denied";
    const names = mapRoles(found.resource.spec.role_map, home.roles);
    const roles = directory.rolesNamed(names, { user, claims: {} });
    if (names.length === 0 || roles === null) return "access-denied";
    const who = { user, roles: names, sessionIds: [sessionId, loginId], agentId: null };
    if (isLocked(directory.locks(nowMs()), who, nowMs())) return "access-locked";
    const served = agents.find(app);
    return served === null || decideAccess(roles, served.app.labels).kind === "allowed"
      ? null
      : "access-denied";
  }

  /** The right that a flow's report is about; `null` if it is of no root's user. */
  rightOf({ session_id, user }: Pick<FlowEvent, "session_id" | "user">): TicketHolder | null {
    const home = homeOf(user);
    return home === null ? null : this.#rights.find(home.cluster, session_id);
  }

  /** Whether somebody is called as a user of a root that is trusted. */
  isForeign(user: string): boolean {
    const home = homeOf(user);
    return home !== null && this.#options.directory.trusts.get(home.cluster)?.side === "root";
  }

  /** While a root is connected, it is told of the flows of its users. */
  reportTo(root: string, report: RootReport | null): void {
    if (report === null) this.#reports.delete(root);
    else {
      this.#reports.set(root, report);
      void this.#ends.tell(root, report);
    }
  }

  /** Has the root of a right record that a flow begins, and judge it. @returns Why it may not, or `null`. */
  async askRoot(
    right: TicketHolder,
    event: FlowEvent,
  ): Promise<{ readonly code: ApiRefusalCode; readonly message: string } | null> {
    const report = this.#reports.get(right.home?.cluster ?? "");
    const silent = { code: "audit-unwritable", message: "The root cannot be told" } as const;
    if (report === undefined || right.home === null) return silent;
    try {
      const [refused] = await report([{ ...event, user: right.home.user }]);
      if (refused === undefined) return null;
      const code = isApiRefusal(refused.code) ? refused.code : "right-unknown";
      return { code, message: refused.message };
    } catch (thrown) {
      log.warning("Cannot tell a root of a flow", { error: describeError(thrown) });
      return silent;
    }
  }

  /** Tells a root that a flow of its user has ended: now, or when it listens again. */
  tellEnd(event: FlowEvent): void {
    const home = homeOf(event.user);
    if (home === null || !this.isForeign(event.user)) return;
    this.#ends.add(home.cluster, { ...event, user: home.name });
    this.tellEnds(home.cluster);
  }

  /** Tells a root of the ends that wait for it, if it is connected. */
  tellEnds(root: string): void {
    const report = this.#reports.get(root);
    if (report !== undefined) void this.#ends.tell(root, report);
  }
}
