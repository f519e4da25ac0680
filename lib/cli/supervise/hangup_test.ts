import { equal } from "node:assert/strict";
import { onHangup } from "./hangup.ts";

Deno.test("onHangup() aborts when the terminal is closed", async () => {
  using hangup = onHangup([13]);
  equal(hangup.signal.aborted, false);
  Deno.kill(Deno.pid, "SIGHUP");
  while (!hangup.signal.aborted) await new Promise((done) => setTimeout(done, 1));
  equal(hangup.signal.aborted, true);
});

Deno.test("onHangup() leaves SIGHUP alone under nohup", () => {
  using hangup = onHangup([1, 13]);
  equal(hangup.signal.aborted, false);
});
