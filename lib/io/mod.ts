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
  randomHex,
  randomPassword,
  sha256,
  toPem,
} from "./keys.ts";
export {
  type AppClient,
  type Authority,
  type AuthorityKind,
  type AuthorityPem,
  type Certificate,
  type CertificateRefusal,
  type CertificateVerdict,
  issueAgentCertificate,
  issueAppCertificate,
  issueAuthority,
  issueProxyCertificate,
  issueUserCertificate,
  loadAuthority,
  type LoginClient,
  namesHost,
  parseCertificate,
  splitPem,
  verifyAppClient,
  verifyCertificate,
  verifyLoginClient,
  verifyPinnedServer,
} from "./x509.ts";
