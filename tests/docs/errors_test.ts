import { deepEqual, equal } from "node:assert/strict";
import { isRefusalCode, REFUSALS } from "../../lib/refusal/mod.ts";
import { collectCodes } from "../../scripts/docs/error_codes.ts";
import { renderErrors } from "../../scripts/docs/error_pages.ts";
import { format } from "../../scripts/docs/config_reference.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("docs/errors.md is what scripts/docs/error_pages.ts writes", async () => {
  equal(await Deno.readTextFile(`${ROOT}docs/errors.md`), await format(renderErrors()));
});

Deno.test("the table of refusals has every code of the sources, and no other", async () => {
  const codes = (await collectCodes(`${ROOT}lib`)).map(({ code }) => code);
  deepEqual({
    missing: codes.filter((code) => !isRefusalCode(code)),
    gone: Object.keys(REFUSALS).filter((code) => !codes.includes(code)),
  }, { missing: [], gone: [] });
});

Deno.test("docs/errors.md has a row for every code, once, with what happened and what to do", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/errors.md`);
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  const codes = rows.map((row) => /^\| `([a-z0-9-]+)`/.exec(row)?.[1]);
  deepEqual(codes.toSorted(), Object.keys(REFUSALS).sort());
  const poor = rows.filter((row) =>
    row.split(/(?<!\\)\|/).slice(1, -1).some((cell) => cell.trim() === "")
  );
  deepEqual(poor, []);
});
