/**
 * Runs the files of the folder beside inside network and mount namespaces that the shim itself makes, and shows their tests as steps.
 *
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { machine } from "../machine.ts";
import { needing } from "../needs.ts";

/** One line of a TAP report. */
interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  readonly skipped: boolean;
}

/** @see https://testanything.org/tap-version-14-specification.html */
function parseTap(report: string): Outcome[] {
  const outcomes: Outcome[] = [];
  for (const line of report.split("\n")) {
    const [, not, name] = /^(not )?ok \d+ - (.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const skipped = / # SKIP/.test(name);
    outcomes.push({ name: name.replace(/ # SKIP.*/, ""), passed: not === undefined, skipped });
  }
  return outcomes;
}

for (
  const file of [
    "datapath.ts",
    "host.ts",
    "inside.ts",
    "mounts.ts",
    "netlink.ts",
    "networks.ts",
    "sources.ts",
  ]
) {
  Deno.test(needing(["root", "/dev/net/tun"], `netns/${file}`, async (t) => {
    const report = await Deno.makeTempFile();
    const path = fileURLToPath(new URL(`os/${file}`, import.meta.url));
    const pid = machine.processes.spawn({
      command: Deno.execPath(),
      args: ["test", "-A", "--quiet", "--no-check", "--reporter=tap", path],
      env: { ...Deno.env.toObject(), NO_COLOR: "1" },
      namespaces: { net: true, mount: true },
      stdout: { append: report },
      stderr: { append: report },
      dieWithParent: true,
    });
    const exit = await machine.processes.wait(pid);
    const text = await Deno.readTextFile(report);
    await Deno.remove(report);
    const outcomes = parseTap(text);
    ok(outcomes.length > 0, `no test ran:\n${text}`);
    for (const { name, passed, skipped } of outcomes) {
      await t.step({ name, ignore: skipped, fn: () => ok(passed, text) });
    }
    equal("code" in exit && exit.code, 0, text);
  }));
}
