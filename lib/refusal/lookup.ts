/**
 * Questions to the table. Codes that come from elsewhere may be anybody's: what is not ours is told by `null`.
 *
 * @module
 */
import type { ConnectionAnswer, NameError, Refusal } from "./refusal.ts";
import {
  type ApiRefusalCode,
  type ConnectionRefusalCode,
  type FindingCode,
  type RefusalCode,
  REFUSALS,
  type Section,
  SECTIONS,
} from "./table.ts";

/** What older peers say → the code that means it. */
const FORMER: ReadonlyMap<string, RefusalCode> = new Map([["locked", "access-locked"]]);

/** Says whether a code is one of ours. */
export function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(REFUSALS, code);
}

/** Says whether a connection can be refused with a code. */
export function isConnectionRefusal(code: string): code is ConnectionRefusalCode {
  return isRefusalCode(code) && "answer" in REFUSALS[code];
}

/** Says whether the cluster's API refuses with a code. */
export function isApiRefusal(code: string): code is ApiRefusalCode {
  return isRefusalCode(code) && "httpStatus" in REFUSALS[code];
}

/** Says whether `vnet status` warns with a code. */
export function isFindingCode(code: string): code is FindingCode {
  return isRefusalCode(code) && "finding" in REFUSALS[code];
}

/** Reads a code that a peer of any version says. @returns `null` if it is none of ours. */
export function readRefusalCode(told: string): RefusalCode | null {
  const former = FORMER.get(told);
  return former ?? (isRefusalCode(told) ? told : null);
}

/** Reads a code that a peer refuses a connection with. @returns `null` if it is none of ours. */
export function readConnectionRefusal(told: string): ConnectionRefusalCode | null {
  const code = readRefusalCode(told);
  return code !== null && isConnectionRefusal(code) ? code : null;
}

/** A code's row. */
export function refusalOf(code: RefusalCode): Refusal {
  return REFUSALS[code];
}

/** How a held SYN is answered. Who does not know the reason can only say that there is no way. */
export function connectionAnswer(told: string): ConnectionAnswer {
  const code = readRefusalCode(told);
  return code === null ? "icmp" : refusalOf(code).answer ?? "icmp";
}

/** What DNS says of a name that is refused with this code. @returns `null` if it says nothing about a name. */
export function nameErrorOf(told: string): NameError | null {
  const code = readRefusalCode(told);
  return code === null ? null : refusalOf(code).ede ?? null;
}

/** Where a code is explained: `docs/errors.md#connections`. */
export function pageOf(code: RefusalCode): string {
  const titles = Object.keys(SECTIONS) as Section[];
  const title = titles.find((title) => Object.hasOwn(SECTIONS[title], code)) ?? "Internal";
  return `docs/errors.md#${title.toLowerCase().replaceAll(" ", "-")}`;
}

/** Whether a peer's code says that a login is over, and not merely that something went wrong on the way. */
export function endsLogin(told: string): boolean {
  const code = readRefusalCode(told);
  return code !== null && refusalOf(code).endsLogin === true;
}
