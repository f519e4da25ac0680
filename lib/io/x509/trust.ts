/**
 * Whom a TLS client trusts: authorities as a context wants them, and the judgement of a server by them.
 *
 * @module
 */
import tls from "node:tls";
import { equalSecret } from "../keys.ts";
import { createTlsContext, type TlsContext, type TlsIdentity, type TlsSession } from "../tls.ts";
import { type Distrust, explainDates, explainDistrust } from "./distrust.ts";
import { isAuthorityPem } from "./store.ts";
import { namesHost, parseCertificate } from "./verify.ts";

/** Certificates to trust beside the public authorities that are built in, PEM; asked for when they are needed. */
export type MoreAuthorities = () => Promise<readonly string[]>;

/** A context, and what else is needed to judge by it. */
export interface TrustContext {
  readonly context: TlsContext;
  /** Whoever may vouch for a server. */
  readonly authorityPems: readonly string[];
  /** What may be met itself and vouches for nobody: a server's own certificate that somebody put among the trusted. */
  readonly leafPems: readonly string[];
}

/** Prepares to trust the public authorities and more, or these alone. */
export async function trustContext(
  who: {
    readonly builtIn: boolean;
    readonly pems: readonly string[];
    readonly more: MoreAuthorities | null;
  },
  tlsOptions: { readonly identity: TlsIdentity | null; readonly minVersion?: "TLSv1.2" },
): Promise<TrustContext> {
  const more = who.more === null ? [] : await who.more();
  const given = [...who.pems, ...more];
  const authorityPems = [
    ...(who.builtIn ? tls.rootCertificates : []),
    ...given.filter(isAuthorityPem),
  ];
  const context = createTlsContext({ ...tlsOptions, authorityPems });
  return { context, authorityPems, leafPems: given };
}

/**
 * Judges the server of a finished handshake.
 *
 * @returns What is wrong with it, or `null` if it is trusted.
 */
export function judgeServer(
  session: Pick<TlsSession, "trusted" | "peerChain">,
  { authorityPems, leafPems }: TrustContext,
  server: { readonly host: string; readonly whose: string; readonly nowMs: number },
): Distrust | null {
  if (session.trusted) return null;
  const [own] = session.peerChain;
  const leaf = own === undefined ? null : parseCertificate(own);
  const isKnown = leaf !== null && leafPems.some((pem) => {
    const known = parseCertificate(pem);
    return known !== null && equalSecret(known.der, leaf.der);
  });
  // Who is trusted by name needs nobody to vouch; TLS libraries want an authority, or refuse one that is a server
  if (isKnown && namesHost(leaf, server.host)) {
    return explainDates([leaf], server.nowMs, server.whose);
  }
  return explainDistrust(session.peerChain, {
    ...server,
    authorityPems: isKnown ? [...authorityPems, ...leafPems] : authorityPems,
  });
}
