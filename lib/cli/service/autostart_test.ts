import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { needing } from "../../../tests/needs.ts";
import type { Paths } from "../../client/mod.ts";
import {
  type AutostartKind,
  autostartOf,
  removeAutostart,
  renderAutostart,
  writeAutostart,
} from "./autostart.ts";

const PLACES = {
  program: "/usr/bin/vnet",
  configHome: "/home/alice/.config",
  logPath: "/home/alice/.local/state/vnet/daemon.log",
};

const UNIT = `# /home/alice/.config/systemd/user/vnet.service
[Unit]
Description=vnet: apps behind your clusters' proxies, by their names
Documentation=man:vnet(1)
# What needs root is the helper service's: without it there is nothing to start.
ConditionPathExists=/run/vnet/helper.sock
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/vnet daemon --helper-socket /run/vnet/helper.sock --wait-for-login --keep-log /home/alice/.local/state/vnet/daemon.log
StandardOutput=append:/home/alice/.local/state/vnet/daemon.log
StandardError=append:/home/alice/.local/state/vnet/daemon.log
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

# /home/alice/.config/systemd/user/default.target.wants/vnet.service -> ../vnet.service
`;

const ENTRY = `# /home/alice/.config/autostart/vnet.desktop
[Desktop Entry]
Type=Application
Version=1.0
Name=vnet
Comment=Apps behind your clusters' proxies, by their names
Exec=/usr/bin/vnet up --detach
TryExec=/usr/bin/vnet
Terminal=false
NoDisplay=true
`;

/** A home with nothing in it. */
async function withHome(
  use: (home: {
    readonly of: (kind: AutostartKind) => ReturnType<typeof autostartOf>;
    readonly context: { readonly paths: Paths };
    readonly dir: string;
  }) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "vnet-autostart-" });
  try {
    const configHome = `${dir}/.config`;
    const stateDir = `${dir}/.local/state/vnet`;
    const paths: Paths = {
      ...{ configDir: `${configHome}/vnet`, stateDir, runtimeDir: `${dir}/run` },
      ...{ controlSocket: `${dir}/run/control.sock`, appSocket: `${dir}/run/apps.sock` },
    };
    const places = { program: "/bin/true", configHome, logPath: `${stateDir}/daemon.log` };
    await use({ of: (kind) => autostartOf(kind, places), context: { paths }, dir });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Everything below a folder, folders with a slash. */
async function listing(dir: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${dir}/${below}`)) {
    const path = `${below}${name}`;
    found.push(isDirectory ? `${path}/` : path);
    if (isDirectory) found.push(...await listing(dir, `${path}/`));
  }
  return found.sort();
}

Deno.test("autostartOf() says what starts vnet at a login", () => {
  equal(renderAutostart(autostartOf("systemd", PLACES)), UNIT);
  equal(renderAutostart(autostartOf("xdg", PLACES)), ENTRY);
});

Deno.test("writeAutostart() switches vnet on, and removeAutostart() leaves nothing of it", async (t) => {
  for (const kind of ["systemd", "xdg"] as const) {
    await t.step(kind, () =>
      withHome(async ({ of, context, dir }) => {
        const wanted = of(kind);
        await writeAutostart(context, wanted);
        for (const { path, text } of wanted.files) {
          equal(await Deno.readTextFile(path), text);
          equal((await Deno.stat(path)).mode! & 0o777, 0o644);
        }
        if (wanted.link !== null) {
          equal(await Deno.readTextFile(wanted.link.path), wanted.files[0]?.text);
        }
        await writeAutostart(context, wanted); // once more is the same
        equal((await removeAutostart(context))?.length, 1);
        deepEqual(await listing(dir), []);
        equal(await removeAutostart(context), null);
      }));
  }
});

Deno.test("writeAutostart() puts one kind in the place of the other, or leaves all as it was", async (t) => {
  const [UNIT_FILE, ENTRY_FILE] = ["systemd/user/vnet.service", "autostart/vnet.desktop"];
  const filesIn = async (dir: string) =>
    (await listing(`${dir}/.config`)).filter((path) => !path.endsWith("/"));
  await t.step("the other", () =>
    withHome(async ({ of, context, dir }) => {
      deepEqual(await writeAutostart(context, of("systemd")), []);
      deepEqual(await writeAutostart(context, of("xdg")), [`Removed ${dir}/.config/${UNIT_FILE}`]);
      deepEqual(await filesIn(dir), [ENTRY_FILE]);
      await removeAutostart(context);
      deepEqual(await listing(dir), []);
    }));
  await t.step("as it was", () =>
    withHome(async ({ of, context, dir }) => {
      await writeAutostart(context, of("systemd"));
      await Deno.mkdir(`${dir}/.config/autostart`);
      await Deno.writeTextFile(`${dir}/.config/${ENTRY_FILE}`, "mine\n");
      const before = await filesIn(dir);
      await rejects(writeAutostart(context, of("xdg")), { code: "service-file-foreign" });
      deepEqual(await filesIn(dir), before);
      equal((await removeAutostart(context))?.length, 1);
    }));
});

Deno.test("removeAutostart() leaves what others have beside it", () =>
  withHome(async ({ of, context, dir }) => {
    await Deno.mkdir(`${dir}/.config/systemd/user/default.target.wants`, { recursive: true });
    await Deno.writeTextFile(`${dir}/.config/systemd/user/mine.service`, "[Unit]\n");
    const before = await listing(dir);
    await writeAutostart(context, of("systemd"));
    await removeAutostart(context);
    deepEqual(await listing(dir), before);
  }));

Deno.test("writeAutostart() overwrites no file and no link of somebody else's", async (t) => {
  await t.step("a file", () =>
    withHome(async ({ of, context, dir }) => {
      const path = `${dir}/.config/autostart/vnet.desktop`;
      await Deno.mkdir(`${dir}/.config/autostart`, { recursive: true });
      await Deno.writeTextFile(path, "mine\n");
      await rejects(writeAutostart(context, of("xdg")), { code: "service-file-foreign" });
      equal(await Deno.readTextFile(path), "mine\n");
      equal(await removeAutostart(context), null);
    }));
  await t.step("a link", () =>
    withHome(async ({ of, context, dir }) => {
      const folder = `${dir}/.config/systemd/user/default.target.wants`;
      await Deno.mkdir(folder, { recursive: true });
      await Deno.symlink("/etc/systemd/user/other.service", `${folder}/vnet.service`);
      await rejects(writeAutostart(context, of("systemd")), { code: "service-file-foreign" });
      equal(await Deno.readLink(`${folder}/vnet.service`), "/etc/systemd/user/other.service");
    }));
  await t.step(
    "an edited file stays when vnet is switched off",
    () =>
      withHome(async ({ of, context, dir }) => {
        await writeAutostart(context, of("systemd"));
        const path = `${dir}/.config/systemd/user/vnet.service`;
        await Deno.writeTextFile(path, "edited\n");
        match(
          (await removeAutostart(context))?.join() ?? "",
          /^Left .*vnet\.service: it was edited$/,
        );
        equal(await Deno.readTextFile(path), "edited\n");
      }),
  );
});

Deno.test(
  needing(
    ["systemd-analyze"],
    "autostartOf() writes a unit that systemd understands",
    () =>
      withHome(async ({ of, context }) => {
        const wanted = of("systemd");
        await writeAutostart(context, wanted);
        const path = wanted.files[0]?.path ?? "";
        const said = await output("systemd-analyze", "verify", "--user", "--man=no", path);
        deepEqual(said.split("\n").filter((line) => line.includes("vnet.service")), []);
      }),
  ),
);

Deno.test(
  needing(
    ["desktop-file-validate"],
    "autostartOf() writes an entry that desktops understand",
    () =>
      withHome(async ({ of, context }) => {
        const wanted = of("xdg");
        await writeAutostart(context, wanted);
        equal(await output("desktop-file-validate", wanted.files[0]?.path ?? ""), "");
      }),
  ),
);

async function output(command: string, ...args: readonly string[]): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "vnet-run-" });
  const { stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    env: {
      SYSTEMD_COLORS: "0",
      LANG: "C.UTF-8",
      XDG_RUNTIME_DIR: dir,
      SYSTEMD_LOG_LEVEL: "warning",
    },
  }).output();
  await Deno.remove(dir, { recursive: true });
  const text = new TextDecoder();
  return text.decode(stdout) + text.decode(stderr);
}
