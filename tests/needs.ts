/**
 * What a test needs of the machine, asked for in one way: it is ignored, and its name says what is missing, so that
 * scripts/run_tests.ts can tell all of it in one table. With `CI` set a missing program fails the test.
 *
 * @module
 */
import { isThere } from "../scripts/setup/machine.ts";

/** A test, or a step of one, as `Deno.test` and `t.step` take it. */
export interface Needing {
  readonly name: string;
  readonly ignore: boolean;
  readonly fn: (t: Deno.TestContext) => void | Promise<void>;
}

/** @returns What of these is not there: programs, files by their path, `root` and `Linux`. */
export function lacking(things: readonly string[]): string[] {
  return things.filter((thing) => {
    if (thing === "root") return Deno.uid() !== 0;
    if (thing === "Linux") return Deno.build.os !== "linux";
    return !isThere(thing);
  });
}

/** A test's name with what it lacks, as the table at the end reads it. */
export function withReason(name: string, missing: readonly string[]): string {
  return missing.length === 0 ? name : `${name} (needs ${missing.join(", ")})`;
}

/** Declares a test that needs things of the machine. */
export function needing(
  things: readonly string[],
  name: string,
  fn: Needing["fn"],
): Needing {
  const missing = lacking(things);
  const programs = missing.filter((thing) => !/^(root|Linux|\/dev\/.*)$/.test(thing));
  // Whoever may not do a thing is not told that a program for it is missing.
  const mustRun = Deno.env.get("CI") !== undefined && programs.length === missing.length;
  return {
    name: withReason(name, missing),
    ignore: missing.length > 0 && !mustRun,
    fn: (t) => {
      if (missing.length > 0) throw new Error(`This machine lacks ${missing.join(", ")}`);
      return fn(t);
    },
  };
}
