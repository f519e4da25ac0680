/**
 * Compiles the C tests of the pure tables with ASan and UBSan, runs them, and shows their TAP lines as steps.
 *
 * @module
 */
import { equal, match, ok } from "node:assert/strict";

const FFI = new URL("../", import.meta.url);

async function run(
  command: string,
  args: readonly string[],
): Promise<{ success: boolean; text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    cwd: FFI,
  }).output();
  const decoder = new TextDecoder();
  return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** The first compiler that can build a program with sanitizers, or `null`. */
async function findCompiler(): Promise<string | null> {
  for (const name of ["gcc", "clang"]) {
    const probe = await run("sh", [
      "-c",
      `echo 'int main(void) { return 0; }' | ${name} ${SANITIZERS.join(" ")} -x c -o /dev/null -`,
    ]);
    if (probe.success) return name;
  }
  return null;
}

/** What the tests are about: no system call in any of it. */
const PURE = ["nat.c", "flow.c", "held.c", "lease.c", "packet.c"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
const FLAGS = ["-std=c11", "-pthread", "-g", "-O1", "-Wall", "-Wextra", "-Werror", ...SANITIZERS];
const compiler = await findCompiler();
/** Named as scripts/run_tests.ts reads it; a compiler without sanitizers is as good as none. */
const reason = compiler === null ? " (needs gcc)" : "";
const ignore = compiler === null && Deno.env.get("CI") === undefined;

/** Builds a program in a folder that is removed afterwards. */
async function withProgram(
  sources: readonly string[],
  test: (program: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-shim-" });
  try {
    const program = `${folder}/program`;
    const built = await run(compiler ?? "", [...FLAGS, "-o", program, ...sources]);
    ok(built.success, built.text);
    await test(program);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PROGRAMS: readonly [name: string, sources: readonly string[]][] = [
  ["the flow table", ["tests/nat_test.c", ...PURE]],
  ["the table of replies", ["tests/answer_test.c", "answer.c"]],
  ["the table of replies behind a socket", [
    "tests/answer_socket_test.c",
    ...["answer.c", "answer_linux.c", "inet_linux.c", "shim.c"],
  ]],
  ["the packet thread and its callers", [
    "tests/datapath_threads_test.c",
    ...PURE,
    ...["datapath_linux.c", "datapath_api_linux.c", "diag_linux.c", "netlink_linux.c", "shim.c"],
  ]],
];

for (const [name, sources] of PROGRAMS) {
  Deno.test({
    name: `${name} under ASan and UBSan${reason}`,
    ignore,
    fn: (t) =>
      withProgram(sources, async (program) => {
        const { success, text } = await run(program, []);
        const lines = [...text.matchAll(/^(not )?ok \d+ - (.*)$/gm)];
        for (const [, not, name] of lines) {
          await t.step(name ?? "", () => ok(not === undefined, text));
        }
        match(text, new RegExp(`^1\\.\\.${lines.length}$`, "m"));
        equal(success, true, text);
      }),
  });
}

/** What reads foreign bytes, with what is compiled beside it; `netlink` includes what it is about. */
const FUZZED: readonly [target: string, runs: string, sources: readonly string[]][] = [
  ["nat", "300", PURE],
  ["raw", "20000", ["packet.c"]],
  ["answer", "300", ["answer.c"]],
  ["netlink", "3000", []],
];

for (const [target, runs, sources] of FUZZED) {
  Deno.test({
    name: `fuzz/${target}_fuzz.c on inputs from a seed, and on its corpus${reason}`,
    ignore,
    fn: (t) =>
      withProgram([`fuzz/${target}_fuzz.c`, "fuzz/fuzz_main.c", ...sources], async (program) => {
        for (const seed of ["1", "2", "3"]) {
          await t.step(`seed ${seed}`, async () => {
            const { success, text } = await run(program, [seed, runs]);
            ok(success, text);
          });
        }
        await t.step("corpus", async () => {
          const folder = new URL(`fuzz/corpus/${target}/`, FFI);
          const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
          ok(names.length > 0);
          const files = names.map((name) => new URL(name, folder).pathname);
          const { success, text } = await run(program, ["--files", ...files]);
          ok(success, text);
          match(text, new RegExp(`^${names.length} files$`, "m"));
        });
      }),
  });
}
