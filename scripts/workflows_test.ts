/** The workflows of a connected CI, as far as that can be known without one. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { parse } from "yaml";
import { root } from "./pack/mod.ts";

const FOLDER = `${root}.github/workflows`;

interface Step {
  readonly uses?: string;
  readonly run?: string;
}

interface Workflow {
  readonly on: Readonly<Record<string, { readonly tags?: readonly string[] } | null>>;
  readonly permissions?: unknown;
  readonly jobs: Readonly<
    Record<string, {
      readonly "runs-on": string;
      readonly "timeout-minutes"?: number;
      readonly strategy?: { readonly matrix: unknown };
      readonly steps: readonly Step[];
    }>
  >;
}

const texts = new Map(
  [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort().map((name) => [
    name,
    Deno.readTextFileSync(`${FOLDER}/${name}`),
  ]),
);
const workflows = [...texts].map(([name, text]) => [name, parse(text) as Workflow] as const);
const jobs = workflows.flatMap(([file, { jobs }]) =>
  Object.entries(jobs).map(([name, job]) => [`${file}: ${name}`, job] as const)
);

Deno.test("every workflow may read only, and every job ends", () => {
  deepEqual([...texts.keys()], ["ci.yml", "release.yml"]);
  for (const [name, { permissions }] of workflows) {
    deepEqual(permissions, { contents: "read" }, name);
  }
  for (const [name, job] of jobs) ok((job["timeout-minutes"] ?? 0) > 0, name);
});

Deno.test("every action is pinned to a commit, with its version beside it", () => {
  for (const [name, text] of texts) {
    const lines = text.split("\n").filter((line) => /^\s*(- )?uses:/.test(line));
    ok(lines.length > 0, name);
    for (const line of lines) ok(/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line), `${name}: ${line}`);
  }
});

Deno.test("every command is one that a developer has", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
  const runs = jobs.flatMap(([, { steps }]) => steps.flatMap(({ run }) => run ?? []));
  for (const run of runs) {
    for (const [, version] of run.matchAll(/\bdeno@(\S+)/g)) equal(version, "2.9.5", run);
    for (const [, task] of run.matchAll(/ task ([a-z:]+)/g)) ok(Object.hasOwn(tasks, task!), run);
  }
});

Deno.test("every kind of machine builds, and a tag makes a release", () => {
  const machines = jobs.map(([, job]) => `${job["runs-on"]} ${JSON.stringify(job.strategy ?? {})}`);
  for (const kind of [/ubuntu-24\.04\b(?!-arm)/, /ubuntu-24\.04-arm/, /macos-/, /windows-/]) {
    ok(machines.some((machine) => kind.test(machine)), String(kind));
  }
  const release = workflows.find(([name]) => name === "release.yml")?.[1];
  deepEqual(release?.on, { push: { tags: ["v*"] } });
});
