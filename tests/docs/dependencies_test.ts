import { deepEqual, ok } from "node:assert/strict";
import { ROOT } from "./pages.ts";

Deno.test("README and ARCHITECTURE name every package that deno.json pins", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`)) as {
    imports: Record<string, string>;
  };
  const packages = Object.values(imports)
    .flatMap((target) => /^npm:((?:@[^/]+\/)?[^@/]+)@/.exec(target)?.[1] ?? [])
    .filter((name) => !name.startsWith("@types/"));
  ok(packages.length > 5);
  for (const page of ["README.md", ".github/ARCHITECTURE.md"]) {
    const text = await Deno.readTextFile(`${ROOT}${page}`);
    deepEqual(packages.filter((name) => !text.includes(`\`${name}\``)), [], page);
  }
});
