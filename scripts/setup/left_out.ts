/**
 * What a run of the tests has left out, and why: a test that lacks something says so in its name, `(needs dig)`, and
 * the table at the end adds up the names.
 *
 * @module
 */
import { renderTable } from "../../lib/cli/text/table.ts";
import { type Family, packageOf } from "./packages.ts";

/** One thing that is missing, and what was left out for it. */
export interface LeftOut {
  readonly what: string;
  readonly leftOut: string;
}

/** What brings a thing that is in no package. */
const OTHER: Readonly<Record<string, string>> = {
  root: "run the command as root, with sudo",
  Linux: "run it on Linux",
  "/dev/net/tun": "sudo modprobe tun",
  overlayfs: "sudo modprobe overlay",
  "user namespaces": "sudo sysctl kernel.unprivileged_userns_clone=1",
  "Debian packages that apt cannot fetch": "a network, or a mirror for apt",
};

/** @returns What an ignored test or step says it needs; `null` for any other line. */
export function parseIgnored(line: string): string[] | null {
  // deno-lint-ignore no-control-regex
  const plain = line.replace(/\x1b\[[0-9;]*m/g, "");
  const name = /^(.*) \.\.\. ignored(?: \([^()]*\))?$/.exec(plain)?.[1];
  if (name === undefined) return null;
  const things = / \(needs ([^()]+)\)$/.exec(name)?.[1];
  return things === undefined ? ["what its name says"] : things.split(", ");
}

/** Adds up what ignored tests and steps need, the most wanted first. */
export function countLeftOut(ignored: readonly (readonly string[])[]): LeftOut[] {
  const counts = new Map<string, number>();
  for (const what of ignored.flat()) counts.set(what, (counts.get(what) ?? 0) + 1);
  return [...counts].sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1))
    .map(([what, count]) => ({ what, leftOut: count === 1 ? "1 test" : `${count} tests` }));
}

/**
 * Writes the table.
 *
 * @param remedy The one command that brings every package, if packages are missing.
 * @returns Lines; none if nothing was left out.
 */
export function renderLeftOut(
  rows: readonly LeftOut[],
  family: Family | null,
  remedy: string | null,
): string[] {
  if (rows.length === 0) return [];
  const table = renderTable(
    ["missing", "comes with", "left out"],
    rows.map(({ what, leftOut }) => [what, sourceOf(what, family), leftOut]),
  );
  const wantsPackage = rows.some(({ what }) => packageOf(what, family ?? "debian") !== null);
  return [
    "Left out, for this machine lacks what it needs:",
    ...table.trimEnd().split("\n"),
    ...(remedy !== null && wantsPackage ? [`To bring the packages: ${remedy}`] : []),
  ];
}

function sourceOf(what: string, family: Family | null): string {
  const name = packageOf(what, family ?? "debian");
  return name !== null ? `package ${name}` : OTHER[what] ?? "see the test's name";
}
