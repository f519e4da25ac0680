/**
 * vnet from a user's login on, without root: a unit of the user's own systemd, or an XDG autostart entry where
 * sessions start none. What needs root is the helper service's.
 *
 * @module
 * @see systemd.unit(5), and the Desktop Application Autostart Specification
 */
import { dirname } from "node:path/posix";
import { z } from "zod";
import { DEFAULT_UP_SETTINGS } from "../../config/mod.ts";
import { UsageError, VnetError } from "../../error.ts";
import { parseJson } from "../../json.ts";
import { type Context, printText, tell } from "../context.ts";
import { selfCommand } from "../self.ts";
import { daemonArgs } from "../supervise/arguments.ts";
import { logFile } from "../supervise/places.ts";
import { findStatus } from "../supervise/wait.ts";
import { refuseForeign, removeFiles, writeFiles } from "./files.ts";
import { readReceipt } from "./receipt.ts";
import { hasSystemd, PLAIN_PATH, userSystemctl } from "./system.ts";
import { HELPER_SOCKET, type ServiceFile } from "./units.ts";

const UNIT = "vnet.service";
const ACT = "Cannot start vnet at your login";
const FOREIGN_HINT =
  "Move it away, or see with `vnet service enable --print` what vnet would write";

/** What starts vnet: the user's systemd, or their desktop. */
export type AutostartKind = "systemd" | "xdg";

/** What was written for one user, so that `disable` takes back just that. */
const ReceiptSchema = z.object({
  v: z.literal(1),
  files: z.array(z.object({ path: z.string(), sha256: z.string() })).max(8),
  link: z.string().nullable(),
  /** Folders that were not there before, the innermost last. */
  folders: z.array(z.string()).max(16),
});
type Receipt = z.infer<typeof ReceiptSchema>;

/** Where a user's files go. */
export interface AutostartPlaces {
  /** Absolute path of `vnet`. */
  readonly program: string;
  /** `$XDG_CONFIG_HOME`, or `~/.config`. */
  readonly configHome: string;
  readonly logPath: string;
}

/** What there is to write, and the link that switches it on; `null` where the file itself does. */
export interface Autostart {
  readonly files: readonly ServiceFile[];
  readonly link: { readonly path: string; readonly target: string } | null;
}

/** Says what starts vnet at a login. */
export function autostartOf(
  kind: AutostartKind,
  { program, configHome, logPath }: AutostartPlaces,
): Autostart {
  if (kind === "xdg") {
    const path = `${configHome}/autostart/vnet.desktop`;
    return { files: [{ path, text: desktopEntry(program) }], link: null };
  }
  const folder = `${configHome}/systemd/user`;
  return {
    files: [{ path: `${folder}/${UNIT}`, text: userUnit(program, logPath) }],
    link: { path: `${folder}/default.target.wants/${UNIT}`, target: `../${UNIT}` },
  };
}

function userUnit(program: string, logPath: string): string {
  const args = daemonArgs({
    helper: { path: HELPER_SOCKET },
    waitForLogin: true,
    keepLog: logPath,
    settings: DEFAULT_UP_SETTINGS,
  });
  return `[Unit]
Description=vnet: apps behind your clusters' proxies, by their names
Documentation=man:vnet(1)
# What needs root is the helper service's: without it there is nothing to start.
ConditionPathExists=${HELPER_SOCKET}
StartLimitIntervalSec=0

[Service]
ExecStart=${[program, ...args].join(" ")}
StandardOutput=append:${logPath}
StandardError=append:${logPath}
Restart=on-failure
RestartSec=5
# What it ends with where you brought vnet up by hand.
RestartPreventExitStatus=74
SuccessExitStatus=74
TimeoutStopSec=20
LimitCORE=0
UMask=0077

[Install]
WantedBy=default.target
`;
}

function desktopEntry(program: string): string {
  return `[Desktop Entry]
Type=Application
Version=1.0
Name=vnet
Comment=Apps behind your clusters' proxies, by their names
Exec=${program} up --detach
TryExec=${program}
Terminal=false
NoDisplay=true
`;
}

/** Has vnet start at the user's logins, and now. @param print Says what would be written, and writes nothing. */
export async function enable(
  context: Context,
  { print, xdg }: { readonly print: boolean; readonly xdg: boolean },
): Promise<void> {
  const kind = xdg || !await hasSystemd() ? "xdg" : "systemd";
  const autostart = autostartOf(kind, placesOf(context));
  if (print) return printText(context, renderAutostart(autostart));
  await refuseOthers(context);
  for (const line of await writeAutostart(context, autostart)) tell(context, line);
  for (const { path } of autostart.files) tell(context, `Wrote ${path}`);
  const hasHelper = await Deno.stat(HELPER_SOCKET).then(() => true, () => false);
  if (kind === "systemd") {
    await startUnit(context, hasHelper);
  } else tell(context, "vnet starts at your next login to the desktop; until then: `vnet up`");
  if (hasHelper) return;
  tell(context, "Nothing starts before root has run `sudo vnet service install` once,");
  tell(context, "and you are in group vnet: then no password is asked");
}

/** Has vnet start at no login any more. One that runs goes on. */
export async function disable(context: Context): Promise<void> {
  refuseRoot(context);
  const lines = await removeAutostart(context);
  for (const line of lines ?? []) tell(context, line);
  if (lines !== null && await hasSystemd()) {
    await userSystemctl(context.env, "daemon-reload").catch(() => {}); // It has no manager now.
  }
  tell(
    context,
    lines === null
      ? "vnet does not start at your login"
      : "vnet starts at your login no more; `vnet down` ends it now",
  );
}

/**
 * Writes files and link instead of those written before, and keeps what was written.
 *
 * @returns A line for each file that went.
 * @throws VnetError `service-file-foreign` before anything is touched
 */
export async function writeAutostart(
  { paths }: Pick<Context, "paths">,
  { files, link }: Autostart,
): Promise<readonly string[]> {
  const known = await readOwn(paths.stateDir);
  await refuseForeign(files, known?.files ?? [], ACT, FOREIGN_HINT);
  if (link !== null) await refuseForeignLink(link);
  const kept = new Set(files.map(({ path }) => path));
  const gone = known === null ? [] : await removeWritten(known, kept);
  const places = [...files.map(({ path }) => path), ...(link === null ? [] : [link.path])];
  const folders = [
    ...known?.folders ?? [],
    ...await missingFolders([...places, receiptPath(paths.stateDir)]),
  ];
  const { all } = await writeFiles(files);
  if (link !== null) {
    await Deno.mkdir(dirname(link.path), { recursive: true });
    await Deno.remove(link.path).catch(() => {}); // There is none, or it leads to the same.
    await Deno.symlink(link.target, link.path);
  }
  const receipt: Receipt = { v: 1, files: [...all], link: link?.path ?? null, folders };
  await Deno.mkdir(paths.stateDir, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(receiptPath(paths.stateDir), `${JSON.stringify(receipt)}\n`);
  return gone;
}

/** Takes back what was written. @returns A line for each file; `null` where nothing was. */
export async function removeAutostart(
  { paths }: Pick<Context, "paths">,
): Promise<readonly string[] | null> {
  const receipt = await readOwn(paths.stateDir);
  if (receipt === null) return null;
  const lines = await removeWritten(receipt, new Set());
  await Deno.remove(receiptPath(paths.stateDir));
  for (const folder of receipt.folders.toReversed()) {
    await Deno.remove(folder).catch(() => {}); // Others use it by now.
  }
  return lines;
}

/** Removes the link and files that were written but these. @returns A line for each file. */
async function removeWritten(
  { link, files }: Receipt,
  except: ReadonlySet<string>,
): Promise<readonly string[]> {
  if (link !== null) await Deno.remove(link).catch(() => {}); // It went before.
  return await removeFiles(files.filter(({ path }) => !except.has(path)));
}

/** What `--print` shows: each file under its path, and the link. */
export function renderAutostart({ files, link }: Autostart): string {
  const parts = files.map(({ path, text }) => `# ${path}\n${text}`);
  return [...parts, ...(link === null ? [] : [`# ${link.path} -> ${link.target}\n`])].join("\n");
}

/** Starts the unit that was written. What fails of that is told: at the next login it is tried again. */
async function startUnit(context: Context, hasHelper: boolean): Promise<void> {
  const failed = (thrown: unknown) => {
    if (!(thrown instanceof VnetError)) throw thrown;
    return thrown.message;
  };
  const unread = await userSystemctl(context.env, "daemon-reload").then(() => null, failed);
  if (unread !== null) {
    tell(context, "vnet starts at your next login: your systemd cannot be asked from here");
    return tell(context, `  ${unread}`);
  }
  if (!hasHelper) return;
  if (await findStatus(context.paths) !== null) {
    return tell(context, "vnet starts at every login of yours; it is up already");
  }
  const unstarted = await userSystemctl(context.env, "start", UNIT).then(() => null, failed);
  tell(
    context,
    unstarted === null
      ? "vnet starts at every login of yours, and runs; `vnet down` ends it until the next"
      : `vnet starts at your next login, but did not now: ${unstarted}`,
  );
}

function placesOf(context: Context): AutostartPlaces {
  refuseRoot(context);
  if (context.globals.home !== undefined) {
    throw new UsageError("usage", `${ACT} with --home`, {
      hint: "Leave it out: at a login your own folders are used",
    });
  }
  const { command, args } = selfCommand([]);
  const unusable = (state: string, hint: string) =>
    new VnetError("service-program-unusable", `${ACT}: ${state}`, { hint });
  if (args.length > 0) {
    throw unusable("this one runs from source", "Run `deno task build`, and install dist/vnet");
  }
  if (!PLAIN_PATH.test(command)) {
    throw unusable(`its path, ${command}, has special characters`, "Install it to /usr/local/bin");
  }
  const logPath = logFile(context, "daemon");
  if (!PLAIN_PATH.test(logPath)) {
    throw unusable(`the path of its log, ${logPath}, has special characters`, "Use --xdg");
  }
  const configHome = context.env("XDG_CONFIG_HOME") ?? `${context.owner.homeDir}/.config`;
  return { program: command, configHome, logPath };
}

function refuseRoot({ owner }: Pick<Context, "owner">): void {
  if (Deno.uid() !== 0) return;
  throw new UsageError("usage", "Cannot change what starts at a login as root", {
    hint: owner.uid === 0
      ? "Run it as the user whose login it is; `sudo vnet service install --user NAME` is for the boot"
      : "Run it without sudo; `sudo vnet service install --user NAME` is for the boot",
  });
}

/** One daemon a user: what starts at boot needs no start at a login. */
async function refuseOthers({ owner }: Context): Promise<void> {
  const installed = await readReceipt().catch(() => null);
  if (installed?.users.includes(owner.name) !== true) return;
  throw new UsageError("usage", `vnet@${owner.name}.service starts vnet for you at boot already`, {
    hint: "Nothing more is needed; `sudo vnet service uninstall` would end that",
  });
}

async function refuseForeignLink({ path, target }: NonNullable<Autostart["link"]>): Promise<void> {
  const found = await Deno.readLink(path).catch((thrown) => {
    if (thrown instanceof Deno.errors.NotFound) return null;
    return "a file";
  });
  if (found === null || found === target) return;
  throw new VnetError(
    "service-file-foreign",
    `${ACT}: somebody else wrote ${path}`,
    { hint: FOREIGN_HINT },
  );
}

/** Folders above these paths that are not there yet, outermost first. */
async function missingFolders(paths: readonly string[]): Promise<string[]> {
  const missing = new Set<string>();
  for (const path of paths) {
    const above: string[] = [];
    for (let folder = dirname(path); folder !== "/"; folder = dirname(folder)) {
      if (await Deno.stat(folder).catch(() => null) !== null) break;
      above.unshift(folder);
    }
    for (const folder of above) missing.add(folder);
  }
  return [...missing];
}

async function readOwn(stateDir: string): Promise<Receipt | null> {
  const text = await Deno.readTextFile(receiptPath(stateDir)).catch((thrown) => {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  });
  if (text === null) return null;
  const parsed = ReceiptSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new VnetError(
    "service-receipt-damaged",
    `Cannot read "${receiptPath(stateDir)}": it is not what vnet wrote`,
    { hint: "Look at it; `vnet service enable --print` shows the files to remove by hand" },
  );
}

function receiptPath(stateDir: string): string {
  return `${stateDir}/autostart.json`;
}
