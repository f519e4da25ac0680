/**
 * The machine-readable copyright file of the Debian package, which passes on the licences of what is in the
 * executable as well.
 *
 * @module
 * @see https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */
import { MIT } from "./notices.ts";
import type { ShippedPackage } from "./packages.ts";

/** What the file is about. */
export interface CopyrightFacts {
  readonly commit: string;
  readonly denoVersion: string;
  readonly packages: readonly ShippedPackage[];
}

const APACHE =
  `On Debian systems the text of this licence is in /usr/share/common-licenses/Apache-2.0.`;

/** Renders the file: ours first, then the runtime, then the packages in the order given. */
export function renderCopyright({ commit, denoVersion, packages }: CopyrightFacts): string {
  const header = fields([
    ["Format", "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"],
    ["Upstream-Name", "vnet"],
    ["Source", `vnet's repository at commit ${commit}`],
    [
      "Comment",
      `/usr/bin/vnet contains the Deno runtime and packages of the npm registry.
Paragraphs on runtime/ and node_modules/ are about those; no such folders are installed.`,
    ],
  ]);
  const own = paragraph("*", "The vnet developers", "Apache-2.0", APACHE);
  const runtime = paragraph(
    "runtime/*",
    "2018-2026 the Deno authors",
    "MIT",
    `${MIT}

The runtime contains V8 (BSD-3-Clause), SQLite (public domain) and Rust crates; their notices are at
https://github.com/denoland/deno/tree/v${denoVersion}`,
  );
  return [header, own, runtime, ...packages.map(paragraphOf)].join("\n");
}

function paragraphOf(p: ShippedPackage): string {
  const text = p.license === "Apache-2.0" ? APACHE : p.licenseText || `Licence: ${p.license}`;
  return paragraph(`node_modules/${p.name}/*`, holdersOf(p), p.license, text);
}

function paragraph(files: string, holders: string, license: string, text: string): string {
  return fields([["Files", files], ["Copyright", holders], ["License", `${license}\n${text}`]]);
}

const CLAIM = /\bcopyright\s*(?:\(c\)|©)?\s*(\d{4}.*)/i;

/** @returns Who says so in the licence's text; the package's authors where nobody is named. */
function holdersOf({ name, licenseText }: ShippedPackage): string {
  const authors = `the authors of ${name}`;
  const claims = licenseText.split("\n").flatMap((line) => CLAIM.exec(line)?.[1]?.trim() ?? []);
  if (claims.length === 0) return authors;
  return claims.map((claim) => /[a-z]/i.test(claim) ? claim : `${claim} ${authors}`).join("\n");
}

/** Renders one paragraph: further lines of a value are indented, an empty one is a dot. */
function fields(values: readonly (readonly [name: string, value: string])[]): string {
  return values.map(([name, value]) => {
    const lines = value.trimEnd().split("\n").map((line) => line.trimEnd());
    return `${name}: ${lines.map((line, i) => i === 0 ? line : ` ${line || "."}`).join("\n")}\n`;
  }).join("");
}
