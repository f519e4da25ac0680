/**
 * Makes README's pictures: docs/pictures/{way,demo}.svg, and the recording the second is drawn from.
 *
 *   deno task pictures            record anew (root; dist/vnet), then draw
 *   deno task pictures --draw     only draw, from the recording that is there
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { formatCast, parseCast } from "./cast.ts";
import { record } from "./record.ts";
import { renderTerminal } from "./terminal_svg.ts";
import { renderWay } from "./way_svg.ts";

const ROOT = new URL("../../", import.meta.url);
const FOLDER = new URL("docs/pictures/", ROOT);
const RECORDING = new URL("demo.cast", FOLDER);

const COMMANDS: readonly string[] = [
  "getent hosts db.corp.test",
  "curl -s http://web.demo.test/",
  "vnet apps ls",
  "curl -sS http://strict.demo.test:2/",
  "vnet status | grep refused",
];

/** Draws every picture, by its file's name in docs/pictures. */
export async function drawPictures(): Promise<ReadonlyMap<string, string>> {
  const cast = parseCast(await Deno.readTextFile(RECORDING));
  return new Map([["way.svg", renderWay()], ["demo.svg", renderTerminal(cast)]]);
}

if (import.meta.main) {
  if (!Deno.args.includes("--draw")) {
    const vnet = fileURLToPath(new URL("dist/vnet", ROOT));
    const cast = await record(vnet, COMMANDS, "vnet in a private network of its own");
    await Deno.writeTextFile(RECORDING, formatCast(cast));
  }
  for (const [file, text] of await drawPictures()) {
    await Deno.writeTextFile(new URL(file, FOLDER), text);
  }
}
