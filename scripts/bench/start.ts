/**
 * How fast dist/vnet starts, beside `node -e 1` in the same run (`deno task bench:start`, after
 * `deno task build`). `vnet status` asks the live daemon of a demo. The runs take turns, so that a busy moment hits
 * all alike; the fastest of each counts.
 *
 *   deno run -A scripts/bench/start.ts [EXECUTABLE]
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { withFolder } from "../pack/run.ts";
import { root } from "../pack/mod.ts";

const ROUNDS = 20;
const READY_LIMIT_MS = 30_000;

/** One command to start. */
interface Candidate {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** @returns Milliseconds from start to end of each run, by candidate, the fastest first. */
async function measure(candidates: readonly Candidate[]): Promise<number[][]> {
  const times: number[][] = candidates.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { name, command, args }] of candidates.entries()) {
      const start = performance.now();
      const { code, stderr } = await new Deno.Command(command, { args: [...args] }).output();
      times[i]!.push(performance.now() - start);
      if (code !== 0) throw new Error(`${name}: ${new TextDecoder().decode(stderr)}`);
    }
  }
  return times.map((list) => list.sort((a, b) => a - b));
}

/** Runs a demo that stays up, and gives a function its client's folder. */
function withDaemon<T>(executable: string, use: (home: string) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const demo = new Deno.Command(executable, {
      args: ["demo", "--keep"],
      env: { TMPDIR: folder },
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const out = new Response(demo.stdout).text();
    try {
      await said(demo.stderr, "Still up");
      const [home] = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
      if (home === undefined) throw new Error("The demo has no folder");
      return await use(home);
    } finally {
      demo.kill("SIGTERM");
      await demo.status;
      await out;
    }
  });
}

/** Waits until a program says something; then reads on, so that it can. */
async function said(stream: ReadableStream<Uint8Array>, words: string): Promise<void> {
  const found = Promise.withResolvers<void>();
  let heard = "";
  const timer = setTimeout(
    () => found.reject(new Error(`No "${words}": ${heard}`)),
    READY_LIMIT_MS,
  );
  stream.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write: (text) => {
        heard += text;
        if (heard.includes(words)) found.resolve();
      },
      close: () => found.reject(new Error(`It ended: ${heard}`)),
    }),
  ).catch(found.reject);
  await found.promise.finally(() => clearTimeout(timer));
}

async function bench(executable: string, home: string): Promise<void> {
  const candidates: readonly Candidate[] = [
    { name: "node -e 1", command: "node", args: ["-e", "1"] },
    { name: "vnet version", command: executable, args: ["version"] },
    { name: "vnet --help", command: executable, args: ["--help"] },
    { name: "vnet status", command: executable, args: ["status", "--home", home] },
  ];
  const times = await measure(candidates);
  for (const [i, { name }] of candidates.entries()) {
    const [fastest, median] = [times[i]![0]!, times[i]![ROUNDS / 2]!];
    console.log(`${name.padEnd(14)} ${fastest.toFixed(0)} ms (median ${median.toFixed(0)} ms)`);
  }
  console.log(`vnet-version/node ${(times[1]![0]! / times[0]![0]!).toFixed(2)}`);
  console.log(`vnet-status-ms ${times[3]![0]!.toFixed(0)}`);
}

if (import.meta.main) {
  const executable = Deno.args[0] ?? `${root}dist/vnet`;
  await withDaemon(executable, (home) => bench(executable, home));
}
