/**
 * Installing, removing and describing the service: the helper behind a socket that a group may use, and daemons
 * that start at boot.
 *
 * @module
 */
import { dirname } from "node:path";
import { VnetError } from "../../error.ts";
import type { Journal, Processes } from "../../os/mod.ts";
import type { ServiceV1 } from "../../status/mod.ts";
import { type Context, tell } from "../context.ts";
import { selfCommand } from "../self.ts";
import { refuseForeign, removeFiles, stateOf, writeFiles } from "./files.ts";
import { dropReceipt, NO_RECEIPT, readReceipt, type Receipt, writeReceipt } from "./receipt.ts";
import { findAccount, groupMembers, hasSystemd, refuseProgram, system } from "./system.ts";
import {
  ENABLED_UNITS,
  GROUP,
  homeDropIn,
  NEIGHBOURS,
  polkitFiles,
  type ServiceFile,
  STATE_DIR,
  UNIT_DIR,
  units,
} from "./units.ts";

/** What starts polkit: where it is, polkit can be asked. */
const POLKIT_SERVICE = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service";

/** Installs the service, or brings an installed one up to date; says what it changes. */
export async function install(
  context: Context,
  { user, polkit }: { readonly user: string | undefined; readonly polkit: boolean },
): Promise<void> {
  await requireRootAndSystemd("install the service");
  const program = ownProgram();
  await refuseProgram(program);
  const account = user === undefined ? null : await findAccount(user);
  const receipt = await readReceipt() ?? NO_RECEIPT;
  const users = [...new Set([...receipt.users, ...(account === null ? [] : [account.name])])];
  const asksPolkit = polkit || receipt.polkit;
  if (asksPolkit) await requirePolkit();
  const files = await notPackaged([
    ...await filesFor(program, users.sort()),
    ...asksPolkit ? polkitFiles(program) : [],
  ], receipt);
  await refuseForeign(
    files,
    receipt.files,
    "Cannot install the service",
    "Move them away; changes of yours belong into drop-ins (`systemctl edit`)",
  );
  const groupMade = receipt.group_made || await makeGroup(context);
  const { all, changed } = await writeFiles(files);
  for (const path of changed) tell(context, `Wrote ${path}`);
  const stale = receipt.files.filter(({ path }) => !all.some((file) => file.path === path));
  for (const line of await removeFiles(stale)) tell(context, line);
  await writeReceipt({
    v: 1,
    files: [...all],
    group_made: groupMade,
    users,
    polkit: asksPolkit,
  });
  await system("systemctl", "daemon-reload");
  await system("systemctl", "enable", "--quiet", ...ENABLED_UNITS);
  const isOther = changed.some((path) => path.includes("vnet-helper.socket"));
  await system("systemctl", isOther ? "restart" : "start", "vnet-helper.socket");
  tell(context, `Enabled ${ENABLED_UNITS.join(", ")}`);
  if (account === null) {
    tell(context, `Members of group ${GROUP} bring vnet up without sudo`);
    tell(context, `Add one with \`sudo usermod -aG ${GROUP} NAME\`; it counts from the next login`);
    return;
  }
  await makeFolders((await context.machine()).processes, account);
  await system("systemctl", "enable", "--quiet", "--now", `vnet@${account.name}.service`);
  tell(context, `Enabled vnet@${account.name}.service: it starts at boot, and runs`);
}

/** Takes back what `install` did, and only that. */
export async function uninstall(context: Context): Promise<void> {
  await requireRootAndSystemd("remove the service");
  const receipt = await readReceipt();
  if (receipt === null) {
    tell(context, "The service is not installed");
    return;
  }
  const daemons = receipt.users.map((name) => `vnet@${name}.service`);
  await system("systemctl", "disable", "--quiet", "--now", ...daemons, ...ENABLED_UNITS);
  await system("systemctl", "stop", "vnet-helper@*.service", "vnet@*.service");
  for (const line of await removeFiles(receipt.files)) tell(context, line);
  await system("systemctl", "daemon-reload");
  if (receipt.group_made && await groupMembers(GROUP) !== null) {
    await system("groupdel", GROUP);
    tell(context, `Removed group ${GROUP}`);
  }
  await removeLocks((await context.machine()).root.journal);
  await dropReceipt();
  for (const folder of [STATE_DIR, "/run/vnet", "/run/vnet-daemon"]) {
    await Deno.remove(folder).catch(() => {}); // What `sudo vnet up` keeps there stays.
  }
  tell(context, "The service is gone");
}

/** Describes the service as it is; needs no root. */
export async function describeService(): Promise<ServiceV1> {
  const receipt = await readReceipt() ?? NO_RECEIPT;
  const systemd = await hasSystemd();
  const members = await groupMembers(GROUP);
  const names = [...ENABLED_UNITS, ...receipt.users.map((name) => `vnet@${name}.service`)];
  const described = systemd ? await Promise.all(names.map(describeUnit)) : [];
  const files = await Promise.all(
    receipt.files.map(async (file) => ({ path: file.path, state: await stateOf(file) })),
  );
  const socket = described.find(({ name }) => name === "vnet-helper.socket");
  return {
    schema: "vnet.service/1",
    systemd,
    ready: socket?.active === "active",
    group: { name: GROUP, exists: members !== null, members: [...members ?? []] },
    files,
    units: described,
  };
}

async function describeUnit(name: string): Promise<ServiceV1["units"][number]> {
  const properties = "--property=LoadState,ActiveState,UnitFileState";
  const text = await system("systemctl", "show", properties, name);
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1] ?? "";
  return {
    name,
    load: value("LoadState"),
    active: value("ActiveState"),
    enabled: value("UnitFileState"),
  };
}

async function requireRootAndSystemd(act: string): Promise<void> {
  if (!await hasSystemd()) {
    throw new VnetError("systemd-missing", `Cannot ${act}: this machine does not run systemd`, {
      hint: "Have your init run `vnet up` as root at boot; `sudo vnet up` needs no service",
    });
  }
  if (Deno.uid() === 0) return;
  throw new VnetError("not-permitted", `Cannot ${act}: this needs root`, {
    hint: "Run it with sudo",
  });
}

async function requirePolkit(): Promise<void> {
  if (await Deno.stat(POLKIT_SERVICE).catch(() => null) !== null) return;
  throw new VnetError("polkit-missing", "Cannot have polkit decide: this machine has no polkit", {
    hint: "Install it (Debian: `sudo apt install polkitd`), or leave out --polkit",
  });
}

/** @throws VnetError `service-program-unusable` from source: a unit cannot depend on somebody's checkout. */
function ownProgram(): string {
  const { command, args } = selfCommand([]);
  if (args.length === 0) return command;
  throw new VnetError("service-program-unusable", "Cannot install the service from source", {
    hint: "Run `deno task build`, install dist/vnet, and run `sudo vnet service install`",
  });
}

/** What belongs on this machine. */
async function filesFor(program: string, users: readonly string[]): Promise<ServiceFile[]> {
  const files = [...units(program)].map(([name, text]) => ({ path: `${UNIT_DIR}/${name}`, text }));
  for (const user of users) {
    const { homeDir } = await findAccount(user);
    const path = `${UNIT_DIR}/vnet@${user}.service.d/home.conf`;
    files.push({ path, text: homeDropIn(homeDir) });
  }
  for (const [name, text] of NEIGHBOURS) {
    const path = `/etc/${name}`;
    const found = await Deno.stat(dirname(path)).catch(() => null);
    if (found?.isDirectory) files.push({ path, text });
  }
  return files;
}

/** Leaves out what a package ships just so: that is not written again, and not removed with the service. */
async function notPackaged(
  files: readonly ServiceFile[],
  receipt: Receipt,
): Promise<ServiceFile[]> {
  const isPackaged = await Promise.all(files.map(async ({ path, text }) => {
    const packaged = path.replace(/^\/etc\//, "/usr/lib/");
    if (receipt.files.some((written) => written.path === packaged)) return false;
    return await Deno.readTextFile(packaged).catch(() => null) === text;
  }));
  return files.filter((_, index) => !isPackaged[index]);
}

/** @returns Whether it was made just now. */
async function makeGroup(context: Context): Promise<boolean> {
  if (await groupMembers(GROUP) !== null) return false;
  await system("groupadd", "--system", GROUP);
  tell(context, `Made group ${GROUP}`);
  return true;
}

/** Makes the folders that the unit shows the daemon; as the user, for root follows no path of somebody else's. */
async function makeFolders(
  processes: Processes,
  account: Awaited<ReturnType<typeof findAccount>>,
): Promise<void> {
  const { homeDir, name, uid, gid } = account;
  const pid = processes.spawn({
    command: "/bin/mkdir",
    args: ["-p", "-m", "700", `${homeDir}/.config/vnet`, `${homeDir}/.local/state/vnet`],
    env: { PATH: "/usr/bin:/bin", HOME: homeDir },
    cwd: "/",
    uid,
    gid,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    noNewPrivileges: true,
  });
  const end = await processes.wait(pid, AbortSignal.timeout(10_000));
  if ("code" in end && end.code === 0) return;
  throw new VnetError("service-user-unusable", `Cannot make vnet's folders in ${homeDir}`, {
    hint: `Check that ${name} can write there`,
  });
}

/** The locks: one for each user that a helper ever served, and the journal's, unless it is in use or still needed. */
async function removeLocks(journal: Journal): Promise<void> {
  for await (const { name } of Deno.readDir(STATE_DIR)) {
    if (/^client-[0-9]+\.lock$/.test(name)) await Deno.remove(`${STATE_DIR}/${name}`);
  }
  await journal.forget(STATE_DIR);
}
