/**
 * What Debian's policy makes of an installation: compressed documents, one copyright file, and a word on what
 * lintian finds.
 *
 * @module
 * @see Debian Policy chapter 12
 */
import { constants, gzipSync } from "node:zlib";
import { type CopyrightFacts, renderCopyright } from "./copyright.ts";
import type { PayloadFile } from "./payload.ts";

/** What the package is made of. */
export interface DebianFacts extends CopyrightFacts {
  /** Version with Debian's revision, such as `0.1.0-1`. */
  readonly version: string;
  readonly maintainer: string;
  readonly timeMs: number;
}

/** Whom the package's users are to write to. */
export const MAINTAINER = "The vnet developers <vnet@example.invalid>";

/** The reasons are for those who read `lintian --show-overrides`. */
const OVERRIDES =
  `# The runtime is the npm registry's deno as it is: it is linked without RELRO, and has lcms2 for its canvas.
vnet: hardening-no-relro [usr/bin/vnet]
vnet: embedded-library lcms2 [usr/bin/vnet]
# This package is not Debian's, and there is no bug to close.
vnet: initial-upload-closes-no-bugs [usr/share/doc/vnet/changelog.Debian.gz:1]
`;

/** Documents that the copyright file replaces. */
const REPLACED = ["share/doc/vnet/LICENSE", "share/doc/vnet/THIRD-PARTY-NOTICES"];

/** Says which files lie below /usr in the package, sorted by path. */
export function layOutDebian(files: readonly PayloadFile[], facts: DebianFacts): PayloadFile[] {
  const text = (path: string, content: string | Uint8Array): PayloadFile => ({
    path,
    content,
    mode: 0o644,
  });
  const kept = files.filter((file) => !REPLACED.includes(file.path)).map((file) => {
    if (file.path === "share/doc/vnet/CHANGELOG.md") {
      return text("share/doc/vnet/changelog.gz", compress(file.content));
    }
    return file.path.startsWith("share/man/")
      ? text(`${file.path}.gz`, compress(file.content))
      : file;
  });
  return [
    ...kept,
    text("share/doc/vnet/copyright", renderCopyright(facts)),
    text("share/doc/vnet/changelog.Debian.gz", compress(renderChangelog(facts))),
    text("share/lintian/overrides/vnet", OVERRIDES),
  ].sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Compresses as `gzip -9n` does: without name and time, so that packages of one commit are the same. */
function compress(content: string | Uint8Array): Uint8Array {
  return gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
}

/** @see deb-changelog(5) */
function renderChangelog({ version, maintainer, timeMs }: DebianFacts): string {
  const date = new Date(timeMs).toUTCString().replace("GMT", "+0000");
  return `vnet (${version}) unstable; urgency=medium

  * What users notice is in changelog.gz.

 -- ${maintainer}  ${date}
`;
}
