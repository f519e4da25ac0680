/**
 * Adapters to the network, files and keys: they act and decide nothing.
 *
 * @module
 */
export {
  ensurePrivateDirectory,
  readConfigFile,
  readFileIfThere,
  writeFileAtomic,
} from "./files.ts";
export {
  appId,
  equalSecret,
  generateKeyPair,
  hmacSha256,
  importPrivateKey,
  importPublicKey,
  type KeyPair,
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
  type LoginClient,
  namesHost,
  parseCertificate,
  splitPem,
  verifyAppClient,
  verifyCertificate,
  verifyLoginClient,
  verifyPinnedServer,
} from "./x509/verify.ts";
export { KnownCertificates } from "./x509/known.ts";
export {
  type Authority,
  type AuthorityKind,
  type AuthorityPem,
  issueAgentCertificate,
  issueAppCertificate,
  issueAuthority,
  issueProxyCertificate,
  issueUserCertificate,
  loadAuthority,
} from "./x509/issue.ts";
export { type AskOptions, type UpstreamResult, Upstreams } from "./upstream/upstreams.ts";
export { type FlowConn, type FlowEnd, type FlowSummary, type LiveFlow } from "./carrier/flow.ts";
export { type AppCredentials, type CarrierTarget } from "./carrier/client.ts";
export { type CarrierFlow, CarrierPool, type CarrierStats } from "./carrier/pool.ts";
export { type CarrierHost, type HostedFlow, serveCarrier } from "./carrier/server.ts";
export { ConnStream } from "./conn_stream.ts";
export { DeadlinePassed, orAborted, pause, withDeadline } from "./deadline.ts";
export { dialThrough, type HttpProxyAddress } from "./http_proxy.ts";
export { type HttpAnswer, HttpClient, type HttpClientOptions, type HttpRequest } from "./http.ts";
export { dialServer, type ServerSettings, type ServerTrust } from "./server_dial.ts";
export { relay, type RelaySummary } from "./relay.ts";
export { type ByteStream, closeQuietly, TlsStream, writeAll } from "./stream.ts";
export { type Dialer, dialTcp } from "./tcp.ts";
export {
  createTlsContext,
  startTlsClient,
  startTlsServer,
  type TlsContext,
  type TlsIdentity,
  type TlsSession,
} from "./tls.ts";
