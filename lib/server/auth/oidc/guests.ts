import type { Store, StoredGuest } from "../../store/mod.ts";

/** Logins of guests that are held ready; beyond it the one that was needed last is read again. */
const MAX_HELD = 20_000;

/**
 * Users who come from an identity provider: they are there for as long as a login of theirs. What their newest login
 * said of them holds for all of theirs.
 */
export class GuestBook {
  readonly #store: Store;
  readonly #bySession = new Map<string, StoredGuest>();
  readonly #byUser = new Map<string, StoredGuest>();
  /** Logins that are no guests', and never will be. */
  readonly #noGuests = new Set<string>();

  private constructor(store: Store) {
    this.#store = store;
  }

  static async load(store: Store, nowMs: number): Promise<GuestBook> {
    const book = new GuestBook(store);
    for (const guest of await store.guests.listLive(nowMs)) book.#hold(guest);
    return book;
  }

  /** Who a user is; `null` for nobody who was here lately. */
  of(user: string): StoredGuest | null {
    return this.#byUser.get(user) ?? null;
  }

  /** The names of all. */
  names(): readonly string[] {
    return [...this.#byUser.keys()];
  }

  /**
   * Whose a live login is.
   *
   * @returns `null` if it is no guest's.
   */
  async ofSession(sessionId: string, user: string, nowMs: number): Promise<StoredGuest | null> {
    const held = this.#bySession.get(sessionId);
    if (held !== undefined) return this.#byUser.get(user) ?? held;
    if (this.#noGuests.has(sessionId)) return null;
    if (await this.#store.guests.get(sessionId) === null) {
      this.#noGuests.add(sessionId);
      for (const oldest of this.#noGuests) {
        if (this.#noGuests.size <= MAX_HELD) break;
        this.#noGuests.delete(oldest);
      }
      return null;
    }
    // It began at another server, or so many came since that it was forgotten
    for (const guest of await this.#store.guests.liveOf(user, nowMs)) this.#hold(guest);
    return this.#bySession.has(sessionId) ? this.of(user) : null;
  }

  /** Notes who begins a login. */
  async add(guest: StoredGuest): Promise<void> {
    await this.#store.guests.add(guest);
    this.#noGuests.delete(guest.sessionId);
    this.#hold(guest);
  }

  #hold(guest: StoredGuest): void {
    this.#bySession.delete(guest.sessionId);
    this.#bySession.set(guest.sessionId, guest);
    this.#byUser.set(guest.user, guest);
    for (const [sessionId, { user }] of this.#bySession) {
      if (this.#bySession.size <= MAX_HELD) break;
      this.#bySession.delete(sessionId);
      if (this.#byUser.get(user)?.sessionId === sessionId) this.#byUser.delete(user);
    }
  }
}
