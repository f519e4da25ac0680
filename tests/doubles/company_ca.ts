/**
 * A company's own certificate authority, and what it issues: right or wrong, as a test wants it.
 *
 * @module
 */
import "reflect-metadata"; // must come before @peculiar/x509
import * as x509 from "@peculiar/x509";
import { isIP } from "node:net";
import { toPem } from "../../lib/io/mod.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

/** A certificate and its key, PEM. */
export interface Issued {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

interface Options {
  readonly commonName?: string;
  readonly fromMs?: number;
  readonly untilMs?: number;
}

/** An authority that vouches for whatever it is asked to. */
export class CompanyCa {
  readonly certificatePem: string;
  readonly #keys: CryptoKeyPair;
  readonly #name: string;

  private constructor(made: { certificatePem: string; keys: CryptoKeyPair; name: string }) {
    this.certificatePem = made.certificatePem;
    this.#keys = made.keys;
    this.#name = made.name;
  }

  static async create(name = "CN=Corp Root CA, O=Corp", options: Options = {}): Promise<CompanyCa> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...times(options),
      name,
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    });
    return new CompanyCa({ certificatePem: `${certificate.toString("pem")}\n`, keys, name });
  }

  /** Issues a server's certificate, alone in its PEM. */
  issue(names: readonly string[], options: Options = {}): Promise<Issued> {
    return server(names, { ...options, issuer: this.#name, key: this.#keys.privateKey });
  }

  /** Issues an authority below this one. */
  async below(name: string): Promise<CompanyCa> {
    const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      ...times({}),
      subject: name,
      issuer: this.#name,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new CompanyCa({ certificatePem: `${certificate.toString("pem")}\n`, keys, name });
  }
}

/** A server's certificate that nobody else vouches for. */
export function selfSigned(names: readonly string[], options: Options = {}): Promise<Issued> {
  return server(names, { ...options, issuer: null, key: null });
}

async function server(
  names: readonly string[],
  options: Options & { readonly issuer: string | null; readonly key: CryptoKey | null },
): Promise<Issued> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const subject = `CN=${options.commonName ?? names[0] ?? "nobody"}`;
  const certificate = await x509.X509CertificateGenerator.create({
    ...times(options),
    subject,
    issuer: options.issuer ?? subject,
    publicKey: keys.publicKey,
    signingKey: options.key ?? keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.1"]),
      ...(names.length === 0 ? [] : [
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({
            type: isIP(value) === 0 ? "dns" as const : "ip" as const,
            value,
          })),
        ),
      ]),
    ],
  });
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    certificatePem: `${certificate.toString("pem")}\n`,
    privateKeyPem: toPem("PRIVATE KEY", key),
  };
}

function times({ fromMs = Date.now() - DAY_MS, untilMs = Date.now() + 30 * DAY_MS }: Options) {
  const serialNumber = crypto.getRandomValues(new Uint8Array(15)).toHex();
  return {
    serialNumber: `01${serialNumber}`,
    notBefore: new Date(fromMs),
    notAfter: new Date(untilMs),
  };
}
