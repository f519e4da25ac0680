/**
 * Makes what is published, in dist/release/ (`deno task release`): the archive, the Debian package, the bill of
 * materials and SHA256SUMS. Builds dist/vnet first. x86-64 Linux with dpkg and tar.
 *
 *   deno task release
 *   deno task release --form packed     as in build.ts
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { VERSION } from "../lib/version.ts";
import { BuildError, commitOf, root } from "./pack/mod.ts";
import { deno } from "./pack/run.ts";
import { makeArchive } from "./release/archive.ts";
import { buildDeb, run } from "./release/deb.ts";
import { renderNotices } from "./release/notices.ts";
import { shippedPackages } from "./release/packages.ts";
import { layOut, type PayloadFile } from "./release/payload.ts";
import { renderSbom } from "./release/sbom.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
const UNITS = ["vnet-agent.service", "vnet-server.service"] as const;
const MAINTAINER = "The vnet developers <vnet@example.invalid>";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** When the commit was made; outside git the epoch, so that two releases of one tree still agree. */
async function commitTimeMs(): Promise<number> {
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

async function completions(executable: string): Promise<Record<"bash" | "zsh" | "fish", string>> {
  const texts = await Promise.all(
    SHELLS.map((shell) =>
      run(executable, { args: ["completions", shell] }).then((b) => new TextDecoder().decode(b))
    ),
  );
  return { bash: texts[0]!, zsh: texts[1]!, fish: texts[2]! };
}

/** Gathers what is installed, and the bill of materials. */
async function gather(executable: string, timeMs: number): Promise<[PayloadFile[], string]> {
  const [bytes, packages, commit] = await Promise.all([
    Deno.readFile(executable),
    shippedPackages(`${root}scripts/pack/entry.ts`),
    commitOf(root),
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
    units: await readAll("scripts/release/units/", UNITS),
    documents,
  });
  return [files, sbom];
}

async function release(form: string): Promise<void> {
  const executable = `${root}dist/vnet`;
  console.error("Building dist/vnet");
  await deno("build-failed", {
    args: ["run", "-A", "scripts/build.ts", "--form", form, "--out", executable],
    cwd: root,
  });
  const timeMs = await commitTimeMs();
  const [files, sbom] = await gather(executable, timeMs);
  const out = `${root}dist/release`;
  await Deno.remove(out, { recursive: true }).catch(() => {});
  await Deno.mkdir(out, { recursive: true });

  const name = `vnet-${VERSION}-linux-x86_64`;
  console.error(`Archiving ${name}.tar.zst`);
  await Deno.writeFile(`${out}/${name}.tar.zst`, await makeArchive(name, files, timeMs));
  const deb = `vnet_${VERSION}_amd64.deb`;
  console.error(`Packaging ${deb}`);
  const facts = { version: VERSION, architecture: "amd64", maintainer: MAINTAINER, files, timeMs };
  await buildDeb(facts, `${out}/${deb}`);
  await Deno.writeTextFile(`${out}/vnet-${VERSION}.cdx.json`, sbom);

  const sums: string[] = [];
  for (const file of [`${name}.tar.zst`, deb, `vnet-${VERSION}.cdx.json`]) {
    sums.push(`${sha256(await Deno.readFile(`${out}/${file}`))}  ${file}\n`);
  }
  await Deno.writeTextFile(`${out}/SHA256SUMS`, sums.join(""));
  console.log(sums.join("").trimEnd());
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({
      args: Deno.args,
      options: { form: { type: "string", default: "auto" } },
    });
    await release(values.form);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(`release: ${error.message} [${error.code}]`);
    if (error.hint !== null) console.error(`hint: ${error.hint}`);
    Deno.exit(1);
  }
}
