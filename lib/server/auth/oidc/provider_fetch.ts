/**
 * Asks an identity provider: over HTTPS alone, nowhere else than asked, for answers of bounded size in bounded time.
 *
 * @module
 */

/** A provider's keys and metadata are some kilobytes, a person's claims with all groups some more. */
export const MAX_ANSWER_BYTES = 1_048_576;
/** For one question and all of its answer. */
const DEADLINE_MS = 10_000;

/** The provider could not be asked, or did not answer as anybody can read. */
export class ProviderSilent extends Error {}

type Ask = Parameters<typeof fetch>[1];

/** @param caPems Authorities to trust beside the public ones. */
export class ProviderFetch implements Disposable {
  readonly #client: Deno.HttpClient;
  readonly #deadlineMs: number;

  constructor(caPems: readonly string[], { deadlineMs = DEADLINE_MS } = {}) {
    this.#client = Deno.createHttpClient({ caCerts: [...caPems], http2: false });
    this.#deadlineMs = deadlineMs;
  }

  /** @throws {ProviderSilent} */
  async ask(url: string, { signal, ...ask }: NonNullable<Ask>): Promise<Response> {
    if (!url.startsWith("https://")) throw new ProviderSilent("It is not asked without TLS");
    const ending = AbortSignal.any([
      AbortSignal.timeout(this.#deadlineMs),
      ...(signal === null || signal === undefined ? [] : [signal]),
    ]);
    try {
      const response = await fetch(url, {
        ...ask,
        redirect: "manual",
        signal: ending,
        client: this.#client,
      });
      const body = await readAll(response);
      const { status, headers } = response;
      return new Response([204, 205, 304].includes(status) ? null : body, { status, headers });
    } catch (thrown) {
      if (thrown instanceof ProviderSilent) throw thrown;
      const words = ending.aborted ? "It did not answer in time" : "It cannot be reached";
      throw new ProviderSilent(words, { cause: thrown });
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

async function readAll(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    // Leaving the loop cancels the rest
    if (sizeBytes > MAX_ANSWER_BYTES) {
      throw new ProviderSilent(`Its answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
