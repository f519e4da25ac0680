/**
 * What dpkg runs around the files: systemd hears of the units, what runs is stopped before its program goes,
 * and a purge takes away what using the package made, but for keys and configuration, which it names.
 *
 * @module
 * @see Debian Policy chapter 6, deb-systemd-invoke(1p)
 */
import { journalFiles } from "../../lib/os/mod.ts";

/** Whether the package goes into the running system rather than into a folder (dpkg --root). */
const IS_LIVE = `[ -z "\${DPKG_ROOT:-}" ]`;
const HAS_SYSTEMD = `${IS_LIVE} && [ -d /run/systemd/system ]`;

/** Where using vnet leaves what only its owner may throw away. */
const KEPT = [
  "/etc/vnet",
  "/var/lib/private/vnet-server",
  "/var/lib/private/vnet-agent",
  "/var/lib/vnet-server",
  "/var/lib/vnet-agent",
];

/** Renders the scripts by name. @param units Names of the package's systemd units. */
export function maintainerScripts(units: readonly string[]): Readonly<Record<string, string>> {
  // Templates have instances only where `vnet service install` was asked for them.
  const services = units.filter((unit) => /^[^@]+\.service$/.test(unit)).join(" ");
  return {
    postinst: `#!/bin/sh
set -e
if [ "$1" = configure ] && ${HAS_SYSTEMD}; then
	systemctl --system daemon-reload >/dev/null || true
fi
`,
    prerm: `#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
if ${HAS_SYSTEMD}; then
	# What an administrator had it write; nothing where they did not.
	vnet service uninstall --quiet || true
	deb-systemd-invoke stop ${services} >/dev/null || true
fi
if ${IS_LIVE}; then
	# A client that is up has changed the host's DNS and routes: it undoes that while it can. Most hosts have none.
	vnet down --quiet >/dev/null 2>&1 || true
fi
`,
    postrm: `#!/bin/sh
set -e
if ${HAS_SYSTEMD}; then
	systemctl --system daemon-reload >/dev/null || true
fi
[ "$1" = purge ] || exit 0
root="\${DPKG_ROOT:-}"
for unit in ${services}; do
	rm -f "$root/etc/systemd/system/multi-user.target.wants/$unit"
done
# What is to be undone is in there, as long as something is; an empty journal is nothing.
rm -f "$root${journalFiles("/var/lib/vnet").lock}"
for folder in /run/vnet /var/lib/vnet; do
	[ ! -d "$root$folder" ] || find "$root$folder" -depth -type d -empty -delete
done
for folder in /run/vnet /var/lib/vnet ${KEPT.join(" ")}; do
	if [ -e "$root$folder" ]; then
		echo "vnet: $folder is left as it is: it has your configuration, keys or state" >&2
	fi
done
`,
  };
}
