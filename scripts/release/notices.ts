/**
 * The text that passes on the licences of what is in the executable.
 *
 * @module
 */
import type { ShippedPackage } from "./packages.ts";

const RULE = "-".repeat(80);

/** Renders the notices; packages in the order given. */
export function renderNotices(packages: readonly ShippedPackage[], denoVersion: string): string {
  const runtime =
    `The executable contains the Deno runtime ${denoVersion} (MIT, https://deno.com), which contains V8
(BSD-3-Clause), SQLite (public domain) and Rust crates; its notices are at
https://github.com/denoland/deno/tree/v${denoVersion}.

Copyright 2018-2026 the Deno authors

${MIT}`;
  const sections = packages.map((p) =>
    `${p.name} ${p.version} (${p.license})\n\n${p.licenseText || `Licence: ${p.license}`}`
  );
  return [
    "vnet contains the following software, each under its own licence.",
    runtime,
    ...sections,
  ].join(`\n\n${RULE}\n\n`) + "\n";
}

/** The licence's text, as the Deno authors use it. */
export const MIT =
  `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the
following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO
EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN
AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE
OR OTHER DEALINGS IN THE SOFTWARE.`;
