/**
 * The npm package of the pure modules: `deno pack` makes the JavaScript and the manifest, `deno transpile` the
 * types, which `deno pack` cannot infer of zod's schemas.
 *
 * @module
 */
import { gzipSync } from "node:zlib";
import { dirname } from "node:path";
import { deno, root, withFolder } from "../pack/run.ts";
import { run } from "../release/deb.ts";

/** What the package has, each by its mod.ts. */
const MODULES = ["ip", "cidr", "dns", "config", "refusal", "plan", "status", "health"] as const;
/** What these import beside each other. */
const LEAVES = ["error.ts"] as const;

/** What goes into the manifest. */
export interface LibraryFacts {
  readonly version: string;
  readonly timeMs: number;
}

/** The name of the file that npm would give the package. */
export function tarballName({ version }: LibraryFacts): string {
  return `vnet-lib-${version}.tgz`;
}

/** Makes the package. @returns The tarball's bytes; the same for the same tree. */
export function packLibrary(facts: LibraryFacts): Promise<Uint8Array> {
  return withFolder(async (folder) => {
    const source = `${folder}/source`;
    await copySources(source);
    await Deno.writeTextFile(`${source}/deno.json`, await renderDenoJson(facts));
    const pack = ["pack", "--quiet", "--allow-slow-types", "--allow-dirty", "--no-source-maps"];
    await deno("pack-failed", { args: [...pack, "--output", `${folder}/pack.tgz`], cwd: source });
    await run("tar", {
      args: ["--extract", "--gzip", "--file", `${folder}/pack.tgz`, "--directory", folder],
    });

    const entries = MODULES.map((name) => `${name}/mod.ts`);
    const types = ["transpile", "--quiet", "--declaration", "--outdir", `${folder}/types`];
    await deno("types-failed", { args: [...types, ...entries], cwd: source });
    await addTypes({ from: `${folder}/types`, source, to: `${folder}/package` });
    await completeManifest(`${folder}/package/package.json`);
    await Deno.copyFile(`${root}LICENSE`, `${folder}/package/LICENSE`);
    await Deno.copyFile(`${root}scripts/npm/README.md`, `${folder}/package/README.md`);
    return await archive(folder, facts.timeMs);
  });
}

/** Copies the modules without what only tests need. */
async function copySources(target: string): Promise<void> {
  for (const name of MODULES) {
    for (const path of filesBelow(`${root}lib/${name}`)) {
      if (!path.endsWith(".ts") || path.endsWith("_test.ts")) continue;
      const copy = `${target}/${path.slice(`${root}lib/`.length)}`;
      await Deno.mkdir(dirname(copy), { recursive: true });
      await Deno.copyFile(path, copy);
    }
  }
  for (const name of LEAVES) await Deno.copyFile(`${root}lib/${name}`, `${target}/${name}`);
}

async function renderDenoJson({ version }: LibraryFacts): Promise<string> {
  const { imports, license } = JSON.parse(
    await Deno.readTextFile(`${root}deno.json`),
  );
  const exports = Object.fromEntries(MODULES.map((name) => [`./${name}`, `./${name}/mod.ts`]));
  const { zod, yaml, tldts, re2js } = imports;
  return JSON.stringify({
    name: "@vnet/lib",
    version,
    license,
    exports,
    nodeModulesDir: "none",
    imports: { zod, yaml, tldts, re2js },
  });
}

/** Puts each declaration beside its script, and has it name scripts rather than sources and the build's folder. */
async function addTypes(
  { from, source, to }: { readonly from: string; readonly source: string; readonly to: string },
): Promise<void> {
  for (const path of filesBelow(from).filter((path) => path.endsWith(".d.ts"))) {
    const text = await Deno.readTextFile(path);
    // A type that is inferred names its module by where it was
    const up = "../".repeat(path.slice(from.length).split("/").length - 2);
    const named = text
      .replaceAll(`"file://${source}/`, `"${up === "" ? "./" : up}`)
      .replace(/^\/\/\/ <amd-module .*\n/gm, "")
      .replace(/((?:from|import\()\s*"\.[^"]*)\.ts"/g, '$1.js"');
    await Deno.writeTextFile(`${to}${path.slice(from.length)}`, named);
  }
}

interface Manifest {
  readonly exports: Readonly<Record<string, { readonly import: string }>>;
  readonly [key: string]: unknown;
}

/** Says where the types are, and what npm shows of a package. */
async function completeManifest(path: string): Promise<void> {
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(path));
  const exports = Object.fromEntries(
    Object.entries(manifest.exports).map(([name, ways]) => [
      name,
      { types: ways.import.replace(/\.js$/, ".d.ts"), ...ways },
    ]),
  );
  const complete = {
    ...manifest,
    description:
      "vnet's addresses, DNS messages, configuration and JSON documents: what only computes",
    exports: { ...exports, "./package.json": "./package.json" },
    engines: { node: ">=20" },
    sideEffects: false,
  };
  await Deno.writeTextFile(path, `${JSON.stringify(complete, null, 2)}\n`);
}

async function archive(folder: string, timeMs: number): Promise<Uint8Array> {
  const time = `--mtime=@${Math.floor(timeMs / 1000)}`;
  const owner = ["--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX"];
  const args = [
    "--create",
    "--format=ustar",
    "--sort=name",
    time,
    ...owner,
    "--directory",
    folder,
    "package",
  ];
  return gzipSync(await run("tar", { args }), { level: 9 });
}

function filesBelow(folder: string): string[] {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap((entry) =>
    entry.isDirectory ? filesBelow(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]
  );
}
