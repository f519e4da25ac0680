import { sourceOf } from "../../ip/mod.ts";
import { type FairPlace, FairTable, Standing } from "../limits/mod.ts";

/** How many connections a proxy takes at a time, and how patient it is. */
export interface AdmissionLimits {
  readonly total: number;
  /** Of those, the ones by which nobody has proved anything yet: no ticket, no certificate of ours. */
  readonly unproven: number;
  /** Of those, from one host: an IPv4 address or an IPv6 /64. */
  readonly unprovenPerHost: number;
  /** From one host, proven or not; data channels, which agents open because we asked them to, do not count. */
  readonly perHost: number;
  /** How long a connection may take to say what it is, and then for its handshake and what it asks for. */
  readonly firstBytesMs: number;
  /** How long a connection may go on without any proof. */
  readonly unprovenMs: number;
}

export const DEFAULT_LIMITS: AdmissionLimits = {
  total: 8192,
  unproven: 4096,
  unprovenPerHost: 512,
  perHost: 4096,
  firstBytesMs: 10_000,
  unprovenMs: 60_000,
};

interface Counts {
  unproven: number;
  held: number;
}

/** A connection's place in the proxy. */
export interface Place {
  /** Whether somebody at this host proved who they are before. */
  readonly isTrusted: boolean;
  /** By this connection somebody proved who they are. */
  prove(): void;
  /** It is a data channel: the host is not charged for it any more. */
  discharge(): void;
  leave(): void;
}

/**
 * Counts connections, so that no source and no crowd of them takes everything. When the places of the unproven are
 * taken, the network with the most of them gives up its oldest.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #hosts = new Map<string, Counts>();
  readonly #unproven: FairTable;
  readonly #standing: Standing;
  #total = 0;

  /** @param knownHosts Where users have logged in from, as `Source` names hosts, oldest first. */
  constructor(limits: AdmissionLimits, knownHosts: readonly string[] = []) {
    this.#limits = limits;
    this.#unproven = new FairTable(limits.unproven);
    this.#standing = new Standing(knownHosts);
  }

  get total(): number {
    return this.#total;
  }

  /** How many hosts have a connection. */
  get hosts(): number {
    return this.#hosts.size;
  }

  /**
   * @param onEvict Has the connection closed, because its place is needed; it has left then.
   * @returns `null` if there is no place for a connection from this address.
   */
  enter(address: string, nowMs: number, onEvict: () => void): Place | null {
    const { host, network } = sourceOf(address);
    const { total, unprovenPerHost, perHost } = this.#limits;
    const counts = this.#hosts.get(host) ?? { unproven: 0, held: 0 };
    if (counts.unproven >= unprovenPerHost || counts.held >= perHost) return null;
    const isTrusted = this.#standing.isGood(host, nowMs);
    const evict = () => {
      leave();
      onEvict();
    };
    const entry: FairPlace = { network, isTrusted, onEvict: evict };
    if (this.#total >= total && !this.#unproven.makeRoom(entry)) return null;
    if (!this.#unproven.enter(entry)) return null;
    this.#total++;
    counts.unproven++;
    counts.held++;
    this.#hosts.set(host, counts);
    let isUnproven = true;
    let isHeld = true;
    let isInside = true;
    const settle = () => {
      if (!isUnproven) return;
      isUnproven = false;
      counts.unproven--;
      this.#unproven.leave(entry);
    };
    const discharge = () => {
      settle();
      if (isHeld) counts.held--;
      isHeld = false;
      if (counts.held === 0 && this.#hosts.get(host) === counts) this.#hosts.delete(host);
    };
    const leave = () => {
      discharge();
      if (isInside) this.#total--;
      isInside = false;
    };
    const prove = () => {
      settle();
      this.#standing.good(host);
    };
    return { isTrusted, prove, discharge, leave };
  }

  /** A connection of this address ended without any sense. */
  blame(address: string, nowMs: number): void {
    this.#standing.bad(sourceOf(address).host, nowMs);
  }
}
