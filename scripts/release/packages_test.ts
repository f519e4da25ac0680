import { deepEqual, equal } from "node:assert/strict";
import { root } from "../pack/mod.ts";
import { type ModuleGraph, reachable, shippedPackages } from "./packages.ts";

function graphOf(imports: string[], needs: Record<string, string[]>): ModuleGraph {
  const npmPackages = Object.fromEntries(
    Object.entries(needs).map(([key, dependencies]) => {
      const at = key.lastIndexOf("@");
      const [name, version] = [key.slice(0, at), key.slice(at + 1)];
      return [key, { name, version, dependencies, localPath: "/" }];
    }),
  );
  return { modules: [{}, ...imports.map((npmPackage) => ({ npmPackage }))], npmPackages };
}

Deno.test("reachable() follows imports to the end, and leaves out what nobody imports", () => {
  const graph = graphOf(["b@1"], {
    "a@1": [],
    "b@1": ["c@2", "@types/x@1"],
    "c@2": ["b@1", "d@3"],
    "d@3": [],
    "@types/x@1": [],
  });
  deepEqual(reachable(graph), ["b@1", "c@2", "d@3"]);
});

Deno.test("shippedPackages() knows the licence and the hash of everything in a program", async () => {
  const packages = await shippedPackages(`${root}scripts/pack/testdata/app.ts`);
  equal(packages.length > 10, true);
  deepEqual(packages.filter((p) => p.name === "fast-check"), [], "tests are not shipped");
  for (const p of packages) {
    equal(
      /^(MIT|ISC|0BSD|Apache-2\.0|BSD-[23]-Clause)$/.test(p.license),
      true,
      `${p.name}: ${p.license}`,
    );
    equal(p.integrity.startsWith("sha512-"), true, p.name);
  }
});
