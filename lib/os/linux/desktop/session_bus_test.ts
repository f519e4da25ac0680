import { deepEqual } from "node:assert/strict";
import { sessionBusSockets } from "./session_bus.ts";

Deno.test("sessionBusSockets() looks where the environment says, and where the bus always is", async (t) => {
  const HOME = "/run/user/7/bus";
  const cases: [name: string, env: Record<string, string>, want: string[]][] = [
    ["nothing is said", {}, [HOME]],
    ["as systemd sets it", {
      DBUS_SESSION_BUS_ADDRESS: "unix:path=/run/user/7/bus",
      XDG_RUNTIME_DIR: "/run/user/7",
    }, [HOME]],
    ["elsewhere, with a guid and an escape", {
      DBUS_SESSION_BUS_ADDRESS: "unix:guid=ab,path=/tmp/a%20b",
    }, ["/tmp/a b", HOME]],
    ["several, some of other kinds", {
      DBUS_SESSION_BUS_ADDRESS: "tcp:host=evil;unix:abstract=/x;unix:path=/1;unix:path=/2",
    }, ["/1", "/2", HOME]],
    ["what cannot be read", {
      DBUS_SESSION_BUS_ADDRESS: "unix:path=/%zz;unix:path=x;autolaunch:",
      XDG_RUNTIME_DIR: "relative",
    }, [HOME]],
  ];
  for (const [name, env, want] of cases) {
    await t.step(name, () => deepEqual(sessionBusSockets((key) => env[key], 7), want));
  }
});
