/** A place in a {@link FairTable}. */
export interface FairPlace {
  readonly network: string;
  /** Of a source in good standing. */
  readonly isTrusted: boolean;
  /** The place is somebody else's. */
  readonly onEvict: () => void;
}

interface Held {
  readonly trusted: Set<FairPlace>;
  readonly others: Set<FairPlace>;
}

/**
 * Places that many want. When all are taken, the network with the most of them gives up its oldest to whoever has
 * fewer; sources in good standing are asked last, and may have any place of the others.
 */
export class FairTable {
  readonly #places: number;
  readonly #networks = new Map<string, Held>();
  #size = 0;

  constructor(places: number) {
    this.#places = places;
  }

  get size(): number {
    return this.#size;
  }

  /** @returns `false` if there is no place. Calls `onEvict` of whoever loses theirs. */
  enter(place: FairPlace): boolean {
    if (this.#size >= this.#places && !this.makeRoom(place)) return false;
    let held = this.#networks.get(place.network);
    if (held === undefined) {
      held = { trusted: new Set(), others: new Set() };
      this.#networks.set(place.network, held);
    }
    setOf(held, place).add(place);
    this.#size++;
    return true;
  }

  /** Gives a place back; one that is not held any more is ignored. */
  leave(place: FairPlace): void {
    const held = this.#networks.get(place.network);
    if (held === undefined || !setOf(held, place).delete(place)) return;
    this.#size--;
    if (held.trusted.size + held.others.size === 0) this.#networks.delete(place.network);
  }

  /** Evicts somebody who has to yield to a newcomer. @returns `false` if nobody has. */
  makeRoom(newcomer: FairPlace): boolean {
    const own = this.#networks.get(newcomer.network);
    const victim = this.#largest("others", newcomer.isTrusted ? 0 : (own?.others.size ?? 0) + 1) ??
      (newcomer.isTrusted ? this.#largest("trusted", (own?.trusted.size ?? 0) + 1) : null);
    if (victim === null) return false;
    this.leave(victim);
    victim.onEvict();
    return true;
  }

  /** The oldest place of the network that has the most, and more than `than`. */
  #largest(of: keyof Held, than: number): FairPlace | null {
    let most: Set<FairPlace> | null = null;
    for (const held of this.#networks.values()) {
      if (held[of].size > (most?.size ?? than)) most = held[of];
    }
    return most?.values().next().value ?? null;
  }
}

function setOf(held: Held, place: FairPlace): Set<FairPlace> {
  return place.isTrusted ? held.trusted : held.others;
}
