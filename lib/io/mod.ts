/**
 * Adapters to the network, files and keys: they act and decide nothing.
 *
 * @module
 */
export {
  ensurePrivateDirectory,
  readConfigFile,
  readFileIfThere,
  readSecretFile,
  writeFileAtomic,
} from "./files.ts";
export {
  appId,
  equalSecret,
  generateKeyPair,
  hmacSha256,
  importPublicKey,
  publicPinOf,
  randomHex,
  randomPassword,
  sha256,
  toPem,
} from "./keys.ts";
export {
  type AppClient,
  type Certificate,
  type CertificateRefusal,
  type CertificateVerdict,
  isSelfSigned,
  type LoginClient,
  namesHost,
  parseCertificate,
  splitPem,
  verifyAppClient,
  verifyCertificate,
  verifyLoginClient,
  verifyPinnedServer,
} from "./x509/verify.ts";
export { MACHINE_STORE, MachineStore, readAuthorityFile } from "./x509/store.ts";
export { type MoreAuthorities } from "./x509/trust.ts";
export { KnownCertificates } from "./x509/known.ts";
export {
  type Authority,
  type AuthorityKind,
  issueAgentCertificate,
  issueAppCertificate,
  issueAuthority,
  issueLeafCertificate,
  issueProxyCertificate,
  issueUserCertificate,
  loadAuthority,
} from "./x509/issue.ts";
export type { AskOptions, UpstreamResult } from "./upstream/upstream.ts";
export { Upstreams } from "./upstream/upstreams.ts";
export { type FlowConn, type FlowSummary, type LiveFlow } from "./carrier/flow.ts";
export type { CarrierSurroundings } from "./carrier/check.ts";
export { type AppCredentials, type CarrierTarget } from "./carrier/client.ts";
export { type CarrierFlow, CarrierPool } from "./carrier/pool.ts";
export { type CarrierHost, type HostedFlow, serveCarrier } from "./carrier/server.ts";
export { ConnStream } from "./conn_stream.ts";
export { ProxyOrder } from "./dial/proxy_order.ts";
export { isOfTheWay } from "./dial/silence.ts";
export { throughProxies, throughProxy } from "./dial/through_proxies.ts";
export { HeadCutOff, parseHead, readHead } from "./http_head.ts";
export { dialThrough } from "./http_proxy.ts";
export { type HttpAnswer, HttpClient, type HttpRequest } from "./http.ts";
export { dialServer, type ServerSettings, type ServerTrust } from "./server_dial.ts";
export { relay } from "./relay.ts";
export { closeQuietly, TlsStream, writeAll } from "./stream.ts";
export { type Dialer, dialTcp, tcpDialer } from "./tcp.ts";
export {
  createTlsContext,
  startTlsClient,
  startTlsServer,
  type TlsContext,
  type TlsIdentity,
  type TlsSession,
} from "./tls.ts";
