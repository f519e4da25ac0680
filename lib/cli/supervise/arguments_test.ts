import { deepEqual } from "node:assert/strict";
import { DEFAULT_UP_SETTINGS, type UpSettings } from "../../config/mod.ts";
import { parsePrefix } from "../../ip/mod.ts";
import { daemonArgs, helperArgs } from "./arguments.ts";

const CHOSEN: UpSettings = {
  ...DEFAULT_UP_SETTINGS,
  cidr: parsePrefix("100.96.0.0/12"),
  share: [{ kind: "group", name: "dev" }],
  containers: "allow",
};

Deno.test("daemonArgs() name the helper, and what does not hold anyway", () => {
  deepEqual(daemonArgs({ helper: { descriptor: 3 }, settings: DEFAULT_UP_SETTINGS }), [
    ...["daemon", "--helper", "3"],
  ]);
  const helper = { path: "/run/vnet/helper.sock" };
  deepEqual(daemonArgs({ helper, waitForLogin: true, keepLog: "/d.log", settings: CHOSEN }), [
    ...["daemon", "--helper-socket", "/run/vnet/helper.sock", "--wait-for-login"],
    ...["--keep-log", "/d.log"],
    ...["--cidr", "100.96.0.0/12", "--share", "group:dev", "--containers", "allow"],
  ]);
});

Deno.test("helperArgs() have of the settings those that need root", () => {
  const place = { client: 3, journalDir: "/var/lib/vnet" };
  deepEqual(helperArgs({ ...place, logsOf: null, settings: DEFAULT_UP_SETTINGS, allowed: [] }), [
    ...["helper", "--client", "3", "--journal", "/var/lib/vnet"],
    ...["--dns", "auto", "--containers", "deny"],
  ]);
  const allowed = [parsePrefix("10.77.0.0/16"), parsePrefix("192.168.7.0/24")];
  deepEqual(helperArgs({ ...place, logsOf: 1000, settings: CHOSEN, allowed }), [
    ...["helper", "--client", "3", "--journal", "/var/lib/vnet", "--logs-of", "1000"],
    ...["--dns", "auto", "--containers", "allow"],
    ...["--range", "10.77.0.0/16", "--range", "192.168.7.0/24"],
  ]);
});
