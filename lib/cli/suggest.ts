/**
 * What may come next on a command line.
 *
 * @module
 */
import { type Suggestion, suggestSync } from "@optique/core/parser";
import { PARSER } from "./parser.ts";

/** Lists what may stand in place of the last of these words. Whatever goes wrong, there is nothing to suggest. */
export function suggest(words: readonly [string, ...string[]]): readonly Suggestion[] {
  try {
    return suggestSync(PARSER, words);
  } catch {
    return [];
  }
}
