import { agentDnsName } from "../../identity/mod.ts";
import { createTlsContext, parseCertificate, type TlsContext } from "../../io/mod.ts";
import type { AgentCredentials } from "./uplink.ts";

/** What an agent shows to clients: of its certificates the one that names the app. */
export class AppContexts {
  readonly #credentials: AgentCredentials;
  /** The certificate that names an app, by the name. */
  readonly #byName = new Map<string, string>();
  readonly #contexts = new Map<string, TlsContext>();

  constructor(credentials: AgentCredentials) {
    this.#credentials = credentials;
    for (const pem of credentials.appCertificatePems) {
      for (const name of parseCertificate(pem)?.dnsNames ?? []) this.#byName.set(name, pem);
    }
  }

  of(appId: string): TlsContext {
    const { identity } = this.#credentials;
    const certificatePem = this.#byName.get(agentDnsName(appId)) ?? identity.certificatePem;
    const known = this.#contexts.get(certificatePem);
    if (known !== undefined) return known;
    const context = createTlsContext({
      identity: { ...identity, certificatePem },
      authorityPems: [],
    });
    this.#contexts.set(certificatePem, context);
    return context;
  }
}
