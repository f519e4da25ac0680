/**
 * What may come next on a command line.
 *
 * @module
 */
import { type Suggestion, suggestSync } from "@optique/core/parser";
import type { Context } from "../context.ts";
import { setKnownValues } from "./known_values.ts";
import { PARSER } from "./parser.ts";

/**
 * Lists what may stand in place of the last of these words, from what is on disk. Only for names of resources the
 * server of this machine is asked, and that briefly.
 * Whatever goes wrong, there is nothing to suggest.
 */
export async function suggest(
  context: Pick<Context, "paths" | "env" | "globals">,
  words: readonly [string, ...string[]],
): Promise<readonly Suggestion[]> {
  try {
    const { readKnownValues } = await import("../known_state.ts");
    setKnownValues(await readKnownValues(context, words));
    return suggestSync(PARSER, words);
  } catch {
    return [];
  }
}
