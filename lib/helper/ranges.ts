/**
 * What a client may lead into its link, by what the helper itself sees of the machine at that moment.
 *
 * @module
 */
import { foreignPrefixes } from "../plan/mod.ts";
import type { IpAddress, Prefix } from "../ip/mod.ts";
import type { RootMachine } from "../os/mod.ts";
import { judgeRange } from "./range_judge.ts";

/** What is judged by beside what the machine shows. */
export interface RangeTerms {
  /** What root lets clients have beside 100.64.0.0/10. */
  readonly allowed: readonly Prefix[];
  /** Nameservers that no file of the machine names any more, since its resolver points at a vnet. */
  readonly nameservers: readonly IpAddress[];
}

/** The client's own link; `null` while there is none. */
interface Own {
  readonly ifindex: number;
  readonly routes: readonly Prefix[];
}

type Ground = Pick<RootMachine, "routing">;

/** @throws VnetError `range-refused`, `range-forbidden`, `range-conflict`, `range-in-use` */
export function refuseRanges(
  machine: Ground,
  wanted: readonly Prefix[],
  terms: RangeTerms,
  own: Own | null,
): void {
  if (wanted.length === 0) return;
  const hidden = terms.nameservers.map((address) => ({ kind: "nameserver", address }) as const);
  const seen = {
    foreign: listForeign(machine, own?.ifindex ?? null),
    occupants: [...machine.routing.occupants(), ...hidden],
    own: own?.routes ?? [],
  };
  for (const prefix of wanted) {
    const refusal = judgeRange(prefix, terms.allowed, seen);
    if (refusal !== null) throw refusal;
  }
}

/** What others than a link have routes to, or addresses in. */
export function listForeign({ routing }: Ground, ownIfindex: number | null): readonly Prefix[] {
  const facts = { routes: routing.routes(), addresses: routing.addresses() };
  return foreignPrefixes(facts, ownIfindex);
}
