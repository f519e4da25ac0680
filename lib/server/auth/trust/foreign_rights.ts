import type { TicketHolder } from "../types.ts";

/** Rights of one root's users that are remembered. */
const MAX_EACH = 16_384;

/** The rights that roots have given for apps here; those of one root take no place of another's. */
export class ForeignRights {
  readonly #max: number;
  /** By root, then by session, oldest first. */
  readonly #byRoot = new Map<string, Map<string, TicketHolder>>();

  constructor(max: number = MAX_EACH) {
    this.#max = max;
  }

  add(root: string, holder: TicketHolder, nowMs: number): void {
    const rights = this.#byRoot.get(root) ?? new Map<string, TicketHolder>();
    this.#byRoot.set(root, rights);
    rights.delete(holder.sessionId);
    if (rights.size >= this.#max) sweep(rights, nowMs);
    const [oldest] = rights.keys();
    if (rights.size >= this.#max && oldest !== undefined) rights.delete(oldest);
    rights.set(holder.sessionId, holder);
  }

  find(root: string, sessionId: string): TicketHolder | null {
    return this.#byRoot.get(root)?.get(sessionId) ?? null;
  }

  forget(root: string): void {
    this.#byRoot.delete(root);
  }
}

function sweep(rights: Map<string, TicketHolder>, nowMs: number): void {
  for (const [id, { expiresMs }] of rights) if (nowMs >= expiresMs) rights.delete(id);
}
