import { deepEqual } from "node:assert/strict";
import {
  findCircles,
  type Module,
  modulesByFolder,
  parseModule,
  readModules,
} from "./import_graph.ts";

const ROOT = new URL("../", import.meta.url);
const MAX_CODE_LINES = 400;
const MAX_MODULES_IN_FOLDER = 15;

Deno.test("no production module imports itself by way of others", async () => {
  const circles = findCircles(await readModules(ROOT));
  deepEqual(circles.map((circle) => circle.join(" → ")), []);
});

Deno.test("no production module is longer than 400 code lines", async () => {
  const long = (await readModules(ROOT)).filter(({ codeLines }) => codeLines > MAX_CODE_LINES);
  deepEqual(long.map(({ path, codeLines }) => `${path}: ${codeLines}`), []);
});

Deno.test("no production folder holds more than 15 modules", async () => {
  const full = [...modulesByFolder(await readModules(ROOT))]
    .filter(([, count]) => count > MAX_MODULES_IN_FOLDER);
  deepEqual(full.map(([folder, count]) => `${folder}: ${count}`), []);
});

Deno.test("every import of a production module names one that is there", async () => {
  const modules = await readModules(ROOT);
  const paths = new Set(modules.map(({ path }) => path));
  const missing = modules.flatMap(({ path, imports, lazyImports }) =>
    [...imports, ...lazyImports].filter((to) => !paths.has(to)).map((to) => `${path}: ${to}`)
  );
  deepEqual(missing, []);
});

Deno.test("parseModule() finds every form of import, and no other", async (t) => {
  const cases: [code: string, imports: string[], lazyImports: string[]][] = [
    [`import { x } from "./b.ts";`, ["lib/ip/b.ts"], []],
    [`import type { X } from "../b.ts";`, ["lib/b.ts"], []],
    [`import { type X, y as $y } from "./b.ts";`, ["lib/ip/b.ts"], []],
    [`import b from "./b.ts";`, ["lib/ip/b.ts"], []],
    [`import * as b from "./b.ts";`, ["lib/ip/b.ts"], []],
    [`import "./b.ts";`, ["lib/ip/b.ts"], []],
    [`export * from "./b.ts";\nexport { c } from "./c.ts";`, ["lib/ip/b.ts", "lib/ip/c.ts"], []],
    [`import {\n  x, // why\n  y,\n} from "./b.ts";`, ["lib/ip/b.ts"], []],
    [`import { x } from "./b.ts";\nexport { y } from "./b.ts";`, ["lib/ip/b.ts"], []],
    [`export const x = 1;\nimport { y } from "./b.ts";`, ["lib/ip/b.ts"], []],
    [`const b = await import("./b.ts");`, [], ["lib/ip/b.ts"]],
    [`/**\n * import { x } from "./b.ts";\n */`, [], []],
    [`// import { x } from "./b.ts";`, [], []],
    [`import page from "../../docs/dns.md" with { type: "text" };`, [], []],
    [`import { z } from "zod";\nimport "node:net";`, [], []],
    [`export function from() {}\nconst text = "./b.ts";`, [], []],
  ];
  for (const [code, imports, lazyImports] of cases) {
    await t.step(code, () => {
      const module = parseModule("lib/ip/a.ts", code);
      deepEqual([module.imports, module.lazyImports], [imports, lazyImports]);
    });
  }
});

Deno.test("parseModule() counts lines that are neither blank nor only comment", async (t) => {
  const cases: [code: string, codeLines: number][] = [
    ["", 0],
    ["a();\n\n  b();\n", 2],
    ["// one\na(); // two\n", 1],
    ["/** one */\na();\n", 1],
    ["/**\n * one\n */\na();\n", 1],
    ["/* one */ a();\n", 1],
  ];
  for (const [code, codeLines] of cases) {
    await t.step(JSON.stringify(code), () => {
      deepEqual(parseModule("lib/a.ts", code).codeLines, codeLines);
    });
  }
});

Deno.test("findCircles() gives the shortest way round from every module on a circle", async (t) => {
  const cases: [name: string, edges: Record<string, string>, want: string[]][] = [
    ["none", { a: "b c", b: "c", c: "" }, []],
    ["itself", { a: "a" }, ["a a"]],
    ["two", { a: "b", b: "a" }, ["a b a"]],
    ["two that share a part", { a: "b", b: "c d", c: "d", d: "a" }, ["a b d a", "c d a b c"]],
    ["two that do not meet", { a: "b", b: "a", c: "d", d: "c" }, ["a b a", "c d c"]],
    ["reached from outside", { a: "b", b: "c", c: "b" }, ["b c b"]],
  ];
  for (const [name, edges, want] of cases) {
    await t.step(name, () => {
      const modules = Object.entries(edges).map(([path, imports]): Module => ({
        path,
        imports: imports.split(" ").filter(Boolean),
        lazyImports: [],
        codeLines: 1,
      }));
      deepEqual(findCircles(modules).map((circle) => circle.join(" ")), want);
    });
  }
});
