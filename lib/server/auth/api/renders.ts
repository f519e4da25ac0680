import { sha256 } from "../../../io/mod.ts";

/** Answers kept at a time; there are as many as users' sets of roles. */
const MAX_KEPT = 64;

/** An answer as it is sent, and its entity tag. */
interface Rendered {
  readonly body: string;
  readonly tag: string;
}

/** Something to answer with. */
export interface Answerable {
  /** Equal for answers that are the same as long as nothing changes. */
  readonly key: string;
  readonly value: () => unknown | Promise<unknown>;
}

/** Answers as they are sent, each made once between one change and the next: many wait for the same one. */
export class Renders {
  #revision = -1;
  readonly #kept = new Map<string, Promise<Rendered>>();

  /** @param revision Counts the changes that any answer may depend on. */
  of(revision: number, { key, value }: Answerable): Promise<Rendered> {
    if (revision !== this.#revision) {
      this.#kept.clear();
      this.#revision = revision;
    }
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const rendered = render(value);
    if (this.#kept.size >= MAX_KEPT) return rendered;
    this.#kept.set(key, rendered);
    rendered.catch(() => {
      if (this.#kept.get(key) === rendered) this.#kept.delete(key);
    });
    return rendered;
  }
}

async function render(value: () => unknown | Promise<unknown>): Promise<Rendered> {
  const body = JSON.stringify(await value());
  return { body, tag: `"${sha256(body).subarray(0, 16).toHex()}"` };
}
