import { deepEqual } from "node:assert/strict";
import { missingTest, rowsOf } from "./shown.ts";
import { ROOT } from "./pages.ts";

/** Those that need neither leaf clusters, SSH nor databases. */
const NUMBERS = ["1", "2", "3", "4", "5", "6", "9", "11", "12", "14"];

Deno.test("every scenario of the developers' page names a test that is there", async () => {
  const rows = rowsOf(await Deno.readTextFile(`${ROOT}docs/develop.md`), "Scenarios");
  deepEqual([...new Set(rows.map(([number]) => number))], NUMBERS);
  const missing = await Promise.all(
    rows.map(([number, , shown = ""]) => missingTest(`${number}`, shown)),
  );
  deepEqual(missing.filter((line) => line !== null), []);
});
