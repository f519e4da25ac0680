import { deepEqual, equal } from "node:assert/strict";
import { DEFAULT_UP_SETTINGS, type UpSettings } from "../config/mod.ts";
import { parsePrefix } from "../ip/mod.ts";
import { forgetSettings, loadSettings, saveSettings, settingsPath } from "./saved_settings.ts";

const CHOSEN: UpSettings = {
  ...DEFAULT_UP_SETTINGS,
  cidr: parsePrefix("100.96.0.0/12"),
  share: [{ kind: "group", name: "dev" }],
};

async function withFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await act(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("loadSettings() reads what saveSettings() wrote, for the owner alone, until it is forgotten", () =>
  withFolder(async (folder) => {
    equal(await loadSettings(folder), null);
    await saveSettings(folder, CHOSEN);
    deepEqual(await loadSettings(folder), CHOSEN);
    equal((await Deno.stat(settingsPath(folder))).mode! & 0o777, 0o600);
    deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["settings.json"]);
    await forgetSettings(folder);
    equal(await loadSettings(folder), null);
    await forgetSettings(folder);
  }));

Deno.test("loadSettings() takes a file that is not understood for none", (t) =>
  withFolder(async (folder) => {
    const cases = ["", "{", "{}", `{"schema":"vnet.up_settings/2","settings":{}}`, "[]"];
    for (const text of cases) {
      await t.step(text || "empty", async () => {
        await Deno.writeTextFile(settingsPath(folder), text);
        equal(await loadSettings(folder), null);
      });
    }
  }));

Deno.test("loadSettings() follows no link and waits for no pipe", () =>
  withFolder(async (folder) => {
    await saveSettings(`${folder}`, CHOSEN);
    await Deno.rename(settingsPath(folder), `${folder}/elsewhere`);
    await Deno.symlink(`${folder}/elsewhere`, settingsPath(folder));
    equal(await loadSettings(folder), null);
    await forgetSettings(folder);
    await new Deno.Command("mkfifo", { args: [settingsPath(folder)] }).output();
    equal(await loadSettings(folder), null);
  }));
