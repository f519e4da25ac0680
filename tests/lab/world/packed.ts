/**
 * The one-file build, for stories whose users cannot read what root can.
 *
 * @module
 */
import type { Host } from "../host/host.ts";
import { here } from "../host/paths.ts";
import { say } from "../host/say.ts";

const PLACE = "/home/bin/vnet";

/** Puts dist/vnet on a host, building it first, and returns the command that starts it. */
export async function installPacked(host: Host): Promise<readonly string[]> {
  await host.run(["install", "-D", "-m", "755", await buildPacked(), PLACE]);
  return [PLACE];
}

/** Builds dist/vnet, unless VNET_BIN names one. @returns Its path. */
export async function buildPacked(): Promise<string> {
  const given = Deno.env.get("VNET_BIN");
  if (given !== undefined) return given;
  const built = here("../../dist/vnet");
  if (await isUpToDate(built)) return built;
  say("$ deno task build");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "build"],
    cwd: here("../.."),
    env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  }).output();
  if (code !== 0) {
    const text = new TextDecoder();
    throw new Error(`deno task build: ${text.decode(stdout)}${text.decode(stderr)}`);
  }
  return built;
}

/** As make(1) would tell: nothing that goes into it is younger than what came out. */
async function isUpToDate(built: string): Promise<boolean> {
  const sources = ["main.ts", "deno.json", "deno.lock", "docs", "lib", "ffi", "scripts"];
  const { code, stdout } = await new Deno.Command("find", {
    args: [...sources.map((name) => here(`../../${name}`)), "-newer", built, "-print", "-quit"],
    stdin: "null",
    stderr: "null",
  }).output();
  return code === 0 && stdout.length === 0;
}
