import { equalIp, formatIp, type IpAddress } from "../ip/mod.ts";
import type { Outcome } from "./facts.ts";

/** Writes what came of asking for a name. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "addresses":
      return outcome.addresses.map(formatIp).join(" ");
    case "negative":
      return outcome.code;
    case "silent":
      return `no answer within ${outcome.afterMs} ms`;
    case "unreachable":
      return outcome.reason;
    default:
      return outcome satisfies never;
  }
}

/** Tells whether an answer is the one address it must be; others may stand beside it. */
export function isAnswer(outcome: Outcome, wanted: IpAddress): boolean {
  return outcome.kind === "addresses" &&
    outcome.addresses.some((address) => equalIp(address, wanted));
}
