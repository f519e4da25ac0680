/**
 * The messages that hostile ones are made of.
 *
 * @module
 */
const FIXTURES = new URL("../../tests/fixtures/wire/", import.meta.url);

/** Reads the messages of one file: hexadecimal, a line each; lines with `#` say what the next one is. */
export function readHex(file: string): readonly Uint8Array<ArrayBuffer>[] {
  return linesOf(file).filter((line) => !line.startsWith("#")).map((line) =>
    Uint8Array.fromHex(line)
  );
}

/** A message of JSON, and what it is. */
export interface Sample {
  readonly schema: string;
  readonly value: unknown;
}

/** Reads the messages of one file: JSON, a line each. */
export function readSamples(file: string): readonly Sample[] {
  return linesOf(file).map((line) => JSON.parse(line));
}

function linesOf(file: string): readonly string[] {
  return Deno.readTextFileSync(new URL(file, FIXTURES)).split("\n").filter((line) => line !== "");
}
