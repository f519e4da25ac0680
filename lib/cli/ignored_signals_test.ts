import { deepEqual } from "node:assert/strict";
import { ignoredSignals } from "./ignored_signals.ts";

Deno.test("ignoredSignals() reads the mask of /proc/PID/status", () => {
  deepEqual(ignoredSignals("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001006\n"), [2, 3, 13]);
  deepEqual(ignoredSignals("SigIgn:\t8000000000000000\n"), [64]);
  deepEqual(ignoredSignals(""), []);
});
