/**
 * What an auth service stands on: its directory, store, authorities and first resources.
 *
 * @module
 */
import { join } from "node:path";
import { DEFAULT_VNET_CONFIG, type RoleResource } from "../../config/mod.ts";
import { ConfigError } from "../../error.ts";
import {
  type Authority,
  type AuthorityKind,
  ensurePrivateDirectory,
  issueAuthority,
  loadAuthority,
  randomHex,
} from "../../io/mod.ts";
import { openStore, type Store } from "../store/mod.ts";
import { Agents } from "./agents/agents.ts";
import { AppHolders } from "./agents/app_holders.ts";
import { PublicAddrs } from "./agents/public_addrs.ts";
import { Returning } from "./agents/returning.ts";
import { StoreAudit } from "./audit/audit.ts";
import { Changes } from "./changes.ts";
import { Directory } from "./directory.ts";
import { FailureAudit } from "./login/failure_audit.ts";
import { PasswordHasher } from "./login/password.ts";
import { GuestBook } from "./oidc/guests.ts";
import type { AuthOptions } from "./types.ts";

/** A role every cluster begins with; nobody has it until it is given. */
const ACCESS_ROLE: RoleResource = {
  kind: "role",
  version: "v1",
  metadata: { name: "access", description: "Every app" },
  spec: { allow: { app_labels: { "*": "*" } }, deny: {}, options: {} },
};

/** Everything the parts share, made once. */
export interface Parts {
  readonly options: AuthOptions;
  readonly store: Store;
  readonly audit: StoreAudit;
  readonly failures: FailureAudit;
  readonly directory: Directory;
  readonly changes: Changes;
  readonly events: Changes;
  readonly agents: Agents;
  readonly addrs: PublicAddrs;
  readonly holders: AppHolders;
  readonly hasher: PasswordHasher;
  readonly userCa: Authority;
  readonly hostCa: Authority;
  readonly ticketKey: Uint8Array;
}

/**
 * Opens the data directory, creating authorities and first resources where there are none.
 *
 * @throws {OsError} What `openStore` throws, and `directory-unusable`.
 * @throws {ConfigError} When the store belongs to another cluster.
 */
export async function openParts(options: AuthOptions): Promise<Parts> {
  const { dataDir, clusterName: cluster, nowMs } = options;
  await ensurePrivateDirectory(dataDir);
  const store = await openStore(options.store ?? { postgres: null }, dataDir);
  try {
    await checkCluster(store, options);
    await store.prune(nowMs());
    const changes = new Changes();
    const events = new Changes();
    const audit = new StoreAudit({ store, path: join(dataDir, "audit.jsonl"), cluster, nowMs });
    audit.onWritten = () => events.notify();
    await addFirstResources(store);
    const guests = await GuestBook.load(store, nowMs());
    const directory = await Directory.load({ store, changes, guests });
    const addrs = new PublicAddrs(options.proxyPublicAddrs, () => directory.publicAddrs);
    const holders = new AppHolders();
    const joined = await store.agents.list();
    holders.load(joined);
    const returning = new Returning({ cluster, nowMs }, joined);
    const ticketKey = await store.settings.setOnce("ticket_key", randomHex(32));
    return {
      options,
      store,
      audit,
      failures: new FailureAudit({ audit, nowMs }),
      changes,
      events,
      directory,
      addrs,
      holders,
      agents: new Agents({ cluster, addrs, holders, returning, changes, nowMs }),
      hasher: PasswordHasher.create(options.passwordCost),
      userCa: await openAuthority(store, { cluster, kind: "user" }, nowMs()),
      hostCa: await openAuthority(store, { cluster, kind: "host" }, nowMs()),
      ticketKey: Uint8Array.fromHex(ticketKey),
    };
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** A store belongs to the cluster that made it. */
async function checkCluster(
  store: Store,
  { clusterName: cluster, dataDir, store: place }: AuthOptions,
): Promise<void> {
  const held = await store.settings.setOnce("cluster_name", cluster);
  if (held === cluster) return;
  const postgres = place?.postgres ?? null;
  const what = postgres === null ? "data_dir" : "database";
  throw new ConfigError(postgres === null ? dataDir : postgres.database, [{
    path: "cluster_name",
    found: `"${cluster}"`,
    expected: `"${held}", the cluster this ${what} belongs to`,
  }], { hint: `Name the cluster as before, or take an empty ${what}` });
}

async function addFirstResources(store: Store): Promise<void> {
  if ((await store.resources.list(null)).length > 0) return;
  for (const resource of [ACCESS_ROLE, DEFAULT_VNET_CONFIG]) {
    const { kind, metadata: { name } } = resource;
    await store.resources.put({ kind, name, body: JSON.stringify(resource) }, 0);
  }
}

async function openAuthority(
  store: Store,
  fields: { readonly cluster: string; readonly kind: AuthorityKind },
  nowMs: number,
): Promise<Authority> {
  let [kept] = await store.authorities.list(fields.kind);
  if (kept === undefined) {
    await store.authorities.addFirst({ kind: fields.kind, ...await issueAuthority(fields, nowMs) });
    [kept] = await store.authorities.list(fields.kind);
  }
  if (kept === undefined) throw new TypeError("The store did not keep an authority");
  return await loadAuthority(kept);
}
