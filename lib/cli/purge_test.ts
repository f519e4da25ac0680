import { deepEqual } from "node:assert/strict";
import { purgeOwn } from "./purge.ts";

async function withHome(test: (home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    await test(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

/** Every path below a folder, sorted. */
function below(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? [name, ...below(`${folder}/${name}`).map((path) => `${name}/${path}`)] : [name]
  ).sort();
}

function pathsIn(home: string) {
  const runtimeDir = `${home}/run`;
  return {
    configDir: `${home}/config`,
    stateDir: `${home}/state`,
    runtimeDir,
    controlSocket: `${runtimeDir}/control.sock`,
    appSocket: `${runtimeDir}/apps.sock`,
  };
}

function write(home: string, ...paths: string[]): void {
  for (const path of paths) {
    Deno.mkdirSync(`${home}/${path.replace(/[^/]*$/, "")}`, { recursive: true });
    Deno.writeTextFileSync(`${home}/${path}`, "x");
  }
}

Deno.test("purgeOwn() removes all that vnet wrote but logins, and says so once", async () => {
  await withHome(async (home) => {
    write(home, "config/profiles/a.json", "state/leases.json", "state/clusters.json");
    write(home, "state/settings.json", "state/leases.json.0a1b2c3d4e5f.tmp");
    write(home, "state/daemon.log", "state/daemon.log.1");
    write(home, "run/apps.sock", "run/control.sock", "run/daemon.lock", "run/start-error.json");
    deepEqual(await purgeOwn(pathsIn(home)), [
      `Removed ${home}/state/clusters.json`,
      `Removed ${home}/state/daemon.log`,
      `Removed ${home}/state/daemon.log.1`,
      `Removed ${home}/state/leases.json`,
      `Removed ${home}/state/leases.json.0a1b2c3d4e5f.tmp`,
      `Removed ${home}/state/settings.json`,
      `Removed ${home}/state`,
      `Removed ${home}/run/apps.sock`,
      `Removed ${home}/run/control.sock`,
      `Removed ${home}/run/daemon.lock`,
      `Removed ${home}/run/start-error.json`,
      `Removed ${home}/run`,
    ]);
    deepEqual(below(home), ["config", "config/profiles", "config/profiles/a.json"]);
    deepEqual(await purgeOwn(pathsIn(home)), []);
  });
});

Deno.test("purgeOwn() leaves what is not vnet's, and follows no link", async () => {
  await withHome(async (home) => {
    write(home, "state/thesis.txt", "state/leases.json.bak", "precious/leases.json");
    Deno.symlinkSync(`${home}/precious/leases.json`, `${home}/state/leases.json`);
    Deno.symlinkSync(`${home}/precious`, `${home}/run`);
    deepEqual(await purgeOwn(pathsIn(home)), [`Removed ${home}/state/leases.json`]);
    deepEqual(below(home), [
      "precious",
      "precious/leases.json",
      "run",
      "state",
      "state/leases.json.bak",
      "state/thesis.txt",
    ]);
  });
});

Deno.test("purgeOwn() removes the folders that a logout emptied", async () => {
  await withHome(async (home) => {
    Deno.mkdirSync(`${home}/config/profiles`, { recursive: true });
    deepEqual(await purgeOwn(pathsIn(home)), [
      `Removed ${home}/config/profiles`,
      `Removed ${home}/config`,
    ]);
  });
});
