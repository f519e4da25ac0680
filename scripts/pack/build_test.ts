/** `deno task build` as a developer runs it, on the real program. */
import { deepEqual, equal, match } from "node:assert/strict";
import { lacking, withReason } from "../../tests/needs.ts";
import { root } from "./mod.ts";

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(command: string, args: string[], cwd: string): Promise<Run> {
  const env = { NO_COLOR: "1", DENORT_BIN: "/nonexistent/denort" };
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd, env }).output();
  return {
    code,
    stdout: new TextDecoder().decode(stdout),
    stderr: new TextDecoder().decode(stderr),
  };
}

function build(tree: string, args: string[]): Promise<Run> {
  return run(Deno.execPath(), ["run", "-A", "scripts/build.ts", ...args], tree);
}

/** A copy of what a build reads, in another place and without git. */
async function copyTree(to: string): Promise<void> {
  const names = ["deno.json", "deno.lock", "main.ts", "lib", "ffi", "docs", "scripts"];
  equal((await run("cp", ["-r", ...names, to], root)).code, 0);
}

const LACKS = lacking(["root", "/dev/net/tun"]);

Deno.test("build.ts makes one executable, the same bytes wherever the tree lies", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "vnet-build-test-" });
  try {
    const trees = [`${folder}/a`, `${folder}/b/deeper`];
    const files: Uint8Array[] = [];
    for (const tree of trees) {
      await Deno.mkdir(tree, { recursive: true });
      await copyTree(tree);
      const { code, stdout, stderr } = await build(tree, ["--form", "packed"]);
      equal(code, 0, stderr);
      match(stdout, /dist\/vnet: packed, \d+\.\d MB, sha256 [0-9a-f]{64}\n/);
      files.push(await Deno.readFile(`${tree}/dist/vnet`));
      deepEqual([...Deno.readDirSync(`${tree}/dist`)].map((e) => e.name), ["vnet"]);
    }
    const [first, second] = files;
    equal(first!.length, second!.length);
    equal(first!.findIndex((byte, i) => byte !== second![i]), -1);

    const vnet = `${trees[0]}/dist/vnet`;
    await t.step("which says what it is", async () => {
      const said = await run(vnet, ["version", "--format", "json"], folder);
      equal(said.code, 0, said.stderr);
      const version = JSON.parse(said.stdout);
      deepEqual(
        [version.schema, version.build, version.commit],
        ["vnet.version/1", "packed", "unknown"],
      );
    });
    await t.step({
      name: withReason("which starts its helper, daemon, server and agent from itself", LACKS),
      ignore: LACKS.length > 0,
      fn: async () => {
        const said = await run(vnet, ["demo"], folder);
        equal(said.code, 0, said.stdout + said.stderr);
      },
    });
    await t.step({
      name: withReason(
        "which is interrupted in the middle of its demo and blames no claim",
        LACKS,
      ),
      ignore: LACKS.length > 0,
      fn: async () => {
        await using demo = new Deno.Command(vnet, { args: ["demo"], stdout: "piped" }).spawn();
        let said = "";
        for await (const text of demo.stdout.pipeThrough(new TextDecoderStream())) {
          if (said === "") demo.kill("SIGINT");
          said += text;
        }
        match(said, /^(ok {2}.*\n)+Stopped before the end; everything is taken down\n$/);
        equal((await demo.status).code, 1);
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("build.ts says in one line what is wrong", async (t) => {
  const cases: [name: string, args: string[], want: RegExp][] = [
    ["an unknown form", ["--form", "zip"], /^build: Unknown form "zip": .* \[form-unknown\]\n$/],
    [
      "no denort at the given place",
      ["--form", "compiled"],
      /^build: Cannot compile: denort cannot be had: .* \[denort-missing\]\nhint: Set DENORT_BIN .*\n$/,
    ],
    ["an unknown flag", ["--fast"], /^build: Unknown option '--fast'/],
  ];
  for (const [name, args, want] of cases) {
    await t.step(name, async () => {
      const { code, stdout, stderr } = await build(root, args);
      deepEqual([code, stdout], [1, ""]);
      match(stderr, want);
    });
  }
});
