import { deepEqual, equal, notEqual } from "node:assert/strict";
import { withReason } from "../../needs.ts";
import { type Kind, lackingFor, machine, tell } from "./kind.ts";

/** Makes a test of a host's story, each line it tells a step; with `CI` set, lack of root or of a program is a failure. */
export async function testKind(name: string, kind: Kind): Promise<void> {
  const missing = await lackingFor(kind);
  const isExcused = missing.some((thing) => /^\/dev\/|^overlayfs$| /.test(thing));
  const mustRun = Deno.env.get("CI") !== undefined && !isExcused;
  Deno.test({
    name: withReason(name, missing),
    ignore: missing.length > 0 && !mustRun,
    fn: async (t) => {
      if (missing.length > 0) throw new Error(`This machine lacks ${missing.join(", ")}`);
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
