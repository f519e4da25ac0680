import { deepEqual, equal, notEqual } from "node:assert/strict";
import { type Kind, lacking, machine, tell } from "./kind.ts";

/** Makes a test of a host's story, each line it tells a step; with `CI` set, lack of root is a failure. */
export async function testKind(name: string, kind: Kind): Promise<void> {
  const lack = await lacking(kind);
  const mustRun = Deno.env.get("CI") !== undefined && lack === "root";
  Deno.test({
    name: `${name}${lack === null ? "" : ` (needs ${lack})`}`,
    ignore: lack !== null && !mustRun,
    fn: async (t) => {
      if (lack !== null) throw new Error(`This machine lacks ${lack}`);
      const before = await machine();
      let checks = 0;
      for (const { name, failure } of await tell(kind)) {
        checks++;
        await t.step(name, () => equal(failure, null, failure ?? ""));
      }
      notEqual(checks, 0, "the story said nothing");
      deepEqual(await machine(), before);
    },
  });
}
