/**
 * What may come next on a command line.
 *
 * @module
 */
import { type Suggestion, suggestSync } from "@optique/core/parser";
import type { Paths } from "../../client/paths.ts";
import { setKnownValues } from "./known_values.ts";
import { PARSER } from "./parser.ts";

/**
 * Lists what may stand in place of the last of these words, from what is on disk: nobody is asked, nothing waits.
 * Whatever goes wrong, there is nothing to suggest.
 */
export async function suggest(
  paths: Paths,
  words: readonly [string, ...string[]],
): Promise<readonly Suggestion[]> {
  try {
    const { readKnownValues } = await import("../known_state.ts");
    setKnownValues(await readKnownValues(paths, words));
    return suggestSync(PARSER, words);
  } catch {
    return [];
  }
}
