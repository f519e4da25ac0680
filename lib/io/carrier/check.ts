import type { Endpoint, IpAddress } from "../../ip/mod.ts";
import type { ClientCarrier } from "./client.ts";

/** How long the other end has to answer after the network changed. */
const ANSWER_MS = 3_000;

/** What there is around the carriers. */
export interface CarrierSurroundings {
  look(): {
    hasAddress(address: IpAddress): boolean;
    hasWay(address: IpAddress): boolean;
  };
  unheard(): (source: Endpoint, destination: Endpoint) => boolean;
}

/**
 * Closes the carriers that lead nowhere since the network is another: at once those whose own address has left the
 * machine, and after three seconds those whose other end is silent.
 *
 * A flow that stands still for a program that does not read, here or there, has its ping unanswered as well: it goes on
 * as long as the other end's kernel acknowledges. While there is no way at all, nobody can be asked: a flow waits for the
 * next change then, and what is idle is closed.
 *
 * @param wait Waits so many ms.
 */
export async function closeDead(
  carriers: readonly ClientCarrier[],
  around: CarrierSurroundings,
  wait: (ms: number) => Promise<void>,
): Promise<void> {
  const { hasAddress, hasWay } = around.look();
  const asked: { readonly carrier: ClientCarrier; readonly heard: number }[] = [];
  for (const carrier of carriers) {
    const { source, destination } = carrier.way ?? { source: null, destination: null };
    const isLeft = source !== null && !hasAddress(source.address);
    const isCut = destination !== null && !hasWay(destination.address);
    if (isLeft || (isCut && !carrier.isBusy)) {
      carrier.close();
    } else if (!isCut) {
      asked.push({ carrier, heard: carrier.heard });
      carrier.ping();
    }
  }
  if (asked.length === 0) return;
  await wait(ANSWER_MS);
  const silent = asked.filter(({ carrier, heard }) => carrier.isOpen && carrier.heard === heard)
    .map(({ carrier }) => carrier);
  if (silent.length === 0) return;
  const isUnheard = around.unheard();
  for (const carrier of silent) {
    const { source, destination } = carrier.way ?? { source: null, destination: null };
    const isGone = source !== null && destination !== null && isUnheard(source, destination);
    if (isGone || !carrier.isBusy) carrier.close();
  }
}
