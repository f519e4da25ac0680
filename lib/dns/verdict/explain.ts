/**
 * Verdicts in words, for `vnet resolve` and the log of one query.
 *
 * @module
 */

import { formatRcode, formatRrType, RR_TYPE } from "../wire/codes.ts";
import type { Question } from "../wire/query.ts";
import { ANSWER_TTL_SECONDS, type Verdict } from "./verdict.ts";
import { decodeIp, formatIp } from "../../ip/mod.ts";
import { decodeName } from "../wire/wire_name.ts";

/** Says in one sentence which rule gave the verdict and what it made of the question. */
export function explain(question: Question, verdict: Verdict): string {
  return `${reason(question, verdict)}: ${outcome(verdict)}`;
}

/** Writes the answers of a verdict, one line each: `A 100.64.0.7`. */
export function formatAnswers(verdict: Verdict): string[] {
  if (verdict.kind !== "answer") return [];
  return verdict.answers.map(({ type, rdata }) => {
    const address = type === RR_TYPE.A || type === RR_TYPE.AAAA ? decodeIp(rdata) : null;
    const target = type === RR_TYPE.PTR || type === RR_TYPE.NS || type === RR_TYPE.SOA
      ? decodeName(rdata, 0)
      : null;
    const value = address !== null ? formatIp(address) : `${target?.name ?? ""}.`;
    return `${formatRrType(type)} ${value}`;
  });
}

function reason(question: Question, verdict: Verdict): string {
  const name = `"${question.name}"`;
  const type = formatRrType(question.type);
  const zone = "zone" in verdict && verdict.zone !== null ? `"${verdict.zone}"` : "";
  switch (verdict.rule) {
    case "app-address":
    case "app-any":
      return `${name} is an application in zone ${zone}`;
    case "app-no-family":
      return `${name} is an application in zone ${zone} without an address of this family`;
    case "app-other-type":
      return `${name} is an application in zone ${zone}, which has addresses and no ${type} record`;
    case "app-trouble":
      return `${name} is an application that cannot be used`;
    case "probe":
      return `${name} is a probe name of ours in zone ${zone}`;
    case "proxy-name":
      return `${name} is a proxy's own name and keeps its public address`;
    case "zone-apex":
      return `${name} is the apex of a zone and keeps its public records`;
    case "private-apex":
      return `${name} is the apex of a private zone`;
    case "private-unknown":
      return `${name} is no application in zone ${zone}, which is private`;
    case "empty-non-terminal":
      return `${name} has applications below it in zone ${zone} and nothing itself`;
    case "zone-unknown":
      return `${name} is no application in zone ${zone}, and others may publish names there`;
    case "reverse-known":
      return `${name} is the reverse name of a virtual address`;
    case "reverse-unknown":
      return `${name} is the reverse name of a virtual address that nothing has`;
    case "doh-canary":
      return `${name} tells browsers whether to bypass the system's resolver, and they must not`;
    case "meta-type":
      return `${type} asks for no record`;
    case "foreign-class":
      return `${name} is asked for in a class other than IN`;
    case "outside":
      return `${name} lies in no zone of ours`;
    default:
      return verdict.rule satisfies never;
  }
}

function outcome(verdict: Verdict): string {
  switch (verdict.kind) {
    case "answer":
      return `answered here with ${formatAnswers(verdict).join(", ")}, TTL ${ANSWER_TTL_SECONDS} s`;
    case "no-data":
      return "answered here with no data";
    case "nx-domain":
      return `answered here with NXDOMAIN${because(verdict)}`;
    case "refuse":
      return `answered here with ${formatRcode(verdict.rcode)}${because(verdict)}`;
    case "forward":
      return "forwarded to the upstream resolvers";
    default:
      return verdict satisfies never;
  }
}

function because(verdict: { readonly error: { readonly text: string } | null }): string {
  return verdict.error === null ? "" : ` (${verdict.error.text})`;
}
