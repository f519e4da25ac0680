/**
 * Values that a shell can complete: what there is of a kind is known while completing, and at no other time.
 *
 * @module
 */
import type { NonEmptyString } from "@optique/core/nonempty";
import { string, type ValueParser } from "@optique/core/valueparser";

/** What values there are to complete. */
export type Kind =
  | "app"
  | "name"
  | "profile"
  | "cluster"
  | "check"
  | "topic"
  | "kind"
  | "resource"
  | "zone";

/** What there is of each kind. */
export type KnownValues = Readonly<Record<Kind, readonly string[]>>;

let values: KnownValues | null = null;

/** Says what there is, before the parser is asked for suggestions. */
export function setKnownValues(known: KnownValues): void {
  values = known;
}

/** A text of which the shell completes the ones there are; any other will do as well. */
export function known(kind: Kind, metavar: NonEmptyString): ValueParser<"sync", string> {
  return {
    ...string({ metavar }),
    *suggest(prefix) {
      // Of a list, the last one is being typed.
      const done = prefix.slice(0, prefix.lastIndexOf(",") + 1);
      for (const text of values?.[kind] ?? []) {
        if (`${done}${text}`.startsWith(prefix)) yield { kind: "literal", text: `${done}${text}` };
      }
    },
  };
}
