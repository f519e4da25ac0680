import { deepEqual, equal } from "node:assert/strict";
import { memoryTarget } from "../../../tests/doubles/memory_cluster.ts";
import { NetworkError } from "../../error.ts";
import type { Flow } from "../cluster/driver.ts";
import { type Endpoint, parseEndpoint } from "../../ip/mod.ts";
import type { SynEvent } from "../../os/mod.ts";
import { FlowLog } from "./flow_log.ts";
import { Flows, type FlowSource } from "./flows.ts";

const OWNER = 1000;
const DESTINATION = parseEndpoint("100.64.0.9:5432");
const TARGET = memoryTarget({ ports: [{ first: 5432, last: 5432 }] });

/** A datapath that reports what it is given and notes the answers. */
class Script implements FlowSource {
  readonly answers: string[] = [];
  readonly answered = Promise.withResolvers<void>();
  readonly #syns: readonly SynEvent[];
  /** Whether the SYNs are still held when they are answered. */
  readonly #holds: boolean;
  #flow: SynEvent | null = null;

  constructor(syns: readonly SynEvent[], holds = true) {
    this.#syns = syns;
    this.#holds = holds;
  }

  async *events(signal?: AbortSignal): AsyncGenerator<readonly SynEvent[]> {
    yield this.#syns;
    const { promise, resolve } = Promise.withResolvers<void>();
    signal?.addEventListener("abort", () => resolve(), { once: true });
    if (signal?.aborted !== true) await promise;
  }

  release(id: bigint): boolean {
    this.#flow = this.#syns.find((syn) => syn.id === id) ?? null;
    return this.#note(`release ${id}`);
  }

  refuse(id: bigint): boolean {
    return this.#note(`refuse ${id}`);
  }

  reject(id: bigint, reason: string): boolean {
    return this.#note(`reject ${id} ${reason}`);
  }

  flowOf(): SynEvent | null {
    return this.#flow;
  }

  #note(answer: string): boolean {
    this.answers.push(answer);
    if (this.answers.length === this.#syns.length) this.answered.resolve();
    return this.#holds;
  }
}

function syn(id: bigint, rest: Partial<SynEvent> = {}): SynEvent {
  const source: Endpoint = parseEndpoint("100.64.0.1:40000");
  return { id, source, destination: DESTINATION, uid: OWNER, inode: 1, ...rest };
}

async function decide(
  given: SynEvent,
  dial: () => Promise<Flow>,
): Promise<{ answers: readonly string[]; codes: readonly string[] }> {
  const source = new Script([given]);
  const log = new FlowLog();
  const flows = new Flows({
    source,
    listeners: [],
    policy: { ownerUid: OWNER, sharedWith: new Set(), containers: false },
    findProgram: () => Promise.resolve(null),
    findHolders: () => Promise.resolve(new Map()),
    destinationOf: (address) =>
      address.family === 4 && address.value === DESTINATION.address.value
        ? { name: "db.example.test", target: TARGET }
        : null,
    dial,
    log,
    onLastOf: () => {},
    nowMs: () => 0,
  });
  const stop = new AbortController();
  const running = flows.run(stop.signal);
  await source.answered.promise;
  stop.abort();
  await running;
  return {
    answers: source.answers,
    codes: log.render().recent_failures.map(({ code }) => code),
  };
}

Deno.test("Flows decides each held SYN by owner, app, port and what the far end says", async (t) => {
  const opens = () => Promise.resolve(idleFlow());
  const fails = (code: string) => () => Promise.reject(new NetworkError(code, "no"));
  const cases: [
    name: string,
    given: SynEvent,
    dial: () => Promise<Flow>,
    answer: string,
    code: string | null,
  ][] = [
    ["the owner, the far end says yes", syn(1n), opens, "release 1", null],
    ["root, the far end says yes", syn(2n, { uid: 0 }), opens, "release 2", null],
    ["another user", syn(3n, { uid: 1001 }), opens, "refuse 3", "owner-refused"],
    ["nobody's socket", syn(4n, { uid: null }), opens, "refuse 4", "container-refused"],
    [
      "a port that is not published",
      syn(5n, { destination: { ...DESTINATION, port: 5433 } }),
      opens,
      "refuse 5",
      "port-not-allowed",
    ],
    [
      "an address nothing has",
      syn(6n, { destination: parseEndpoint("100.64.0.10:5432") }),
      opens,
      "refuse 6",
      "app-removed",
    ],
    ["the target refuses", syn(7n), fails("target-refused"), "refuse 7", "target-refused"],
    ["access is locked", syn(9n), fails("access-locked"), "refuse 9", "access-locked"],
    ["an older peer says locked", syn(10n), fails("locked"), "refuse 10", "locked"],
    ["the login was ended", syn(11n), fails("session-ended"), "refuse 11", "session-ended"],
    [
      "nobody knows the code",
      syn(12n),
      fails("moon-full"),
      "reject 12 host-unreachable",
      "moon-full",
    ],
    ["no agent is there", syn(8n), fails("no-agent"), "reject 8 host-unreachable", "no-agent"],
  ];
  for (const [name, given, dial, answer, code] of cases) {
    await t.step(name, async () => {
      const { answers, codes } = await decide(given, dial);
      deepEqual(answers, [answer]);
      deepEqual(codes, code === null ? [] : [code]);
    });
  }
});

Deno.test("Flows gives a far end back when its connection is never accepted", async () => {
  let aborted = 0;
  await decide(syn(1n), () => Promise.resolve(idleFlow(() => aborted++)));
  equal(aborted, 1);
});

Deno.test("Flows gives a far end back at once when its SYN is held no more", async () => {
  const source = new Script([syn(1n)], false);
  const log = new FlowLog();
  let aborted = 0;
  const flows = new Flows({
    source,
    listeners: [],
    policy: { ownerUid: OWNER, sharedWith: new Set(), containers: false },
    findProgram: () => Promise.resolve(null),
    findHolders: () => Promise.resolve(new Map()),
    destinationOf: () => ({ name: "db.example.test", target: TARGET }),
    dial: () => Promise.resolve(idleFlow(() => aborted++)),
    log,
    onLastOf: () => {},
    nowMs: () => 0,
  });
  const stop = new AbortController();
  const running = flows.run(stop.signal);
  try {
    await source.answered.promise;
    equal(aborted, 1); // Nothing else could end it yet: the flows go on.
    deepEqual(log.render().flows, []);
  } finally {
    stop.abort();
    await running;
  }
});

Deno.test("Flows gives up on an app that does not answer, and on none that did", async () => {
  const source = new Script([syn(1n), syn(2n, { destination: { ...DESTINATION, port: 80 } })]);
  const log = new FlowLog();
  const signals = new Map<number, AbortSignal>();
  const flows = new Flows({
    onLastOf: () => {},
    source,
    listeners: [],
    policy: { ownerUid: OWNER, sharedWith: new Set(), containers: false },
    findProgram: () => Promise.resolve(null),
    findHolders: () => Promise.resolve(new Map()),
    destinationOf: () => ({ name: "db.example.test", target: { ...TARGET, ports: null } }),
    dial: (_target, port, signal) => {
      signals.set(port, signal);
      if (port === 80) return Promise.resolve(idleFlow());
      const { promise, reject } = Promise.withResolvers<Flow>();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      return promise;
    },
    log,
    nowMs: () => 0,
    setupMs: 20,
  });
  const stop = new AbortController();
  const running = flows.run(stop.signal);
  await source.answered.promise;
  deepEqual(source.answers, ["release 2", "reject 1 host-unreachable"]);
  deepEqual(log.render().recent_failures.map(({ code }) => code), ["setup-timeout"]);
  equal(signals.get(5432)?.aborted, true, "whoever dials is told");
  equal(log.render().flows.length, 1, "the one that was answered waits on");
  stop.abort();
  await running;
});

Deno.test("Flows refuses what it holds when it ends, and holds that against nobody", async () => {
  const source = new Script([syn(1n)]);
  const refused: string[] = [];
  const log = new FlowLog(({ code }) => refused.push(code));
  const dialing = Promise.withResolvers<void>();
  const flows = new Flows({
    onLastOf: () => {},
    source,
    listeners: [],
    policy: { ownerUid: OWNER, sharedWith: new Set(), containers: false },
    findProgram: () => Promise.resolve(null),
    findHolders: () => Promise.resolve(new Map()),
    destinationOf: () => ({ name: "db.example.test", target: TARGET }),
    dial: (_target, _port, signal) => {
      const { promise, reject } = Promise.withResolvers<Flow>();
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      dialing.resolve();
      return promise;
    },
    log,
    nowMs: () => 0,
  });
  const stop = new AbortController();
  const running = flows.run(stop.signal);
  await dialing.promise;
  stop.abort();
  await running;
  deepEqual(source.answers, ["reject 1 host-unreachable"]);
  const { refused_total, recent_failures, flows: left } = log.render();
  deepEqual([refused_total, recent_failures, left, refused], [0, [], [], []]);
});

function idleFlow(onAbort: () => void = () => {}): Flow {
  return {
    splice: () => Promise.reject(new TypeError("nothing is accepted here")),
    abort: onAbort,
  };
}
