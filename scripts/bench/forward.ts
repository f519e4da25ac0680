/**
 * What forwarding costs: throughput and new connections per second through vnet, beside a pair of stunnel4
 * processes doing the same way, in one run on one machine.
 *
 * ```text
 *   client host                        proxy host            agent host
 *   load ─ TUN ─ vnet daemon ══ TLS ══ vnet server ══ TLS ══ vnet agent ── load serve
 *   load ─ lo ── stunnel4 ═════════════════ TLS ════════════ stunnel4 ──── load serve
 * ```
 *
 * Both sides show certificates, both authenticate the other; TLS 1.3, P-256, TCP_NODELAY, one kernel, one
 * congestion control. stunnel has no proxy in between and no addresses to hand out: it is the floor to measure
 * against. Every figure is the median of rounds that alternate between the two. The last lines are
 * `name ratio`, vnet's figure divided by stunnel's.
 *
 *   deno task bench [--rounds 3] [--seconds 2]     (root; deno task setup)
 *
 * @module
 * @see docs/performance.md
 */
import { parseArgs } from "node:util";
import { openBench, type Way } from "./hosts.ts";
import { Lab } from "../../tests/lab/host/lab.ts";
import { say } from "../../tests/lab/host/say.ts";

/** One thing to measure: an act of load.c. */
interface Measure {
  readonly name: string;
  readonly act: "up" | "down" | "rate";
  readonly threads: number;
}

const MEASURES: readonly Measure[] = [
  { name: "throughput_up", act: "up", threads: 1 },
  { name: "throughput_down", act: "down", threads: 1 },
  { name: "throughput_up_8", act: "up", threads: 8 },
  { name: "throughput_down_8", act: "down", threads: 8 },
  { name: "connections_per_second", act: "rate", threads: 8 },
];

const PORT_OF = { up: 0, down: 1, rate: 2 } as const;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "2" },
  },
});
await main(Number(values.rounds), Number(values.seconds));

async function main(rounds: number, seconds: number): Promise<void> {
  if (Deno.uid() !== 0) {
    say("error: the bench makes network namespaces: run it as root");
    Deno.exit(1);
  }
  const ratios: string[] = [];
  await using lab = await Lab.open();
  try {
    const ways = await openBench(lab);
    for (const measure of MEASURES) ratios.push(await compare(measure, ways, rounds, seconds));
  } catch (thrown) {
    say(await lab.tails());
    throw thrown;
  }
  print("");
  for (const ratio of ratios) print(ratio);
}

/** Measures both ways in turn and returns the line `name ratio`. */
async function compare(
  measure: Measure,
  ways: readonly [vnet: Way, stunnel: Way],
  rounds: number,
  seconds: number,
): Promise<string> {
  const figures: [number[], number[]] = [[], []];
  for (const way of ways) await way.run(measure.act, PORT_OF[measure.act], measure.threads, 0.3);
  for (let round = 0; round < rounds; round++) {
    for (const [i, way] of ways.entries()) {
      const figure = await way.run(measure.act, PORT_OF[measure.act], measure.threads, seconds);
      figures[i]!.push(figure);
    }
  }
  const medians = figures.map(median);
  ways.forEach((way, i) => {
    const all = figures[i]!.map((figure) => readable(measure, figure)).join(", ");
    print(`${measure.name} ${way.name}: ${readable(measure, medians[i]!)}   (${all})`);
  });
  return `${measure.name}/${ways[1].name} ${(medians[0]! / medians[1]!).toFixed(2)}`;
}

function readable({ act }: Measure, figure: number): string {
  return act === "rate" ? `${figure}/s` : `${(figure * 8 / 1e9).toFixed(2)} Gbit/s`;
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]!;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
