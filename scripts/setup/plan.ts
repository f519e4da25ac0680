/**
 * Decides what is to be done about missing packages, from os-release and what is there; does nothing itself.
 *
 * @module
 */
import { type Family, needsOf, packagesOf, type Use } from "./packages.ts";

/** What was looked up of a machine. */
export interface Facts {
  /** The text of /etc/os-release; empty if there is none. */
  readonly osRelease: string;
  readonly isRoot: boolean;
  /** Packages that dpkg says are installed; `null` where there is no dpkg. */
  readonly installed: ReadonlySet<string> | null;
  /** Programs, and files by their path, that are there. */
  readonly present: ReadonlySet<string>;
}

export type Plan =
  | { readonly kind: "nothing" }
  | { readonly kind: "install"; readonly packages: readonly string[] }
  /** We may not, or do not know how: somebody else may run the command. */
  | { readonly kind: "tell"; readonly packages: readonly string[]; readonly command: string };

/** How each family's packages come; all but the first two are from their manuals, and nobody has run them. */
const INSTALL: Readonly<Record<Family, string>> = {
  debian: "apt-get install --no-install-recommends",
  ubuntu: "apt-get install --no-install-recommends",
  fedora: "dnf install",
  arch: "pacman -S --needed",
  alpine: "apk add",
  opensuse: "zypper install",
};

/** What `deno task setup` brings, as nobody but root may do. */
export const SETUP_COMMAND = "sudo npx -y deno@2.9.5 task setup";

/** @returns `null` for a distribution that no row of packages.ts fits. */
export function familyOf(osRelease: string): Family | null {
  const value = (key: string) =>
    new RegExp(`^${key}=["']?([^"'\n]*)["']?$`, "m").exec(osRelease)?.[1]?.split(" ") ?? [];
  for (const id of [...value("ID"), ...value("ID_LIKE")]) {
    if (/^(debian|ubuntu|fedora|arch|alpine|opensuse)$/.test(id)) return id as Family;
    if (/^(rhel|centos)$/.test(id)) return "fedora";
    if (/^(suse|sles|opensuse-.*)$/.test(id)) return "opensuse";
  }
  return null;
}

/** Says what to do so that everything for a use is there. */
export function planSetup(use: Use, facts: Facts): Plan {
  const family = familyOf(facts.osRelease);
  const isApt = family === "debian" || family === "ubuntu";
  const { installed } = facts;
  const missing = needsOf(use).filter((need) => {
    if (!isApt || installed === null) return !need.programs.every((it) => facts.present.has(it));
    const name = need.packages[family];
    return name !== null && !installed.has(name);
  });
  const packages = packagesOf(missing, family ?? "debian");
  if (packages.length === 0) return { kind: "nothing" };
  if (isApt && installed !== null && facts.isRoot) return { kind: "install", packages };
  return { kind: "tell", packages, command: commandOf(use, family, packages, facts.isRoot) };
}

function commandOf(
  use: Use,
  family: Family | null,
  packages: readonly string[],
  isRoot: boolean,
): string {
  const sudo = isRoot ? "" : "sudo ";
  if (family === null) return `install by your own means: ${packages.join(" ")} (Debian's names)`;
  // By hand, Debian would start every server it installs.
  if (use === "test" && (family === "debian" || family === "ubuntu")) return SETUP_COMMAND;
  const notRun = family === "debian" || family === "ubuntu" ? "" : "   (not run by us)";
  return `${sudo}${INSTALL[family]} ${packages.join(" ")}${notRun}`;
}
