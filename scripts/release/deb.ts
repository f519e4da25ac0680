/**
 * The Debian package, built with dpkg-deb.
 *
 * @module
 * @see deb-control(5), Debian Policy chapters 5, 6 and 10
 */
import { createHash } from "node:crypto";
import { BuildError } from "../pack/build_error.ts";
import { maintainerScripts } from "./maintainer_scripts.ts";
import { type PayloadFile, writePayload } from "./payload.ts";

/** What the control file says. */
export interface DebFacts {
  readonly version: string;
  readonly architecture: string;
  readonly maintainer: string;
  /** Files below /usr. */
  readonly files: readonly PayloadFile[];
  readonly timeMs: number;
  /** xz preset: 1 is fast, 6 is what Debian takes. */
  readonly level: number;
}

/** Renders DEBIAN/control. */
export function renderControl(facts: DebFacts): string {
  const bytes = facts.files.reduce((sum, f) => sum + f.content.length, 0);
  return `Package: vnet
Version: ${facts.version}
Architecture: ${facts.architecture}
Maintainer: ${facts.maintainer}
Installed-Size: ${Math.ceil(bytes / 1024)}
Depends: libc6 (>= 2.27), libgcc-s1
Section: net
Priority: optional
Description: reach TCP applications behind a cluster's proxy by their names
 vnet lets any program on this machine reach TCP applications behind a
 cluster's proxy by DNS name, as if they were on the local network. No program
 needs to know about certificates, tunnels or proxies.
 .
 This package has the client, the cluster's server and the agent.
`;
}

/** Builds the package. @param out Path of the .deb. */
export async function buildDeb(facts: DebFacts, out: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-deb-" });
  try {
    const usr = facts.files.map((file) => ({ ...file, path: `usr/${file.path}` }));
    const units = facts.files.flatMap(({ path }) => path.split("lib/systemd/system/")[1] ?? []);
    const control: PayloadFile[] = [
      { path: "DEBIAN/control", content: renderControl(facts), mode: 0o644 },
      { path: "DEBIAN/md5sums", content: renderSums(usr), mode: 0o644 },
      ...Object.entries(maintainerScripts(units)).map(([name, content]) => (
        { path: `DEBIAN/${name}`, content, mode: 0o755 } as const
      )),
    ];
    await writePayload(folder, [...control, ...usr], facts.timeMs);
    // Debian before 12 reads no zstd. More threads would make other bytes.
    const compression = ["-Zxz", `-z${facts.level}`, "--threads-max=1"];
    await run("dpkg-deb", {
      args: ["--build", "--root-owner-group", ...compression, folder, out],
      env: { SOURCE_DATE_EPOCH: String(Math.floor(facts.timeMs / 1000)) },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Renders DEBIAN/md5sums, by which dpkg --verify finds damage. */
function renderSums(files: readonly PayloadFile[]): string {
  const md5 = (content: Uint8Array | string) => createHash("md5").update(content).digest("hex");
  return files.map(({ path, content }) => `${md5(content)}  ${path}\n`).join("");
}

/** Runs a packaging tool that must be there and succeed. @returns What it printed. */
export async function run(command: string, options: Deno.CommandOptions): Promise<Uint8Array> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, options).output();
    if (success) return stdout;
    const words = new TextDecoder().decode(stderr).trim();
    throw new BuildError("release-failed", `Cannot run ${command}: ${words}`);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new BuildError("tool-missing", `Cannot run ${command}: not found`, {
      cause,
      hint: "Release on Debian or Ubuntu, with dpkg and tar",
    });
  }
}
