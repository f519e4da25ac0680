/**
 * Makes what is published, in dist/release/ (`deno task release`): the archive, the Debian package, the npm package
 * of the library, the bill of materials and SHA256SUMS. Builds dist/vnet first. Linux with dpkg and tar; most of the time goes into xz.
 *
 *   deno task release
 *   deno task release --form packed     as in build.ts
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { parseArgs } from "node:util";
import { VERSION } from "../lib/version.ts";
import { BuildError, root } from "./pack/mod.ts";
import { deno } from "./pack/run.ts";
import { packLibrary, tarballName } from "./npm/library.ts";
import { makeArchive } from "./release/archive.ts";
import { buildDeb } from "./release/deb.ts";
import { layOutDebian, MAINTAINER } from "./release/debian.ts";
import { gather, type Gathered, sha256 } from "./release/gather.ts";

/** Debian's name of the architecture. */
const ARCHITECTURES = { x86_64: "amd64", aarch64: "arm64" } as const;
const REVISION = "1";

async function release(form: string): Promise<void> {
  const executable = `${root}dist/vnet`;
  console.error("Building dist/vnet");
  await deno("build-failed", {
    args: ["run", "-A", "scripts/build.ts", "--form", form, "--out", executable],
    cwd: root,
  });
  const gathered = await gather(executable);
  const out = `${root}dist/release`;
  await Deno.remove(out, { recursive: true }).catch(() => {});
  await Deno.mkdir(out, { recursive: true });

  const name = `vnet-${VERSION}-linux-${Deno.build.arch}`;
  const archive = `${name}.tar.zst`;
  console.error(`Archiving ${archive}`);
  const { files, timeMs } = gathered;
  await Deno.writeFile(`${out}/${archive}`, await makeArchive(name, files, timeMs));
  const bill = `${name}.cdx.json`;
  await Deno.writeTextFile(`${out}/${bill}`, gathered.sbom);
  const deb = await packageDebian(gathered, out);

  const library = tarballName({ version: VERSION, timeMs });
  console.error(`Packing ${library}`);
  await Deno.writeFile(`${out}/${library}`, await packLibrary({ version: VERSION, timeMs }));

  const sums: string[] = [];
  for (const file of [archive, deb, bill, library]) {
    sums.push(`${sha256(await Deno.readFile(`${out}/${file}`))}  ${file}\n`);
  }
  await Deno.writeTextFile(`${out}/SHA256SUMS`, sums.join(""));
  console.log(sums.join("").trimEnd());
}

/** @returns The package's file name. */
async function packageDebian(gathered: Gathered, out: string): Promise<string> {
  const architecture = ARCHITECTURES[Deno.build.arch];
  const version = `${VERSION}-${REVISION}`;
  const deb = `vnet_${version}_${architecture}.deb`;
  console.error(`Packaging ${deb}`);
  const facts = { ...gathered, version, architecture, maintainer: MAINTAINER, level: 6 };
  await buildDeb({ ...facts, files: layOutDebian(gathered.files, facts) }, `${out}/${deb}`);
  return deb;
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
