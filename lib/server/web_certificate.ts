/**
 * The certificate that the proxy shows: from files, which are read again when they change, or issued by the cluster
 * and renewed at half its life.
 *
 * @module
 */
import type { ServerConfig } from "../config/mod.ts";
import { ConfigError, describeError } from "../error.ts";
import { renewalDueMs } from "../identity/mod.ts";
import { pause } from "../wait.ts";
import {
  type Certificate,
  generateKeyPair,
  namesHost,
  parseCertificate,
  publicPinOf,
  readConfigFile,
  splitPem,
  type TlsIdentity,
} from "../io/mod.ts";
import { getLogger } from "../log.ts";
import type { WebCertificateStatus } from "../status/mod.ts";
import type { Auth } from "./auth/mod.ts";

const log = getLogger("server");

const RENEW_CHECK_MS = 60_000;
const FILES_CHECK_MS = 10_000;

type KeyPairFiles = ServerConfig["proxy"]["httpsKeypairs"][number];

/** A certificate with its key, and what they were read from. */
interface Loaded {
  readonly identity: TlsIdentity;
  readonly certificate: Certificate;
  readonly trustPems: readonly string[];
  readonly loadedMs: number;
  /** What the files looked like; `null` for a certificate that the cluster issued. */
  readonly stamp: string | null;
}

export class WebCertificate {
  readonly #config: ServerConfig;
  readonly #auth: Auth;
  readonly #nowMs: () => number;
  readonly #files: KeyPairFiles | null;
  #loaded: Loaded;
  /** What the files looked like the last time, to wait until nobody writes to them any more. */
  #seenStamp: string | null = null;
  #problem: string | null = null;
  #onChange: (identity: TlsIdentity) => void = () => {};

  private constructor(
    made: { config: ServerConfig; auth: Auth; nowMs: () => number; files: KeyPairFiles | null },
    loaded: Loaded,
  ) {
    this.#config = made.config;
    this.#auth = made.auth;
    this.#nowMs = made.nowMs;
    this.#files = made.files;
    this.#loaded = loaded;
  }

  /** @throws {ConfigError} When the files hold no certificate and its key. */
  static async open(
    config: ServerConfig,
    auth: Auth,
    nowMs: () => number,
  ): Promise<WebCertificate> {
    const [files = null, ...more] = config.proxy.httpsKeypairs;
    if (more.length > 0) {
      throw new ConfigError("https_keypairs", [{
        path: "proxy_service.https_keypairs",
        found: `${more.length + 1} pairs`,
        expected: "one pair: this version serves one web certificate",
      }]);
    }
    const loaded = files === null ? await issue(config, auth, nowMs()) : await load(files, nowMs());
    return new WebCertificate({ config, auth, nowMs, files }, loaded);
  }

  get identity(): TlsIdentity {
    return this.#loaded.identity;
  }

  /** What vouches for it, for clients in this process; the same list as long as the certificate is the same. */
  get trustPems(): readonly string[] {
    return this.#loaded.trustPems;
  }

  /** Takes the certificate from the next handshake on. */
  set onChange(use: (identity: TlsIdentity) => void) {
    this.#onChange = use;
  }

  status(): WebCertificateStatus {
    const { certificate, loadedMs } = this.#loaded;
    const problem = this.#problem ?? this.#ownProblem();
    return {
      source: this.#files === null ? "cluster" : "files",
      ...(this.#files === null ? {} : { cert_file: this.#files.certFile }),
      names: [...certificate.dnsNames, ...certificate.ipAddresses].sort(),
      not_after: new Date(certificate.validity.notAfterMs).toISOString(),
      loaded: new Date(loadedMs).toISOString(),
      ...(problem === null ? {} : { problem }),
    };
  }

  /** Looks after the certificate until the signal fires. */
  async keepRenewed(signal: AbortSignal, checkMs = FILES_CHECK_MS): Promise<void> {
    for (;;) {
      await pause(this.#files === null ? RENEW_CHECK_MS : checkMs, signal);
      if (signal.aborted) return;
      if (this.#files === null) await this.#renew();
      else if (await this.#isSettled(this.#files)) await this.#reload(this.#files);
    }
  }

  /** Reads the files at once, if it comes from files. Never rejects. */
  async reload(): Promise<void> {
    if (this.#files !== null) await this.#reload(this.#files);
  }

  /** Whether the files are others than those in use, and look as they did the last time. */
  async #isSettled(files: KeyPairFiles): Promise<boolean> {
    const stamp = await stampOf(files);
    const isSame = stamp === this.#seenStamp;
    this.#seenStamp = stamp;
    if (stamp === this.#loaded.stamp) {
      this.#problem = null;
      return false;
    }
    return isSame;
  }

  async #reload(files: KeyPairFiles): Promise<void> {
    try {
      const next = await load(files, this.#nowMs());
      this.#refuseUnusable(files, next.certificate);
      const isOther = next.identity.certificatePem !== this.#loaded.identity.certificatePem ||
        next.identity.privateKeyPem !== this.#loaded.identity.privateKeyPem;
      this.#problem = null;
      this.#loaded = isOther ? next : { ...this.#loaded, stamp: next.stamp };
      if (!isOther) return;
      this.#onChange(next.identity);
      log.info("Took a renewed certificate into use", {
        file: files.certFile,
        until: new Date(next.certificate.validity.notAfterMs).toISOString(),
      });
    } catch (thrown) {
      const problem = `the files have changed and cannot be used: ${reasonOf(thrown)}`;
      if (problem === this.#problem) return;
      this.#problem = problem;
      log.error("Cannot use the changed certificate: the one before stays in use", {
        error: reasonOf(thrown),
      });
    }
  }

  /** @throws {ConfigError} When clients would not take it in the place of the one in use. */
  #refuseUnusable({ certFile }: KeyPairFiles, next: Certificate): void {
    const { notBeforeMs, notAfterMs } = next.validity;
    const nowMs = this.#nowMs();
    const hosts = this.#config.proxy.publicAddrs.map(({ host }) => host);
    const names = (certificate: Certificate) => hosts.some((host) => namesHost(certificate, host));
    const wrong = nowMs >= notAfterMs
      ? `a certificate that expired at ${new Date(notAfterMs).toISOString()}`
      : nowMs < notBeforeMs
      ? `a certificate that begins at ${new Date(notBeforeMs).toISOString()}`
      : !names(next) && names(this.#loaded.certificate)
      ? `a certificate for ${next.dnsNames.join(", ") || "no name"}`
      : null;
    if (wrong === null) return;
    const expected = `a certificate in force for ${hosts.join(" or ")}`;
    throw new ConfigError(certFile, [{ path: "certificate", found: wrong, expected }]);
  }

  /** What is wrong with the certificate in use; `null` if nothing is. */
  #ownProblem(): string | null {
    const { certificate } = this.#loaded;
    if (this.#nowMs() >= certificate.validity.notAfterMs) return "the certificate has expired";
    const hosts = this.#config.proxy.publicAddrs.map(({ host }) => host);
    const missing = hosts.filter((host) => !namesHost(certificate, host));
    return missing.length === 0 ? null : `the certificate is not for ${missing.join(", ")}`;
  }

  async #renew(): Promise<void> {
    if (this.#nowMs() < renewalDueMs(this.#loaded.certificate.validity)) return;
    try {
      this.#loaded = await issue(this.#config, this.#auth, this.#nowMs());
      this.#onChange(this.#loaded.identity);
      log.info("Renewed the proxy's certificate", {});
    } catch (thrown) {
      log.error("Cannot renew the proxy's certificate", { error: describeError(thrown) });
    }
  }
}

/** @throws {ConfigError} When the files hold no certificate and its key. */
async function load(files: KeyPairFiles, nowMs: number): Promise<Loaded> {
  const stamp = await stampOf(files);
  const identity = {
    certificatePem: await readConfigFile(files.certFile),
    privateKeyPem: await readConfigFile(files.keyFile),
  };
  const trustPems = splitPem(identity.certificatePem);
  const certificate = parseCertificate(trustPems[0] ?? "");
  if (certificate === null) {
    throw new ConfigError(files.certFile, [{
      path: "certificate",
      found: trustPems.length === 0 ? "no certificate" : "a certificate that cannot be read",
      expected: "certificates in PEM, the proxy's own first",
    }]);
  }
  const pin = publicPinOf(identity.privateKeyPem);
  if (pin !== certificate.pin) {
    throw new ConfigError(files.keyFile, [{
      path: "private key",
      found: pin === null ? "no private key" : "the key of another certificate",
      expected: `the private key of ${files.certFile}, in PEM`,
    }]);
  }
  return { identity, certificate, trustPems, loadedMs: nowMs, stamp };
}

async function issue(config: ServerConfig, auth: Auth, nowMs: number): Promise<Loaded> {
  const keys = await generateKeyPair();
  const names = config.proxy.publicAddrs.map(({ host }) => host);
  const { chainPem } = await auth.issueProxyCertificate(names, keys.publicKeyPem);
  const certificate = parseCertificate(splitPem(chainPem)[0] ?? "");
  if (certificate === null) throw new TypeError("Auth gave a certificate that cannot be read");
  return {
    identity: { certificatePem: chainPem, privateKeyPem: keys.privateKeyPem },
    certificate,
    trustPems: [auth.hostCaPem()],
    loadedMs: nowMs,
    stamp: null,
  };
}

/** Another text when one of the files is another, or was written to; links are followed. */
async function stampOf({ certFile, keyFile }: KeyPairFiles): Promise<string> {
  const stamps = await Promise.all([certFile, keyFile].map(async (path) => {
    try {
      const { dev, ino, mtime, size } = await Deno.stat(path);
      return `${dev} ${ino} ${mtime?.getTime()} ${size}`;
    } catch {
      return "missing";
    }
  }));
  return stamps.join("; ");
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof ConfigError)) return describeError(thrown);
  const [first] = thrown.mistakes;
  return `${thrown.file}: found ${first?.found}, expected ${first?.expected}`;
}
