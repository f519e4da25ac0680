/**
 * Runs the files of the folder beside inside network namespaces that the shim itself makes.
 *
 * @module
 */
import { equal, match } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { machine } from "../machine.ts";
import { needing } from "../needs.ts";

const FILES: readonly [file: string, needs: readonly string[]][] = [
  ["host.ts", []],
  ["hostile.ts", ["/dev/fuse", "gcc"]],
  ["ranges.ts", ["ip", "nsenter"]],
];

for (const [file, needs] of FILES) {
  Deno.test(needing(["root", "/dev/net/tun", ...needs], `netns/${file}`, async () => {
    const report = await Deno.makeTempFile();
    try {
      const pid = machine.processes.spawn({
        command: Deno.execPath(),
        args: [
          "test",
          "-A",
          "--no-check",
          fileURLToPath(new URL(`helper/${file}`, import.meta.url)),
        ],
        env: { ...Deno.env.toObject(), NO_COLOR: "1" },
        namespaces: { net: true, mount: true },
        stdout: { append: report },
        stderr: { append: report },
        dieWithParent: true,
      });
      const exit = await machine.processes.wait(pid);
      const text = await Deno.readTextFile(report);
      equal("code" in exit && exit.code, 0, text);
      match(text, /[1-9]\d* passed/);
    } finally {
      await Deno.remove(report);
    }
  }));
}
