import { deepEqual, equal, match, throws } from "node:assert/strict";
import { ControlDaemon } from "../../../tests/doubles/control_daemon.ts";
import { DEFAULT_UP_SETTINGS, type UpSettings, type UpWishes } from "../../config/mod.ts";
import { saveSettings } from "../../client/saved_settings.ts";
import { parsePrefix } from "../../ip/mod.ts";
import type { Context } from "../context.ts";
import { keptArgs } from "./restart.ts";
import { refuseChanges, refuseOthers, toldSettings } from "./told.ts";

const TOLD: UpSettings = {
  ...DEFAULT_UP_SETTINGS,
  cidr: parsePrefix("100.96.0.0/12"),
  share: [{ kind: "group", name: "dev" }],
};

/** A context of somebody else than who runs the test. */
function contextAt(home: string, runtimeDir = `${home}/run`): Context {
  return {
    owner: { uid: (Deno.uid() ?? 0) + 1000, gid: 1000, name: "alice", homeDir: home },
    paths: {
      configDir: `${home}/config`,
      stateDir: `${home}/state`,
      runtimeDir,
      controlSocket: `${runtimeDir}/control.sock`,
    },
  } as Context;
}

Deno.test("toldSettings() asks the daemon, then what a killed one left", async () => {
  const home = await Deno.makeTempDir();
  const context = contextAt(home);
  try {
    equal(await toldSettings(context), null);
    await Deno.mkdir(`${home}/state`);
    await saveSettings(`${home}/state`, { ...TOLD, dns: "direct" });
    const daemon = await ControlDaemon.open(home);
    daemon.settings = TOLD;
    deepEqual(await toldSettings(context), TOLD);
    await daemon.close();
    deepEqual(await toldSettings(context), { ...TOLD, dns: "direct" });
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("refuseOthers() lets `up` say what is so anyway", () => {
  for (const wishes of [{}, { dns: "auto" }, { cidr: TOLD.cidr, share: TOLD.share }] as const) {
    refuseOthers(contextAt("/x"), wishes, TOLD);
  }
  refuseOthers(contextAt("/x"), {}, null);
});

Deno.test("refuseOthers() says which options differ, and how to change them", async (t) => {
  const restart = (args: string) => new RegExp(`^Run \`(sudo )?vnet restart ${args}\` to`);
  const cases: [wishes: UpWishes, told: UpSettings | null, message: string, hint: RegExp][] = [
    [
      { cidr: parsePrefix("10.99.0.0/24"), share: TOLD.share },
      TOLD,
      "vnet is up already with --cidr 100.96.0.0/12",
      restart("--cidr 10.99.0.0/24"),
    ],
    [
      { share: [{ kind: "all" }], link: "vnet3" },
      DEFAULT_UP_SETTINGS,
      "vnet is up already without --link and --share",
      restart("--link vnet3 --share all"),
    ],
    [
      { dns: "none" },
      null,
      "vnet is up already, and does not say how",
      restart("--dns none"),
    ],
  ];
  for (const [wishes, told, message, hint] of cases) {
    await t.step(message, () => {
      throws(() => refuseOthers(contextAt("/x"), wishes, told), (thrown: Error) => {
        equal(thrown.message, message);
        equal(Reflect.get(thrown, "code"), "already-up");
        match(Reflect.get(thrown, "hint"), hint);
        return true;
      });
    });
  }
});

Deno.test("a service's options are its unit's: neither `up` nor `restart` has others", () => {
  const context = contextAt("/x", "/run/vnet-daemon/alice");
  const hint = /^Change it with `sudo systemctl edit vnet@alice`, or .*vnet up --dns direct`$/;
  throws(() => refuseOthers(context, { dns: "direct" }, TOLD), { code: "already-up", hint });
  throws(() => refuseChanges(context, { dns: "direct" }, TOLD), {
    name: "UsageError",
    message: "Cannot restart with --dns direct: a service runs this daemon",
    hint,
  });
  refuseChanges(context, { dns: "auto" }, TOLD);
});

Deno.test("keptArgs() are what was told and is not replaced", async (t) => {
  const cases: [wishes: UpWishes, want: readonly string[]][] = [
    [{}, ["--cidr", "100.96.0.0/12", "--share", "group:dev"]],
    [{ cidr: parsePrefix("10.99.0.0/24") }, ["--share", "group:dev"]],
    [{ share: [{ kind: "all" }] }, ["--cidr", "100.96.0.0/12"]],
    [{ dns: "none", cidr: TOLD.cidr, share: [] }, []],
  ];
  for (const [wishes, want] of cases) {
    await t.step(want.join(" ") || "nothing", () => deepEqual(keptArgs(TOLD, wishes), want));
  }
});
