import { deepEqual } from "node:assert/strict";
import { type DenortQuestions, type DenortSource, findDenort } from "./denort.ts";

const CACHED = "/cache/dl/release/v2.9.5/denort-x86_64-unknown-linux-gnu.zip";
const URL_ = "https://dl.deno.land/release/v2.9.5/denort-x86_64-unknown-linux-gnu.zip";

interface Machine {
  readonly given?: string;
  readonly files?: readonly string[];
  readonly online?: boolean;
}

function ask(machine: Machine): DenortQuestions {
  return {
    env: (name) => name === "DENORT_BIN" ? machine.given : undefined,
    exists: (path) => Promise.resolve(machine.files?.includes(path) ?? false),
    reachable: (url) => Promise.resolve(url === URL_ && machine.online === true),
    denoDir: "/cache",
    version: "2.9.5",
    target: "x86_64-unknown-linux-gnu",
  };
}

Deno.test("findDenort() takes the first way that `deno compile` would take", async (t) => {
  const cases: [name: string, machine: Machine, want: DenortSource | null][] = [
    ["nothing", {}, null],
    ["online", { online: true }, { kind: "download", url: URL_ }],
    ["cached", { files: [CACHED], online: true }, { kind: "cached", path: CACHED }],
    ["given", { given: "/rt", files: ["/rt", CACHED] }, { kind: "given", path: "/rt" }],
    ["given empty", { given: "", online: true }, { kind: "download", url: URL_ }],
    // `deno compile` would fail on it rather than look further
    ["given but missing", { given: "/rt", online: true }, null],
  ];
  for (const [name, machine, want] of cases) {
    await t.step(name, async () => deepEqual(await findDenort(ask(machine)), want));
  }
});
