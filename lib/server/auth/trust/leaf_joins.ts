import type { z } from "zod";
import type { HostPort, RemoteClusterResource } from "../../../config/mod.ts";
import type {
  LeafJoinRequest,
  LeafJoinResponse,
  LeafRenewRequestSchema,
  LeafRenewResponseSchema,
} from "../../../wire/mod.ts";
import { AuthError } from "../../../error.ts";
import {
  type Authority,
  importPublicKey,
  issueLeafCertificate,
  parseCertificate,
  randomHex,
  verifyCertificate,
} from "../../../io/mod.ts";
import { sourceOf } from "../../../ip/mod.ts";
import type { Store } from "../../store/mod.ts";
import { hashToken } from "../agents/token_hash.ts";
import { refusal } from "../api/refusals.ts";
import type { Directory } from "../directory.ts";
import { SourceRateLimit } from "../login/rate.ts";
import type { AuditLog, Peer } from "../types.ts";
import { pinOf, readAuthorities, trustRefused } from "./authorities.ts";

/** Tokens one source may try. */
const ATTEMPTS = { burst: 30, perSecond: 0.5 };
const TOKEN_KIND = "trusted_cluster";
/** Leaves of one cluster: every client is told of each. */
const MAX_LEAVES = 200;
/** Letters of all authorities of one: every client is told them. */
const MAX_AUTHORITIES_LENGTH = 16_384;
const CLUSTER_NAME =
  /^(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

interface LeafJoinsOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly audit: AuditLog;
  readonly userCa: Authority;
  readonly hostCa: Authority;
  readonly cluster: string;
  /** Of this cluster. */
  readonly proxies: readonly HostPort[];
  readonly nowMs: () => number;
}

/** Lets other clusters become leaves of this one. */
export class LeafJoins {
  readonly #options: LeafJoinsOptions;
  readonly #attempts = new SourceRateLimit(ATTEMPTS);

  constructor(options: LeafJoinsOptions) {
    this.#options = options;
  }

  /** @throws {AuthError} `token-invalid`, `token-out-of-scope`, `trust-refused`, `rate-limited`. */
  async join(request: LeafJoinRequest, peer: Peer): Promise<LeafJoinResponse> {
    const { audit } = this.#options;
    this.#attempts.take(sourceOf(peer.address), this.#options.nowMs());
    try {
      return await this.#join(request, peer);
    } catch (thrown) {
      if (!(thrown instanceof AuthError)) throw thrown;
      await audit.write({
        event: "leaf.join.failed",
        ...(CLUSTER_NAME.test(request.cluster_name) ? { name: request.cluster_name } : {}),
        source: peer.address,
        reason: thrown.code,
      });
      throw thrown;
    }
  }

  /**
   * @param joinId What the certificate names that the leaf has.
   * @throws {AuthError} `public-key-unsupported`, `agent-unknown`.
   */
  async renew(
    { leaf, joinId }: { readonly leaf: string; readonly joinId: string },
    request: z.infer<typeof LeafRenewRequestSchema>,
    peer: Peer,
  ): Promise<z.infer<typeof LeafRenewResponseSchema>> {
    const { directory, audit } = this.#options;
    const publicKey = await readKey(request.public_key);
    const trust = directory.trusts.get(leaf);
    if (trust?.side !== "leaf" || trust.joinId !== joinId) {
      throw refusal("agent-unknown", { message: "The leaf was removed" });
    }
    const { pem } = await this.#certify({ leaf, id: joinId, publicKey });
    await audit.write({ event: "leaf.renewed", name: leaf, source: peer.address });
    return { certificate: pem };
  }

  async #join(request: LeafJoinRequest, peer: Peer): Promise<LeafJoinResponse> {
    const { store, directory, audit, hostCa, userCa, cluster, nowMs } = this.#options;
    const { cluster_name: leaf } = request;
    const hash = hashToken(request.token);
    const token = await store.tokens.find(hash, nowMs());
    if (token === null) throw tokenInvalid();
    if (!token.scope.kinds.includes(TOKEN_KIND)) {
      throw refusal("token-out-of-scope", { message: "The token is for agents" });
    }
    // Everything that may be wrong with the request is found before the token is used up
    if (!CLUSTER_NAME.test(leaf)) throw trustRefused("its name is no name of a cluster");
    if (request.root_cluster_name !== cluster) {
      throw trustRefused(`this one is called "${cluster}"`);
    }
    if (leaf === cluster) throw trustRefused("it is called as this one");
    for (const { host } of this.#options.proxies) {
      if (host === leaf || isUnder(host, leaf) || isUnder(leaf, host)) {
        throw trustRefused(`its name lies at, above or below this cluster's proxy ${host}`);
      }
    }
    const leaves = [...directory.trusts.values()].filter(({ side }) => side === "leaf");
    if (leaves.length >= MAX_LEAVES) {
      throw trustRefused(`this cluster has ${leaves.length} leaves, and takes no more`);
    }
    if (request.host_cas.join("").length > MAX_AUTHORITIES_LENGTH) {
      throw trustRefused("its authorities are too long");
    }
    if (await store.trusts.get(leaf) !== null) {
      throw trustRefused(`a cluster "${leaf}" is known already; remove that first`);
    }
    const known = knownPins([userCa, hostCa], directory);
    const hostCas = readAuthorities(request.host_cas, {
      cluster: leaf,
      kind: "host",
      known,
      nowMs: nowMs(),
    });
    const publicKey = await readKey(request.public_key);
    await this.#checkProof(request, hostCas, publicKey);
    if (!await store.tokens.take(hash, nowMs())) throw tokenInvalid();
    await audit.write({ event: "leaf.join.ok", name: leaf, source: peer.address });
    const joinId = randomHex(8);
    const isNew = await store.trusts.addNew({
      cluster: leaf,
      side: "leaf",
      hostCaPems: hostCas.map(({ pem }) => pem),
      userCaPems: [],
      identity: null,
      joinId,
      facts: null,
      joinedMs: nowMs(),
      seenMs: null,
    });
    if (!isNew) throw trustRefused(`a cluster "${leaf}" joined at this very moment`);
    const resource: RemoteClusterResource = {
      kind: "remote_cluster",
      version: "v1",
      metadata: { name: leaf },
      spec: {},
    };
    await store.resources.put(
      { kind: resource.kind, name: leaf, body: JSON.stringify(resource) },
      null,
    );
    await directory.reload();
    const certificate = await this.#certify({ leaf, id: joinId, publicKey });
    return {
      cluster_name: cluster,
      certificate: certificate.pem,
      trust: { host_cas: [hostCa.certificate.pem] },
      user_cas: [userCa.certificate.pem],
      expires: new Date(certificate.validity.notAfterMs).toISOString(),
    };
  }

  /** Whoever joins holds the key of the authority, and that of the certificate. */
  async #checkProof(
    { certificate: pem, cluster_name: leaf }: LeafJoinRequest,
    authorities: ReturnType<typeof readAuthorities>,
    publicKey: CryptoKey,
  ): Promise<void> {
    const nowMs = this.#options.nowMs();
    const verdict = verifyCertificate(pem, { authorities, purpose: "client", nowMs });
    const certificate = verdict.kind === "good" ? verdict.certificate : parseCertificate("");
    const { kind, cluster, name } = certificate?.principal ?? {};
    const pin = await pinOf(publicKey);
    if (kind !== "leaf" || cluster !== leaf || name !== leaf || certificate?.pin !== pin) {
      throw trustRefused("it does not show that the authority is its own");
    }
  }

  #certify(
    of: { readonly leaf: string; readonly id: string; readonly publicKey: CryptoKey },
  ) {
    const { hostCa, cluster, nowMs } = this.#options;
    return issueLeafCertificate(hostCa, { cluster, ...of }, nowMs());
  }
}

/** Every authority that is known: the cluster's own, and those of the clusters beside it. */
export function knownPins(
  own: readonly Authority[],
  { trusts }: Pick<Directory, "trusts">,
): ReadonlySet<string> {
  const others = [...trusts.values()].flatMap(({ hostCaPems, userCaPems }) =>
    [...hostCaPems, ...userCaPems].flatMap((pem) => parseCertificate(pem)?.pin ?? [])
  );
  return new Set([...own.map(({ certificate }) => certificate.pin), ...others]);
}

function isUnder(name: string, above: string): boolean {
  return name.endsWith(`.${above}`);
}

async function readKey(publicKeyPem: string): Promise<CryptoKey> {
  const key = await importPublicKey(publicKeyPem);
  if (key !== null) return key;
  throw refusal("public-key-unsupported", { message: "The key is not a P-256 key" });
}

function tokenInvalid(): Error {
  return refusal("token-invalid", { message: "The token is unknown, expired or used up" });
}
