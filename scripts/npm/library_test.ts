/** The npm package as its user has it: installed by npm, run by Node, type-checked by TypeScript. */
import { Buffer } from "node:buffer";
import { needing } from "../../tests/needs.ts";
import { deepEqual, equal, ok } from "node:assert/strict";
import { root } from "../pack/run.ts";
import { packLibrary, tarballName } from "./library.ts";

const FACTS = { version: "0.1.0", timeMs: Date.UTC(2026, 0, 31) };

async function output(command: string, args: string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env: { NO_COLOR: "1" },
  })
    .output();
  const text = new TextDecoder();
  equal(code, 0, `${command} ${args.join(" ")}: ${text.decode(stdout)}${text.decode(stderr)}`);
  return text.decode(stdout);
}

/** @returns The text of every TypeScript block of the README. */
async function examples(): Promise<string[]> {
  const readme = await Deno.readTextFile(`${root}scripts/npm/README.md`);
  return [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]!);
}

Deno.test(needing(["npm"], "the npm package works in Node, example by example", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "vnet-npm-test-" });
  try {
    const tarball = `${folder}/${tarballName(FACTS)}`;
    const bytes = await packLibrary(FACTS);
    await Deno.writeFile(tarball, bytes);
    await t.step("is the same bytes for the same tree", async () => {
      equal(Buffer.compare(await packLibrary(FACTS), bytes), 0);
    });
    await t.step("has scripts, types and documents, and nothing else", async () => {
      const names = (await output("tar", ["--list", "--file", tarball], folder)).trim().split("\n");
      const odd = names.filter((name) =>
        !/\/$|\.(js|d\.ts)$|\/(LICENSE|README\.md|package\.json)$/.test(name)
      );
      deepEqual(odd, []);
      deepEqual(names.filter((name) => /test|snap/.test(name)), []);
    });

    await Deno.writeTextFile(`${folder}/package.json`, `{ "private": true, "type": "module" }`);
    const typescript = ["typescript@7.0.2", "@types/node@20"];
    const install = ["install", "--silent", "--no-audit", "--no-fund", "--prefer-offline"];
    await output("npm", [...install, tarball, ...typescript], folder);

    const blocks = await examples();
    ok(blocks.length >= 6);
    for (const [i, block] of blocks.entries()) {
      await t.step(`example ${i + 1} runs`, async () => {
        await Deno.writeTextFile(`${folder}/example${i}.mjs`, block);
        await output("node", [`example${i}.mjs`], folder);
        await Deno.writeTextFile(`${folder}/example${i}.mts`, block);
      });
    }
    await t.step("and every example and declaration passes TypeScript's strictest", async () => {
      const strict = [
        "--noEmit",
        "--strict",
        "--exactOptionalPropertyTypes",
        "--noUncheckedIndexedAccess",
      ];
      const options = [
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--lib",
        "es2023",
        "--types",
        "node",
      ];
      const files = blocks.map((_, i) => `example${i}.mts`);
      await output("npx", ["--no-install", "tsc", ...strict, ...options, ...files], folder);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}));
