import { deepEqual } from "node:assert/strict";
import { parse } from "@optique/core/parser";
import {
  DEFAULT_UP_SETTINGS,
  parseUpOptions,
  type UpSettings,
  upSettingsArgs,
} from "../../config/mod.ts";
import { parsePrefix } from "../../ip/mod.ts";
import { restartOptions, upOptions } from "./up_options.ts";

const ALL: UpSettings = {
  cidr: parsePrefix("100.96.0.0/12"),
  dns: "resolved",
  link: "vnet12",
  share: [{ kind: "all" }, { kind: "group", name: "dev" }, { kind: "user", name: "1001" }],
  containers: "allow",
};

Deno.test("the command line's parser reads what upSettingsArgs() writes", async (t) => {
  for (const settings of [DEFAULT_UP_SETTINGS, ALL, { ...ALL, share: [], dns: "none" as const }]) {
    const args = upSettingsArgs(settings);
    for (const [name, parser] of Object.entries({ upOptions, restartOptions })) {
      await t.step(`${name} ${args.join(" ")}`, () => {
        const parsed = parse(parser, args);
        const wishes = parsed.success ? parseUpOptions(parsed.value) : null;
        deepEqual({ ...DEFAULT_UP_SETTINGS, ...wishes }, settings);
      });
    }
  }
});

Deno.test("what holds anyway is known to be given, and not given to be not", () => {
  const given = parse(upOptions, ["--dns", "auto", "--containers", "deny"]);
  deepEqual(given.success && parseUpOptions(given.value), { dns: "auto", containers: "deny" });
  const none = parse(upOptions, []);
  deepEqual(none.success && parseUpOptions(none.value), {});
});
