/**
 * The Debian package, built with dpkg-deb.
 *
 * @module
 * @see deb-control(5), Debian Policy chapters 5, 6 and 10
 */
import { BuildError } from "../pack/build_error.ts";
import { type PayloadFile, writePayload } from "./payload.ts";

/** What the control file says. */
export interface DebFacts {
  readonly version: string;
  readonly architecture: string;
  readonly maintainer: string;
  /** Files below /usr. */
  readonly files: readonly PayloadFile[];
  readonly timeMs: number;
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
 vnet lets any program on this machine reach TCP applications and SSH servers
 behind a cluster's proxy by DNS name, as if they were on the local network.
 This package has the client, the cluster's server and the agent.
`;
}

/** Whether the package goes into the running system rather than into a folder (dpkg --root). */
const IS_LIVE = `[ -z "\${DPKG_ROOT:-}" ]`;
const HAS_SYSTEMD = `${IS_LIVE} && [ -d /run/systemd/system ]`;

/** When files come and go: systemd sees the units, and what is about to lose its program is stopped. */
const SCRIPTS: Readonly<Record<string, string>> = {
  postinst: `#!/bin/sh
set -e
if ${HAS_SYSTEMD}; then
	systemctl daemon-reload >/dev/null || true
fi
`,
  prerm: `#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
if ${HAS_SYSTEMD}; then
	systemctl disable --now vnet-server.service vnet-agent.service >/dev/null 2>&1 || true
fi
if ${IS_LIVE}; then
	# A client that is up has changed the host's DNS and routes: it undoes that while it can.
	vnet down --quiet >/dev/null 2>&1 || true
fi
`,
  postrm: `#!/bin/sh
set -e
if ${HAS_SYSTEMD}; then
	systemctl daemon-reload >/dev/null || true
fi
[ "$1" = purge ] || exit 0
for folder in /etc/vnet /var/lib/vnet /var/lib/private/vnet-server /var/lib/private/vnet-agent; do
	if [ -e "\${DPKG_ROOT:-}$folder" ]; then
		echo "vnet: $folder is left as it is: it has your configuration, keys or state" >&2
	fi
done
`,
};

/** Builds the package. @param out Path of the .deb. */
export async function buildDeb(facts: DebFacts, out: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-deb-" });
  try {
    const control: PayloadFile[] = [
      { path: "DEBIAN/control", content: renderControl(facts), mode: 0o644 },
      ...Object.entries(SCRIPTS).map(([name, content]) => (
        { path: `DEBIAN/${name}`, content, mode: 0o755 } as const
      )),
    ];
    const usr = facts.files.map((file) => ({ ...file, path: `usr/${file.path}` }));
    await writePayload(folder, [...control, ...usr], facts.timeMs);
    await run("dpkg-deb", {
      args: ["--build", "--root-owner-group", "-Zzstd", "-z10", folder, out],
      env: { SOURCE_DATE_EPOCH: String(Math.floor(facts.timeMs / 1000)) },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
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
