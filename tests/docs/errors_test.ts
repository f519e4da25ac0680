import { deepEqual } from "node:assert/strict";
import { collectCodes } from "../../scripts/docs/error_codes.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The codes in the first column of the page's tables, in order. */
async function documentedCodes(): Promise<string[]> {
  const page = await Deno.readTextFile(`${ROOT}docs/errors.md`);
  return [...page.matchAll(/^\| `([a-z0-9-]+)`/gm)].map(([, code = ""]) => code);
}

Deno.test("docs/errors.md explains every code of the sources, and no other", async () => {
  const codes = (await collectCodes(`${ROOT}lib`)).map(({ code }) => code);
  const documented = new Set(await documentedCodes());
  deepEqual({
    missing: codes.filter((code) => !documented.has(code)),
    gone: [...documented].filter((code) => !codes.includes(code)),
  }, { missing: [], gone: [] });
});

Deno.test("docs/errors.md explains a code once", async () => {
  const codes = await documentedCodes();
  deepEqual(codes.filter((code, i) => codes.indexOf(code) !== i), []);
});

Deno.test("docs/errors.md says of every code what happened and what to do", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/errors.md`);
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  const poor = rows.filter((row) =>
    row.split(/(?<!\\)\|/).slice(1, 4).some((cell) => cell.trim() === "")
  );
  deepEqual(poor, []);
});
