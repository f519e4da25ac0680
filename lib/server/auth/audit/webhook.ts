/**
 * A webhook: events as lines of JSON, posted over HTTPS.
 *
 * @module
 */
import { type WebhookConfig, webhookPlace } from "../../../config/mod.ts";
import { readAuthorityFile, readSecretFile } from "../../../io/mod.ts";
import type { AuditRecord, AuditSink } from "../types.ts";

/** Posts events; any answer but 2xx, and any certificate that is not good, is a failure. */
export class WebhookSink implements AuditSink {
  readonly name: string;
  readonly #config: WebhookConfig;
  #client: Deno.HttpClient | null = null;

  constructor(config: WebhookConfig) {
    this.#config = config;
    this.name = webhookPlace(config.url);
  }

  async send(records: readonly AuditRecord[], signal: AbortSignal): Promise<void> {
    try {
      await this.#post(records, signal);
    } catch (thrown) {
      // The authorities, too, are read anew
      this.close();
      throw thrown;
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
  }

  async #post(records: readonly AuditRecord[], signal: AbortSignal): Promise<void> {
    const { url, secretFile, caFile } = this.#config;
    // Read each time: a secret is changed by changing the file
    const secret = secretFile === null ? null : await readSecretFile(secretFile);
    if (secretFile !== null && secret === null) throw new Error(`"${secretFile}" holds no secret`);
    this.#client ??= Deno.createHttpClient({
      caCerts: caFile === null ? [] : [...await readAuthorityFile(caFile)],
    });
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-ndjson",
        ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
      },
      body: records.map((record) => `${JSON.stringify(record)}\n`).join(""),
      redirect: "error",
      client: this.#client,
      signal,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`The answer has status ${response.status}`);
  }
}
