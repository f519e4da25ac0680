import { equal } from "node:assert/strict";
import { isForeground } from "./terminal.ts";

Deno.test("isForeground() compares the process group with the terminal's", () => {
  const rows: [stat: string, is: boolean][] = [
    ["71 (vnet) S 70 71 70 34816 71 4194304 0", true],
    ["71 (vnet) S 70 71 70 34816 99 4194304 0", false],
    ["71 (vnet) S 70 71 70 0 -1 4194304 0", false],
    ["71 (a) 1 2) S 70 71 70 34816 71 4194304 0", true],
    ["", false],
  ];
  for (const [stat, is] of rows) equal(isForeground(stat), is, stat);
});
