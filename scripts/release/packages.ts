/**
 * The npm packages that are inside the executable: what the program imports, and what that needs.
 *
 * @module
 */
import { deno, root } from "../pack/run.ts";

/** One package with what its licence asks to be passed on. */
export interface ShippedPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression, as the package says. */
  readonly license: string;
  readonly licenseText: string;
  /** Subresource integrity of its tarball, from deno.lock. */
  readonly integrity: string;
}

/** The part of `deno info --json` that is used here. */
export interface ModuleGraph {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<
    Record<string, {
      readonly name: string;
      readonly version: string;
      readonly dependencies: readonly string[];
      readonly localPath: string;
    }>
  >;
}

/** @returns Keys of the packages a graph's modules come from and need in turn, sorted. */
export function reachable(graph: ModuleGraph): string[] {
  const found = new Set<string>();
  const waiting = graph.modules.flatMap((m) => m.npmPackage ?? []);
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    if (found.has(key)) continue;
    found.add(key);
    waiting.push(...graph.npmPackages[key]?.dependencies ?? []);
  }
  // Types are gone once the program is bundled.
  return [...found].filter((key) => !key.startsWith("@types/")).sort();
}

/** Reads the packages of the program that starts at a file. */
export async function shippedPackages(entry: string): Promise<ShippedPackage[]> {
  const graph: ModuleGraph = JSON.parse(
    await deno("graph-failed", { args: ["info", "--json", entry], cwd: root }),
  );
  const lock = JSON.parse(await Deno.readTextFile(`${root}deno.lock`));
  return await Promise.all(
    reachable(graph).map(async (key) => {
      const { name, version, localPath } = graph.npmPackages[key]!;
      const { license } = JSON.parse(await Deno.readTextFile(`${localPath}/package.json`));
      return {
        name,
        version,
        license: String(license),
        licenseText: await licenseText(localPath),
        integrity: String(lock.npm[key]?.integrity ?? ""),
      };
    }),
  );
}

/** @returns The text of every licence file of a package, empty if it has none. */
async function licenseText(folder: string): Promise<string> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isFile && /^(licen[cs]e|copying|notice)/i.test(entry.name)) names.push(entry.name);
  }
  const texts = names.sort().map((name) => Deno.readTextFile(`${folder}/${name}`));
  return (await Promise.all(texts)).map((text) => text.trim()).join("\n\n");
}
