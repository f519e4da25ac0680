import { deepEqual, equal, ok } from "node:assert/strict";
import { commandsBelow, renderHelp } from "../../lib/cli/grammar/help.ts";

/** Every command, a group before its members. */
function everyCommand(above: readonly string[] = []): (readonly string[])[] {
  return commandsBelow(above).flatMap((name) => {
    const command = [...above, name];
    return [command, ...everyCommand(command)];
  });
}

const TERMINAL = { columns: 80, ascii: false };

Deno.test("renderHelp() at 80 columns", async (t) => {
  for (const command of [[], ...everyCommand()]) {
    await t.step(["vnet", ...command].join(" "), async (t) => {
      await t.assertSnapshot(renderHelp(command, TERMINAL));
    });
  }
});

Deno.test("renderHelp() breaks lines between words, and shows the same words at any width", () => {
  for (const command of [[], ...everyCommand()]) {
    const words = (columns: number) => renderHelp(command, { columns, ascii: false }).split(/\s+/);
    for (const columns of [40, 60, 100, 200]) {
      const lines = renderHelp(command, { columns, ascii: false }).split("\n");
      const long = lines.filter((line) => line.length > columns && /\S {1,2}\S/.test(line.trim()));
      if (columns >= 80) deepEqual(long, []);
      deepEqual(words(columns), words(80));
      ok(lines.every((line) => line === line.trimEnd()));
    }
  }
});

Deno.test("renderHelp() is ASCII where the terminal is", () => {
  for (const command of [[], ...everyCommand()]) {
    equal(/^[\0-\x7f]*$/.test(renderHelp(command, { columns: 80, ascii: true })), true);
  }
});
