/**
 * Hostile clients for the helper's real serving loop, over real sockets: what it did is held against a plain model of
 * what it is to do.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import { type Duties, serveClient } from "../../lib/helper/mod.ts";
import type { MessageSocket, RootMachine } from "../../lib/os/mod.ts";
import { HELPER_PROTOCOL, type HelperRequest, HelperRequestSchema } from "../../lib/wire/mod.ts";
import { Random } from "../dns/random.ts";
import { type Kind, type Message, nextMessage } from "./messages.ts";
import { Wares } from "./wares.ts";

/** What a message may be at most. */
const LIMIT_BYTES = 128 * 1024;
/** What a client sends before it goes away, at most. */
const BURST = 64;
/** Clients at a time. */
const CLIENTS = 48;
const LISTENERS: ReadonlySet<Kind> = new Set(["listener", "listener6"]);
const LOOPBACK_IFINDEX = 1;

/** What came of a run. */
export interface FuzzReport {
  readonly messages: number;
  readonly clients: number;
  /** How many requests got to the machine. */
  readonly done: number;
  readonly carrying: number;
  readonly answers: number;
  readonly dropped: number;
}

type Op = HelperRequest["op"];
type Answer = readonly [id: number, code: string | null];

/** What the loop is to do with one client's messages. */
interface Wanted {
  /** How many messages it looks at. */
  readonly seen: number;
  readonly done: readonly Op[];
  readonly answers: readonly Answer[];
  /** Whether it lets go of the client. */
  readonly drops: boolean;
}

/**
 * Tries so many messages.
 *
 * @throws {Error} With the client's messages, at the first thing that does not hold.
 */
export async function fuzzHelper(
  machine: RootMachine,
  { messages, seed, alone }: {
    readonly messages: number;
    readonly seed: number;
    /** Whether nobody else opens descriptors in this process. */
    readonly alone: boolean;
  },
): Promise<FuzzReport> {
  const random = new Random(seed);
  const report = { messages: 0, clients: 0, done: 0, carrying: 0, answers: 0, dropped: 0 };
  await using wares = await Wares.make(machine.sockets);
  wakeSignals();
  const open = descriptors();
  while (report.messages < messages) {
    const clients = Array.from({ length: CLIENTS }, () => {
      const sent = Array.from({ length: 1 + random.below(BURST) }, () => nextMessage(random));
      return { sent, wanted: expect(sent) };
    });
    await Promise.all(clients.map(async ({ sent, wanted }, index) => {
      try {
        await tryClient(machine, wares, sent, wanted);
      } catch (cause) {
        const who = `Client ${report.clients + index} of seed ${seed}`;
        throw new Error(`${who}: ${describe(sent)}`, { cause });
      }
    }));
    await new Promise((resolve) => setTimeout(resolve, 0)); // What was closed last is gone by then.
    const left = descriptors();
    for (const link of wares.links) equal(left.filter((other) => other === link).length, 1, link);
    if (alone) deepEqual(left.filter((link) => !open.includes(link)), []);
    report.clients += clients.length;
    for (const { sent, wanted } of clients) count(report, sent, wanted);
  }
  return report;
}

function count(
  report: { -readonly [Name in keyof FuzzReport]: number },
  sent: readonly Message[],
  { seen, done, answers, drops }: Wanted,
): void {
  report.messages += seen;
  report.done += done.length;
  report.answers += answers.length;
  report.carrying += sent.slice(0, seen).filter(({ carried }) => carried.length > 0).length;
  report.dropped += drops ? 1 : 0;
}

/** The model: what is not understood ends it, and what does not belong, once that was said. */
function expect(messages: readonly Message[]): Wanted {
  const done: Op[] = [];
  const answers: Answer[] = [];
  for (const [index, { bytes, carried }] of messages.entries()) {
    const request = parse(bytes);
    const ended = { seen: index + 1, done, answers, drops: true };
    if (request === null) return ended;
    const { id, op } = request;
    const carries = carried.length > 0;
    if (carries !== (op === "guard")) answers.push([id, "helper-order"]);
    else {
      done.push(op);
      const [only, ...more] = carried;
      const isGood = only === undefined || (LISTENERS.has(only) && more.length === 0);
      answers.push([id, isGood ? null : "listener-guard-failed"]);
      if (isGood) continue;
    }
    if (carries) return ended;
  }
  return { seen: messages.length, done, answers, drops: false };
}

function parse(bytes: Uint8Array): HelperRequest | null {
  if (bytes.length > LIMIT_BYTES) return null;
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return HelperRequestSchema.safeParse(value).data ?? null;
  } catch {
    return null;
  }
}

async function tryClient(
  machine: RootMachine,
  wares: Wares,
  sent: readonly Message[],
  wanted: Wanted,
): Promise<void> {
  const { sockets } = machine;
  const [near, far] = sockets.messagePair();
  const done: HelperRequest[] = [];
  await using server = sockets.inheritPeer(far);
  await using client = sockets.adoptMessages(near);
  const ended = new AbortController();
  const never = () => new AbortController().signal;
  const options = { sockets, signal: never(), deadlines: { send: never, answer: never } };
  const serving = serveClient({ ...options, client: server }, noting(done))
    .finally(() => ended.abort());
  const sending = sendAll({ machine, client, near, wares }, sent, ended.signal);
  const answers: Answer[] = [];
  while (answers.length < wanted.answers.length) answers.push(await nextAnswer(client));
  await sending;
  if (wanted.drops) await serving;
  await client.close();
  await serving;
  deepEqual(answers, wanted.answers);
  deepEqual(done.map(({ op }) => op), wanted.done);
  // What gets to the machine is what the schema lets through, and nothing beside it.
  for (const request of done) {
    deepEqual(HelperRequestSchema.parse(request), withoutCarries(request));
  }
}

function withoutCarries(request: HelperRequest): HelperRequest {
  const { carries: _, ...rest } = request as HelperRequest & { carries?: boolean };
  return rest;
}

async function sendAll(
  { machine, client, near, wares }: {
    readonly machine: RootMachine;
    readonly client: MessageSocket;
    readonly near: number;
    readonly wares: Wares;
  },
  sent: readonly Message[],
  signal: AbortSignal,
): Promise<void> {
  for (const { bytes, carried } of sent) {
    try {
      if (bytes.length > LIMIT_BYTES) await sendLong(machine, near, bytes, signal);
      else await client.send(bytes, wares.take(carried), signal);
    } catch (thrown) {
      if (signal.aborted) return; // The helper has let go.
      throw thrown;
    }
  }
}

/** Longer than vnet's own sockets send: by a program that writes it at once. */
async function sendLong(
  { processes }: RootMachine,
  near: number,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const args = ["if=/dev/zero", `bs=${bytes.length}`, "count=1", "status=none"];
  const pid = processes.spawn({ command: "dd", args, stdout: near, dieWithParent: true });
  const kill = () => Deno.kill(pid, "SIGKILL"); // It waits, and the helper has let go.
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  await processes.wait(pid);
  signal.removeEventListener("abort", kill);
}

async function nextAnswer(client: MessageSocket): Promise<Answer> {
  const message = await client.receive();
  if (message === null) throw new Error("The helper is gone, and owes an answer");
  const reply = JSON.parse(new TextDecoder().decode(message.bytes));
  return [reply.id, reply.error?.code ?? null];
}

/** A machine that does nothing, and notes what it is asked to. */
function noting(done: HelperRequest[]): Duties {
  const note = <Value>(request: HelperRequest, value: Value) => {
    done.push(request);
    return { value, fds: [] };
  };
  const detected = { backend: "none", why: [], warnings: [], needs_port_53: false, ranges: [] };
  const opened = { link: "vnet0", ifindex: 2, vnet_header: true, has_ipv6: true, elsewhere: false };
  const applied = { backend: "none", why: [], warnings: [], upstreams: [], search: [] };
  return {
    detect: (request) => Promise.resolve(note(request, detected)),
    open: (request) => note(request, opened),
    listen: (request) => note(request, {}),
    dnsSockets: (request) => note(request, {}),
    apply: (request) => Promise.resolve(note(request, applied)),
    program: (request) => Promise.resolve(note(request, { program: null })),
    revert: () => {
      note({ v: HELPER_PROTOCOL, id: 0, op: "revert" }, {});
      return Promise.resolve([]);
    },
    guard: async (request, listener, signal) => {
      const reply = note(request, {});
      await listener.guardCarried([LOOPBACK_IFINDEX], { signal });
      return reply;
    },
  };
}

/** The runtime makes a pair of sockets for signals when it first has to do with one, and keeps it. */
function wakeSignals(): void {
  const nothing = () => {};
  Deno.addSignalListener("SIGUSR2", nothing);
  Deno.removeSignalListener("SIGUSR2", nothing);
}

/** The sockets, pipes and the like that this process has; files the runtime opens when it likes. */
function descriptors(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => linkOf(name))
    .filter((link) => /^(socket|pipe|anon_inode):/.test(link)).sort();
}

function linkOf(fd: string): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ""; // It was that of the folder itself.
  }
}

function describe(sent: readonly Message[]): string {
  return sent.map(({ bytes, carried }) =>
    `${new TextDecoder().decode(bytes.subarray(0, 200))} with ${carried.join("+") || "nothing"}`
  ).join("\n");
}
