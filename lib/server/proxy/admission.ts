import { sourceOf } from "../../ip/mod.ts";

/** How many connections a proxy takes at a time, and how patient it is. */
export interface AdmissionLimits {
  readonly total: number;
  /** From one source, until it is known what they are. A source is an IPv4 address or an IPv6 /64. */
  readonly unknownPerSource: number;
  /** From one source, known or not; data channels, which agents open because we asked them to, do not count. */
  readonly perSource: number;
  /** How long a connection may take to say what it is, and then for its handshake and what it asks for. */
  readonly firstBytesMs: number;
}

export const DEFAULT_LIMITS: AdmissionLimits = {
  total: 8192,
  unknownPerSource: 512,
  perSource: 4096,
  firstBytesMs: 10_000,
};

interface Counts {
  unknown: number;
  held: number;
}

/** A connection's place in the proxy. */
export interface Place {
  /** It is known what the connection is. */
  known(): void;
  /** It is a data channel: the source is not charged for it any more. */
  discharge(): void;
  leave(): void;
}

/** Counts connections, so that no source and no crowd of them takes everything. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #sources = new Map<string, Counts>();
  #total = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** @returns `null` if there is no place for a connection from this address. */
  enter(address: string): Place | null {
    const source = sourceOf(address);
    const counts = this.#sources.get(source) ?? { unknown: 0, held: 0 };
    const { total, unknownPerSource, perSource } = this.#limits;
    const isFull = this.#total >= total || counts.unknown >= unknownPerSource ||
      counts.held >= perSource;
    if (isFull) return null;
    this.#total++;
    counts.unknown++;
    counts.held++;
    this.#sources.set(source, counts);
    let isUnknown = true;
    let isHeld = true;
    let isInside = true;
    const known = () => {
      if (isUnknown) counts.unknown--;
      isUnknown = false;
    };
    const discharge = () => {
      known();
      if (isHeld) counts.held--;
      isHeld = false;
      if (counts.held === 0 && this.#sources.get(source) === counts) this.#sources.delete(source);
    };
    const leave = () => {
      discharge();
      if (isInside) this.#total--;
      isInside = false;
    };
    return { known, discharge, leave };
  }
}
