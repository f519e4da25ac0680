import { equal, throws } from "node:assert/strict";
import { type Context, requireConfigFile } from "./context.ts";

function contextOf(config: string | undefined, variable: string | undefined): Context {
  return {
    globals: { config },
    env: (name: string) => name === "VNET_CONFIG" ? variable : undefined,
  } as unknown as Context;
}

Deno.test("requireConfigFile() takes --config before VNET_CONFIG before the usual file", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const [option, variable, usual] = ["option", "variable", "usual"].map((name) =>
      `${directory}/${name}`
    ) as [string, string, string];
    for (const path of [option, variable, usual]) await Deno.writeTextFile(path, "");
    equal(requireConfigFile(contextOf(option, variable), "Cannot", usual), option);
    equal(requireConfigFile(contextOf(undefined, variable), "Cannot", usual), variable);
    equal(requireConfigFile(contextOf(undefined, undefined), "Cannot", usual), usual);
    throws(() => requireConfigFile(contextOf(undefined, undefined), "Cannot", `${usual}-not`), {
      code: "file-missing",
      message: `Cannot: there is no file "${usual}-not"`,
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
