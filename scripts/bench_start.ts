/**
 * How fast dist/vnet starts, beside `node -e 1` in the same run (`deno task bench:start`, after
 * `deno task build`). The runs take turns, so that a busy moment hits all alike; the fastest of each counts.
 *
 *   deno run -A scripts/bench_start.ts [EXECUTABLE]
 *
 * @module
 */
// deno-lint-ignore-file no-console -- a command of the developer's
import { root } from "./pack/mod.ts";

const ROUNDS = 20;

/** One command to start. */
interface Candidate {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** @returns Milliseconds from start to end of each run, by candidate. */
async function measure(candidates: readonly Candidate[]): Promise<number[][]> {
  const times: number[][] = candidates.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { command, args }] of candidates.entries()) {
      const start = performance.now();
      await new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" }).output();
      times[i]!.push(performance.now() - start);
    }
  }
  return times.map((list) => list.sort((a, b) => a - b));
}

if (import.meta.main) {
  const executable = Deno.args[0] ?? `${root}dist/vnet`;
  const candidates: readonly Candidate[] = [
    { name: "node -e 1", command: "node", args: ["-e", "1"] },
    { name: "vnet version", command: executable, args: ["version"] },
    { name: "vnet --help", command: executable, args: ["--help"] },
    { name: "vnet status", command: executable, args: ["status"] },
  ];
  const times = await measure(candidates);
  for (const [i, { name }] of candidates.entries()) {
    const [fastest, median] = [times[i]![0]!, times[i]![ROUNDS / 2]!];
    console.log(`${name.padEnd(14)} ${fastest.toFixed(0)} ms (median ${median.toFixed(0)} ms)`);
  }
  const ratio = times[1]![0]! / times[0]![0]!;
  console.log(`vnet-version ${ratio.toFixed(2)}`);
}
