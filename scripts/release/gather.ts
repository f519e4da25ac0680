/**
 * Gathers what an installation consists of from a built executable and the tree it was built from.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { packagedFiles } from "../../lib/cli/service/units.ts";
import { VERSION } from "../../lib/version.ts";
import { commitOf, root } from "../pack/mod.ts";
import { run } from "./deb.ts";
import { renderNotices } from "./notices.ts";
import { type ShippedPackage, shippedPackages } from "./packages.ts";
import { layOut, type PayloadFile } from "./payload.ts";
import { renderSbom } from "./sbom.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
const UNITS = ["vnet-agent.service", "vnet-server.service"] as const;

/** An installation, and what is to be said of it. */
export interface Gathered {
  readonly files: readonly PayloadFile[];
  /** The bill of materials. */
  readonly sbom: string;
  readonly packages: readonly ShippedPackage[];
  readonly commit: string;
  readonly denoVersion: string;
  /** When the commit was made; everything made of it bears this time. */
  readonly timeMs: number;
}

/** Gathers the installation of an executable. */
export async function gather(executable: string): Promise<Gathered> {
  const [bytes, packages, commit, timeMs] = await Promise.all([
    Deno.readFile(executable),
    shippedPackages(`${root}scripts/pack/entry.ts`),
    commitOf(root),
    commitTimeMs(),
  ]);
  const denoVersion = Deno.version.deno;
  const product = { version: VERSION, commit, denoVersion, sha256: sha256(bytes), timeMs };
  const sbom = renderSbom(product, packages);
  const documents = new Map([
    ...await readAll("", ["LICENSE"]),
    ...await readAll(".github/", ["CHANGELOG.md"]),
    ["THIRD-PARTY-NOTICES", renderNotices(packages, denoVersion)],
    ["vnet.cdx.json", sbom],
  ]);
  const files = layOut({
    executable: bytes,
    completions: await completions(executable),
    manuals: new Map([["vnet.1", await print(executable, ["man"])]]),
    units: await readAll("scripts/release/units/", UNITS),
    others: packagedFiles(),
    documents,
  });
  return { files, sbom, packages, commit, denoVersion, timeMs };
}

/** Returns the SHA-256 of bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** When the commit was made; outside git the epoch, so that two releases of one tree still agree. */
export async function commitTimeMs(): Promise<number> {
  const { success, stdout } = await new Deno.Command("git", {
    args: ["log", "-1", "--format=%ct"],
    cwd: root,
  }).output();
  return success ? 1000 * Number(new TextDecoder().decode(stdout)) : 0;
}

async function readAll(folder: string, names: readonly string[]): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of names) files.set(name, await Deno.readTextFile(`${root}${folder}${name}`));
  return files;
}

async function print(executable: string, args: string[]): Promise<string> {
  return new TextDecoder().decode(await run(executable, { args }));
}

async function completions(executable: string): Promise<Record<"bash" | "zsh" | "fish", string>> {
  const texts = await Promise.all(SHELLS.map((shell) => print(executable, ["completions", shell])));
  return { bash: texts[0]!, zsh: texts[1]!, fish: texts[2]! };
}
