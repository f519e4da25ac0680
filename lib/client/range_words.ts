/**
 * What the user said about ranges that clusters want, on disk: nobody is asked the same twice.
 *
 * @module
 */
import { z } from "zod";
import { readVirtualRange } from "../config/mod.ts";
import { readFileIfThere, writeFileAtomic } from "../io/mod.ts";
import { parseJson } from "../json.ts";
import { getLogger } from "../log.ts";
import { MAX_RANGE_WORDS, type RangeWord } from "../plan/mod.ts";

const log = getLogger("client", "state");

const WordsSchema = z.object({
  schema: z.literal("vnet.range_words/1"),
  words: z.array(z.object({
    profile: z.string().max(300),
    range: z.string().refine((text) => readVirtualRange(text).kind === "range"),
    taken: z.boolean(),
  })).max(MAX_RANGE_WORDS),
});

/** Reads them. @returns None where there are none, or none that can be understood: then it is asked again. */
export async function readRangeWords(stateDir: string): Promise<readonly RangeWord[]> {
  const text = await readFileIfThere(pathOf(stateDir));
  if (text === null) return [];
  const parsed = WordsSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    log.warning("Ignored what was said about ranges", { path: pathOf(stateDir) });
    return [];
  }
  return parsed.data.words.map(({ profile, range, taken }) => ({
    profile,
    range,
    isTaken: taken,
  }));
}

/** Writes what {@link readRangeWords} reads. */
export async function writeRangeWords(
  stateDir: string,
  words: readonly RangeWord[],
): Promise<void> {
  const content: z.input<typeof WordsSchema> = {
    schema: "vnet.range_words/1",
    words: words.map(({ profile, range, isTaken }) => ({ profile, range, taken: isTaken })),
  };
  await writeFileAtomic(pathOf(stateDir), `${JSON.stringify(content)}\n`);
}

function pathOf(stateDir: string): string {
  return `${stateDir}/ranges.json`;
}
