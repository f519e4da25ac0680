import { deepEqual, notEqual } from "node:assert/strict";
import { packageRows, rowsIn } from "./packages_table.ts";

Deno.test("docs/develop.md has the table of packages as setup knows them", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/develop.md", import.meta.url));
  notEqual(rowsIn(page).length, 0);
  deepEqual(rowsIn(page), packageRows());
});
