/**
 * The systemd units of a client and what goes with them, as `vnet service install` writes them and the packages
 * ship them: one source for both.
 *
 * @module
 * @see systemd.socket(5), systemd.service(5), systemd.exec(5), sysusers.d(5)
 */
import { journalFiles } from "../../os/mod.ts";

import { DEFAULT_UP_SETTINGS } from "../../config/mod.ts";
import { daemonArgs } from "../supervise/arguments.ts";

/** Who may connect to the helper's socket. */
export const GROUP = "vnet";

export const HELPER_SOCKET = "/run/vnet/helper.sock";

/** Where units of the administrator's are. */
export const UNIT_DIR = "/etc/systemd/system";

/** The units that are switched on for everybody; `vnet@NAME.service` is for one user. */
export const ENABLED_UNITS = ["vnet-helper.socket", "vnet-repair.service"] as const;

/** Where the helper keeps its journal and locks. */
export const STATE_DIR = "/var/lib/vnet";

/** A text file that belongs to an installation. */
export interface ServiceFile {
  readonly path: string;
  readonly text: string;
}

export const POLKIT_ACTION = "org.vnet.helper.use";

/** What describes the action to polkit, below /usr: polkit looks for it in no other place. */
const POLKIT_POLICY_FILE = "share/polkit-1/actions/org.vnet.helper.policy";

/** What both units refuse; each comment below is about what one of them does not. */
const SANDBOX = `NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes
PrivateMounts=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
LimitCORE=0
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
# Each process takes more from itself, by seccomp(2), once it runs.
SystemCallFilter=@system-service seccomp
SystemCallFilter=~@privileged @resources`;

/** Every unit by its file name. @param program Absolute path of `vnet`. */
export function units(program: string): ReadonlyMap<string, string> {
  return new Map([
    ["vnet-helper.socket", SOCKET],
    ["vnet-helper@.service", helperUnit(program)],
    ["vnet-repair.service", repairUnit(program)],
    ["vnet@.service", daemonUnit(program)],
  ]);
}

/**
 * What has others leave the device alone, by path below /etc (the administrator's) or /usr/lib (a package's):
 * networkd with a catch-all would manage it, and systemd-resolved then refuses its settings.
 */
export const NEIGHBOURS: ReadonlyMap<string, string> = new Map([
  [
    "systemd/network/05-vnet.network",
    `# vnet looks after its own device.
[Match]
Name=vnet*

[Link]
Unmanaged=yes
`,
  ],
  [
    "NetworkManager/conf.d/90-vnet.conf",
    `# vnet looks after its own device.
[keyfile]
unmanaged-devices+=interface-name:vnet*
`,
  ],
]);

/** What a package ships, by path below /usr; nothing of it is switched on before `vnet service install`. */
export function packagedFiles(): ReadonlyMap<string, string> {
  const texts = [...units("/usr/bin/vnet")];
  return new Map([
    ...texts.map(([name, text]) => [`lib/systemd/system/${name}`, text] as const),
    ...[...NEIGHBOURS].map(([name, text]) => [`lib/${name}`, text] as const),
    [POLKIT_POLICY_FILE, POLKIT_POLICY],
  ]);
}

/** The two folders of a user's home that their daemon sees; the rest of every home is hidden from it. */
export function homeDropIn(homeDir: string): string {
  return `[Service]
BindPaths=${homeDir}/.config/vnet ${homeDir}/.local/state/vnet
`;
}

const SOCKET = `[Unit]
Description=vnet: where users of group ${GROUP} ask for their device
Documentation=man:vnet(1)

[Socket]
ListenSequentialPacket=${HELPER_SOCKET}
SocketGroup=${GROUP}
SocketMode=0660
DirectoryMode=0755
RemoveOnStop=yes
# A helper for each client; it ends with the client.
Accept=yes
MaxConnections=16

[Install]
WantedBy=sockets.target
`;

function helperUnit(program: string): string {
  return `[Unit]
Description=vnet helper: device, addresses, routes and resolver settings of one client
Documentation=man:vnet(1)
After=dbus.socket systemd-resolved.service NetworkManager.service
CollectMode=inactive-or-failed

[Service]
ExecStart=${helperCommand(program)}
# Whatever ended it, kill -9 too.
ExecStopPost=${program} repair --journal ${STATE_DIR}
KillMode=mixed
TimeoutStopSec=15
OOMScoreAdjust=-500
MemoryMax=512M
TasksMax=128
UMask=0022
StateDirectory=vnet
StateDirectoryMode=0711
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_CHOWN
ProtectHome=yes
DevicePolicy=closed
DeviceAllow=/dev/net/tun rw
# resolv.conf is replaced by a rename beside it; resolvconf and NetworkManager keep theirs below /run.
ReadWritePaths=/etc -/run/resolvconf -/run/NetworkManager
# Of all the kernel's settings those of the network, which has the device's own.
ReadWritePaths=-/proc/sys/net
InaccessiblePaths=-/etc/shadow -/etc/gshadow -/etc/ssh -/etc/ssl/private
ReadOnlyPaths=-/etc/passwd -/etc/group -/etc/sudoers -/etc/sudoers.d -/etc/pam.d -/etc/systemd -/etc/vnet
${SANDBOX}
# A file that is put back gets its owner back.
SystemCallFilter=@chown
# Where virtual addresses lie; the raw sockets it hands to the daemon are under this rule as well.
IPAddressDeny=any
IPAddressAllow=localhost 10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16 fc00::/7
`;
}

function helperCommand(program: string, ...more: readonly string[]): string {
  return [program, "helper", "--accepted", ...more, "--journal", STATE_DIR].join(" ");
}

/** What opens the socket to everybody and has the helper ask polkit about those outside the group. */
export function polkitFiles(program: string): readonly ServiceFile[] {
  const dropIn = (unit: string, text: string) => ({
    path: `${UNIT_DIR}/${unit}.d/polkit.conf`,
    text,
  });
  const command = helperCommand(program, "--polkit");
  return [
    dropIn("vnet-helper.socket", "[Socket]\nSocketMode=0666\n"),
    dropIn("vnet-helper@.service", `[Service]\nExecStart=\nExecStart=${command}\n`),
    { path: `/usr/${POLKIT_POLICY_FILE}`, text: POLKIT_POLICY },
  ];
}

const POLKIT_POLICY = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE policyconfig PUBLIC "-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd">
<policyconfig>
  <vendor>vnet</vendor>
  <action id="${POLKIT_ACTION}">
    <description>Bring vnet up</description>
    <message>Authentication is required to let vnet set up a network device and this machine's DNS</message>
    <defaults>
      <allow_any>auth_admin</allow_any>
      <allow_inactive>auth_admin</allow_inactive>
      <allow_active>auth_admin_keep</allow_active>
    </defaults>
  </action>
</policyconfig>
`;

function repairUnit(program: string): string {
  return `[Unit]
Description=vnet: put back resolver settings after a power failure
Documentation=man:vnet(1)
ConditionPathExists=${journalFiles(STATE_DIR).entry}
After=local-fs.target
Before=network-pre.target nss-lookup.target vnet-helper.socket shutdown.target
DefaultDependencies=no
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart=${program} repair --journal ${STATE_DIR}
UMask=0022
StateDirectory=vnet
StateDirectoryMode=0711
CapabilityBoundingSet=CAP_CHOWN
ProtectHome=yes
PrivateDevices=yes
ReadWritePaths=/etc -/run/resolvconf -/run/NetworkManager
${SANDBOX}
SystemCallFilter=@chown

[Install]
WantedBy=sysinit.target
`;
}

function daemonUnit(program: string): string {
  return `[Unit]
Description=vnet of user %i
Documentation=man:vnet(1)
Requires=vnet-helper.socket
After=vnet-helper.socket network-online.target nss-user-lookup.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
User=%i
# Whoever enabled this unit let the user in, member or not.
SupplementaryGroups=${GROUP}
ExecStart=${daemonCommand(program)}
Restart=on-failure
RestartSec=2
# What "vnet restart" ends it with.
RestartForceExitStatus=75
SuccessExitStatus=75
TimeoutStopSec=20
LimitNOFILE=65536
UMask=0077
RuntimeDirectory=vnet-daemon/%i
RuntimeDirectoryMode=0700
CapabilityBoundingSet=
PrivateDevices=yes
ProcSubset=pid
# "vnet service install --user" lets in what it needs of the home.
ProtectHome=tmpfs
${SANDBOX}
# Not PrivateUsers=yes: the daemon has to tell other users' connections apart.

[Install]
WantedBy=multi-user.target
`;
}

function daemonCommand(program: string): string {
  const helper = { path: HELPER_SOCKET };
  const args = daemonArgs({ helper, waitForLogin: true, settings: DEFAULT_UP_SETTINGS });
  return [program, ...args].join(" ");
}
