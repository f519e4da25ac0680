import { parseHostPort, type TrustedClusterResource } from "../../../config/mod.ts";
import { describeError, VnetError } from "../../../error.ts";
import {
  type Authority,
  dialTcp,
  generateKeyPair,
  HttpClient,
  importPublicKey,
  issueLeafCertificate,
} from "../../../io/mod.ts";
import { isApiRefusal } from "../../../refusal/mod.ts";
import { withDeadline } from "../../../wait.ts";
import { LeafJoinResponseSchema } from "../../../wire/mod.ts";
import type { StoredTrust } from "../../store/mod.ts";
import { refusal } from "../api/refusals.ts";
import { readAuthorities, readLeafCertificate, trustRefused } from "./authorities.ts";

const EXCHANGE_MS = 15_000;

/** Who becomes a leaf of whom. */
interface Exchange {
  readonly root: string;
  readonly spec: TrustedClusterResource["spec"];
  readonly token: string;
  /** The leaf. */
  readonly cluster: string;
  readonly hostCa: Authority;
  /** `sha256:…` of every authority that is known already. */
  readonly known: ReadonlySet<string>;
  readonly nowMs: () => number;
}

/**
 * Meets a root once: shows it the token and this cluster's authority, and takes what the root is known by.
 *
 * @throws {AuthError} `trust-refused`, and the root's refusal.
 */
export async function exchangeTrust(
  { root: name, spec, token, cluster, hostCa, known, nowMs }: Exchange,
): Promise<StoredTrust> {
  const server = parseHostPort(spec.web_proxy_addr, 443);
  if (server === null) throw new TypeError("The resource was checked");
  const keys = await generateKeyPair();
  const publicKey = await importPublicKey(keys.publicKeyPem);
  if (publicKey === null) throw new TypeError("The key was just made");
  const proof = await issueLeafCertificate(
    hostCa,
    { cluster, leaf: cluster, id: cluster, publicKey },
    nowMs(),
  );
  using http = new HttpClient({
    server,
    trust: spec.ca_pin === undefined ? { kind: "public" } : { kind: "pins", pins: [spec.ca_pin] },
    identity: null,
    dial: dialTcp,
    nowMs,
  });
  const answer = await withDeadline(EXCHANGE_MS, null, (signal) =>
    http.request({
      method: "POST",
      path: "/v1/leaf/join",
      schema: LeafJoinResponseSchema,
      body: {
        token,
        cluster_name: cluster,
        root_cluster_name: name,
        host_cas: [hostCa.certificate.pem],
        certificate: proof.pem,
        public_key: keys.publicKeyPem,
      },
    }, signal)).catch((thrown) => {
      const { code, message } = thrown instanceof VnetError ? thrown : { code: "", message: "" };
      if (isApiRefusal(code)) throw refusal(code, { message });
      throw trustRefused(describeError(thrown));
    });
  if (answer.kind !== "value") throw new TypeError("A POST is never answered with 304");
  const { cluster_name, trust, user_cas, certificate } = answer.value;
  if (cluster_name !== name) {
    throw trustRefused(`it calls itself "${cluster_name.slice(0, 80)}", and not "${name}"`);
  }
  const against = { cluster: name, known, nowMs: nowMs() };
  const hostCas = readAuthorities(trust.host_cas, { ...against, kind: "host" });
  const userCas = readAuthorities(user_cas, { ...against, kind: "user" });
  checkPin(spec.ca_pin, hostCas.map(({ pin }) => pin));
  await readLeafCertificate(certificate, {
    authorities: hostCas,
    root: name,
    publicKey,
    id: null,
    nowMs: nowMs(),
  });
  return {
    cluster: name,
    side: "root",
    hostCaPems: hostCas.map(({ pem }) => pem),
    userCaPems: userCas.map(({ pem }) => pem),
    identity: { certificatePem: certificate, privateKeyPem: keys.privateKeyPem },
    joinId: null,
    facts: null,
    joinedMs: nowMs(),
    seenMs: null,
  };
}

/** @throws {AuthError} `trust-refused` when the file pins another authority than the root has. */
export function checkPin(wanted: string | undefined, pins: readonly string[]): void {
  if (wanted === undefined || pins.includes(wanted)) return;
  throw trustRefused("its host authority is not the one that ca_pin names");
}
