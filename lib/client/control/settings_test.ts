import { deepEqual } from "node:assert/strict";
import { DEFAULT_UP_SETTINGS, type UpSettings } from "../../config/mod.ts";
import { parsePrefix } from "../../ip/mod.ts";
import { ControlClient } from "./client.ts";
import { type ControlTarget, serveControl } from "./server.ts";

Deno.test("ControlClient.settings() tells what the daemon was started with", async () => {
  const settings: UpSettings = {
    ...DEFAULT_UP_SETTINGS,
    cidr: parsePrefix("100.96.0.0/12"),
    share: [{ kind: "all" }, { kind: "user", name: "1001" }],
  };
  const folder = await Deno.makeTempDir();
  const target = { settings: () => settings } as Partial<ControlTarget> as ControlTarget;
  const server = await serveControl(`${folder}/control.sock`, target);
  try {
    using control = new ControlClient(`${folder}/control.sock`);
    deepEqual(await control.settings(), settings);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});
