/**
 * A webhook: events as lines of JSON, posted over HTTPS.
 *
 * @module
 */
import type { WebhookConfig } from "../../../config/mod.ts";
import { readAuthorityFile } from "../../../io/mod.ts";
import type { AuditRecord, AuditSink } from "../types.ts";

/** Posts events; any answer but 2xx, and any certificate that is not good, is a failure. */
export class WebhookSink implements AuditSink {
  readonly name: string;
  readonly #config: WebhookConfig;
  #client: Deno.HttpClient | null = null;

  constructor(config: WebhookConfig) {
    this.#config = config;
    // Not the query: what authorizes may stand in it
    this.name = `${config.url.origin}${config.url.pathname}`;
  }

  async send(records: readonly AuditRecord[], signal: AbortSignal): Promise<void> {
    const { url, secretFile, caFile } = this.#config;
    this.#client ??= Deno.createHttpClient({
      caCerts: caFile === null ? [] : [...await readAuthorityFile(caFile)],
    });
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-ndjson",
        // Read each time: a secret is changed by changing the file
        ...(secretFile === null ? {} : { authorization: `Bearer ${await readSecret(secretFile)}` }),
      },
      body: records.map((record) => `${JSON.stringify(record)}\n`).join(""),
      redirect: "error",
      client: this.#client,
      signal,
    });
    await response.body?.cancel();
    if (response.ok) return;
    throw new Error(`The answer has status ${response.status}`);
  }

  close(): void {
    this.#client?.close();
    this.#client = null;
  }
}

async function readSecret(file: string): Promise<string> {
  const [line = ""] = (await Deno.readTextFile(file)).split("\n");
  return line.trim();
}
