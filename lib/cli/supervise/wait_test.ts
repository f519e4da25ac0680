import { machine } from "../../../tests/machine.ts";
import { deepEqual, equal, rejects } from "node:assert/strict";
import { ControlDaemon } from "../../../tests/doubles/control_daemon.ts";
import type { Paths } from "../../client/mod.ts";
import { askDown, findStatus, notReady, waitGone, waitReady } from "./wait.ts";

async function withHome(act: (paths: Paths, home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  const [configDir, stateDir, runtimeDir] = ["config", "state", "run"].map((name) =>
    `${home}/${name}`
  ) as [string, string, string];
  try {
    await act(
      {
        configDir,
        stateDir,
        runtimeDir,
        controlSocket: `${runtimeDir}/control.sock`,
        appSocket: `${runtimeDir}/apps.sock`,
      },
      home,
    );
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("waitReady() returns the status of a daemon that is ready", () =>
  withHome(async (paths, home) => {
    await using daemon = await ControlDaemon.open(home);
    const { signal } = new AbortController();
    daemon.state = "degraded";
    equal((await waitReady(paths, signal))?.state, "degraded");
    daemon.state = "starting";
    let asked = 0;
    const ready = await waitReady(paths, signal, () => {
      if (++asked === 2) daemon.state = "ready";
      return false;
    });
    deepEqual([ready?.state, asked], ["ready", 2]);
  }));

Deno.test("waitReady() ends with the daemon, and with the person's patience", () =>
  withHome(async (paths) => {
    equal(await waitReady(paths, new AbortController().signal, () => true), null);
    equal(await waitReady(paths, AbortSignal.abort()), null);
    equal(notReady(AbortSignal.abort(), "See the log").code, "cancelled");
    equal(notReady(new AbortController().signal, "See the log").code, "start-timeout");
  }));

Deno.test("askDown() says whether there was a daemon, and waitGone() waits for its end", () =>
  withHome(async (paths, home) => {
    equal(await askDown(paths), false);
    const daemon = await ControlDaemon.open(home);
    equal(await askDown(paths, { restart: true }), true);
    await waitGone({ paths, machine: () => Promise.resolve(machine) }, daemon.status().pid);
    equal(await findStatus(paths), null);
    deepEqual(daemon.downs, ["restart"]);
  }));

Deno.test("askDown() gives up on a daemon that does not understand", () =>
  withHome(async (paths) => {
    await Deno.mkdir(paths.runtimeDir);
    const refuse = () => new Response("no", { status: 500 });
    const server = Deno.serve({ path: paths.controlSocket, onListen: () => {} }, refuse);
    await rejects(askDown(paths), { code: "daemon-stuck" });
    await server.shutdown();
  }));
