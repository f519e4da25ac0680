import { deepEqual, equal, match } from "node:assert/strict";
import { NOTHING } from "./counts.ts";
import { type Options, type Run, runDeno, testEnvironment } from "./run_deno.ts";

/** Runs a program in the place of tests. */
async function run(program: string, options: Partial<Options> = {}): Promise<[Run, string]> {
  let said = "";
  const decoder = new TextDecoder();
  const done = await runDeno("lab", ["eval", "--no-lock", program], {
    deadlineMs: 60_000,
    signal: new AbortController().signal,
    ...options,
    sink: (bytes) => {
      said += decoder.decode(bytes, { stream: true });
      options.sink?.(bytes);
    },
  });
  return [done, said];
}

Deno.test("runDeno() counts what a run says, stderr and all, in order", async () => {
  const [done, said] = await run(
    `
    console.log("a (needs dig) ... ignored (1ms)");
    console.error(Deno.env.get("VNET_BIN"));
    console.log("ok | 2 passed | 0 failed | 1 ignored (1ms)");
  `,
    { env: { VNET_BIN: "dist/vnet" } },
  );
  deepEqual(done.counts, { ...NOTHING, passed: 2, ignored: 1 });
  deepEqual(done.failures, []);
  deepEqual(done.ignored, [["dig"]]);
  equal(done.lines.length, 4);
  match(said, /ignored \(1ms\)\ndist\/vnet\nok/);
});

Deno.test("runDeno() names what failed, or says how it ended", async () => {
  const [named] = await run(
    `
    console.log(" FAILURES \\n\\na ... b => ./needs.ts:1:2\\n\\nFAILED | 0 passed | 1 failed (1ms)");
    Deno.exit(1);
  `,
    { file: "a_test.ts" },
  );
  deepEqual(named.failures, [{ file: "a_test.ts", test: "a ... b" }]);
  equal(named.counts.failed, 1);
  const [unnamed] = await run(`Deno.exit(3)`, { file: "a_test.ts" });
  deepEqual(unnamed.failures, [{ file: "a_test.ts", test: "exit status 3" }]);
  equal(unnamed.counts.failed, 1);
});

Deno.test("runDeno() ends a run that is stopped, and counts it as failed", async () => {
  const stop = new AbortController();
  const [done, said] = await run(
    `console.log("ok | 1 passed | 0 failed (1ms)"); setInterval(() => {}, 1000);`,
    { signal: stop.signal, sink: () => stop.abort() },
  );
  deepEqual(done.counts, { ...NOTHING, passed: 1, failed: 1 });
  deepEqual(done.failures, [{ file: "lab", test: "stopped" }]);
  match(said, /1 passed/);
});

Deno.test("testEnvironment() leaves out what is this terminal's or this person's", () => {
  const kept = { PATH: "/bin", HOME: "/root", CI: "true", DENO_DIR: "/d", https_proxy: "http://p" };
  const dropped = { SHELL: "/bin/bash", DISPLAY: ":0", SUDO_USER: "a", SSH_TTY: "/dev/pts/0" };
  deepEqual(testEnvironment({ ...kept, ...dropped, XDG_RUNTIME_DIR: "/run/user/0" }), kept);
});
