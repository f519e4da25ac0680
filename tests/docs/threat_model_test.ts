import { deepEqual, ok } from "node:assert/strict";
import { ROOT } from "./pages.ts";
import { missingTest, rowsOf } from "./shown.ts";

Deno.test("every row of the threat model names a test that is there", async () => {
  const rows = rowsOf(await Deno.readTextFile(`${ROOT}docs/threat-model.md`), "Who gets what");
  ok(rows.length > 40, `${rows.length} rows`);
  deepEqual(rows.filter(({ length }) => length !== 4), []);
  const missing = await Promise.all(
    rows.map(([attempt = "", , , shown = ""]) => missingTest(attempt, shown)),
  );
  deepEqual(missing.filter((line) => line !== null), []);
});
