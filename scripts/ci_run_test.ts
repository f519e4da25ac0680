import { deepEqual } from "node:assert/strict";

const RUN = new URL("../.ci/run", import.meta.url);

/** What the stand-in for `npx -y deno@2.9.5` prints and how it ends, for each command. */
interface Script {
  /** Deno test's output; `%` stands for the escape character. */
  readonly test: string;
  readonly testStatus: number;
  readonly lintStatus?: number;
}

/** Runs .ci/run in a folder of its own, where npx is a small script. */
async function runCi(script: Script): Promise<{ status: number; lines: string[]; calls: string }> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-ci-" });
  try {
    await Deno.mkdir(`${folder}/.ci`);
    await Deno.mkdir(`${folder}/bin`);
    await Deno.copyFile(RUN, `${folder}/.ci/run`);
    await Deno.writeTextFile(`${folder}/output`, script.test.replaceAll("%", "\x1b"));
    await Deno.writeTextFile(
      `${folder}/bin/npx`,
      `#!/bin/sh
echo "$* CI=$CI" >>'${folder}/calls'
case "$*" in
*" task test") cat '${folder}/output'; exit ${script.testStatus} ;;
*" lint") exit ${script.lintStatus ?? 0} ;;
esac
`,
      { mode: 0o755 },
    );
    const { code, stdout } = await new Deno.Command("bash", {
      args: [`${folder}/.ci/run`],
      cwd: "/",
      env: { PATH: `${folder}/bin:${Deno.env.get("PATH")}` },
      stderr: "null",
    }).output();
    return {
      status: code,
      lines: new TextDecoder().decode(stdout).trimEnd().split("\n"),
      calls: await Deno.readTextFile(`${folder}/calls`),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test(".ci/run ends with the counts of checks and tests together", async (t) => {
  const cases: [name: string, script: Script, line: string, status: number][] = [
    [
      "everything passed",
      { test: "ok | 12 passed (3 steps) | 0 failed (2s)\n", testStatus: 0 },
      "16 passed, 0 failed",
      0,
    ],
    [
      "colours and skipped tests",
      { test: "\n%[0m%[32mok%[0m | 12 passed | 0 failed | 5 ignored (2s)\n", testStatus: 0 },
      "16 passed, 0 failed, 5 skipped",
      0,
    ],
    [
      "a failing test",
      { test: "FAILED | 3 passed | 2 failed (1 step) (2s)\n", testStatus: 1 },
      "7 passed, 2 failed",
      1,
    ],
    [
      "a test that does not compile",
      { test: "error: TS2322\n", testStatus: 1 },
      "4 passed, 1 failed",
      1,
    ],
    [
      "no test at all",
      { test: "ok | 0 passed | 0 failed (1ms)\n", testStatus: 0 },
      "4 passed, 1 failed",
      1,
    ],
    [
      "a bad end after good tests",
      { test: "ok | 3 passed | 0 failed (1ms)\n", testStatus: 137 },
      "7 passed, 1 failed",
      1,
    ],
    [
      "a failing lint",
      { test: "ok | 3 passed | 0 failed (1ms)\n", testStatus: 0, lintStatus: 1 },
      "6 passed, 1 failed",
      1,
    ],
    [
      "the summary of a test's own child comes first",
      { test: "ok | 99 passed | 0 failed (1ms)\nok | 3 passed | 0 failed (1ms)\n", testStatus: 0 },
      "7 passed, 0 failed",
      0,
    ],
    [
      "two steps and their sum",
      {
        test:
          "ok | 7 passed | 0 failed (1s)\nok | 3 passed | 0 failed (2s)\n\nok | 10 passed | 0 failed (3s)\n",
        testStatus: 0,
      },
      "14 passed, 0 failed",
      0,
    ],
    [
      "a first step that failed before a second that passed",
      {
        test:
          "FAILED | 6 passed | 1 failed (1s)\nok | 3 passed | 0 failed (2s)\n\nFAILED | 9 passed | 1 failed (3s)\n",
        testStatus: 1,
      },
      "13 passed, 1 failed",
      1,
    ],
    [
      "an end in the middle of the second step",
      { test: "ok | 7 passed | 0 failed (1s)\nb ... ok (1ms)\n", testStatus: 124 },
      "11 passed, 1 failed",
      1,
    ],
    [
      "a test that was skipped for lack of root",
      {
        test:
          "opens a TUN (skipped: needs root) ... ignored (0ms)\nok | 3 passed | 0 failed | 1 ignored (1ms)\n",
        testStatus: 0,
      },
      "7 passed, 1 failed, 1 skipped",
      1,
    ],
  ];
  for (const [name, script, line, status] of cases) {
    await t.step(name, async () => {
      const run = await runCi(script);
      deepEqual([run.lines.at(-1), run.status], [line, status]);
    });
  }
});

Deno.test(".ci/run runs README's test command as it stands there", async () => {
  const { calls } = await runCi({ test: "ok | 1 passed | 0 failed (1ms)\n", testStatus: 0 });
  deepEqual(calls.trimEnd().split("\n").slice(-2), [
    "-y deno@2.9.5 task test CI=true",
    "-y deno@2.9.5 task walk CI=true",
  ]);
});
