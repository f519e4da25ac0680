import { type HelperPolicy } from "../config/mod.ts";
import {
  HELPER_BOUNDS_MS,
  HELPER_SEND_MS,
  type HelperError,
  type HelperReply,
  type HelperRequest,
  HelperRequestSchema,
} from "../wire/mod.ts";
import { describeError, OsError, VnetError } from "../error.ts";
import { parseJson } from "../json.ts";
import { formatIp } from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import type { Descriptor, PeerMessage, PeerSocket, RootMachine, Sockets } from "../os/mod.ts";
import { type Admission, admit } from "./admit.ts";
import type { GuardCommand } from "./guard.ts";
import { Host, type HostEvent, type HostReply } from "./host.ts";

const log = getLogger("helper");

/** A client asks at once; whoever only connects keeps nobody else out for long. */
const FIRST_REQUEST_MS = 10_000;

interface ServeHelperOptions {
  readonly machine: RootMachine;
  /** One end of a pair of sockets, or an accepted connection; whoever has the other end is the client. */
  readonly descriptor: Descriptor;
  /** How a client that connected is let in; `null` for the end of a pair, which root handed out itself. */
  readonly admission: Admission | null;
  readonly journalDir: string;
  /** What repairs the machine should this process be killed; `null` where whoever started it sees to that. */
  readonly repair: GuardCommand | null;
  readonly policy: HelperPolicy;
  /** Whether this machine is one in namespaces, and the client is outside. */
  readonly elsewhere?: boolean;
  readonly signal: AbortSignal;
}

/** Serves its one client until that goes away, then takes everything back and returns. */
export async function serveHelper(options: ServeHelperOptions): Promise<void> {
  const { machine, admission, signal } = options;
  const { sockets } = machine;
  await using client = sockets.inheritPeer(options.descriptor);
  using admitted = admission && await admit(client, admission);
  if (admitted !== null && admitted.refusal !== null) {
    const { code, message } = admitted.refusal;
    log.warning("Refused a client", { uid: admitted.peer.uid, code, error: message });
    const until = AbortSignal.any([signal, firstRequest()]);
    await refuseClient(client, admitted.refusal, until);
    return;
  }
  const first = admission === null ? signal : AbortSignal.any([signal, firstRequest()]);
  await using host = await openHost(client, options);
  for (const line of host.repaired) log.warning("Repaired what a crash left", { step: line });
  await serveClient({ client, sockets, signal, first, deadlines: DEADLINES }, host);
  for (const step of await host.revert()) log.info("Reverted", { step });
}

async function openHost(
  client: PeerSocket,
  { machine, journalDir, repair, policy, elsewhere = false, signal }: ServeHelperOptions,
): Promise<Host> {
  const onEvent = (event: HostEvent) => void tellEvent(client, event, signal);
  try {
    return await Host.open(machine, { journalDir, repair, policy, elsewhere, onEvent });
  } catch (thrown) {
    await refuseClient(client, thrown, signal);
    throw thrown;
  }
}

const firstRequest = () => AbortSignal.timeout(FIRST_REQUEST_MS);

/** What a client may ask for; `Host` does it. */
export type Duties = Pick<
  Host,
  "detect" | "open" | "dnsSockets" | "guard" | "listen" | "apply" | "program" | "revert"
>;

/** When the helper is done with waiting. */
interface Deadlines {
  /** For the client to read what it is sent. */
  readonly send: () => AbortSignal;
  /** For the machine to do what was asked. */
  readonly answer: (op: HelperRequest["op"]) => AbortSignal;
}

const DEADLINES: Deadlines = {
  send: () => AbortSignal.timeout(HELPER_SEND_MS),
  answer: (op) => AbortSignal.timeout(HELPER_BOUNDS_MS[op]),
};

/** A client, and what closes the descriptors that it is given. */
interface Service {
  readonly client: PeerSocket;
  readonly sockets: Pick<Sockets, "close">;
  readonly signal: AbortSignal;
}

/** Answers until the client goes away, does not read, asks what cannot be understood, or sends what does not belong. */
export async function serveClient(
  { client, sockets, signal, first = signal, deadlines }: Service & {
    /** Until when the first request has to be there. */
    readonly first?: AbortSignal;
    readonly deadlines: Deadlines;
  },
  host: Duties,
): Promise<void> {
  const until = () => AbortSignal.any([signal, deadlines.send()]);
  let patience = first;
  while (true) {
    const message = await receive(client, patience);
    if (message === null) return;
    patience = signal;
    try {
      const parsed = HelperRequestSchema.safeParse(parseJson(message.bytes));
      if (!parsed.success) {
        log.warning("Dropped the client: its request cannot be understood");
        return;
      }
      const request = { ...parsed.data, carries: message.carries };
      const overdue = deadlines.answer(request.op);
      if (!await answer({ client, sockets, until }, host, request, overdue)) return;
    } catch (thrown) {
      if (!signal.aborted) {
        log.warning("Dropped the client: it does not take its answers", {
          error: describeError(thrown),
        });
      }
      return;
    }
  }
}

/** Tells a client, in answer to its first request, why there is nobody to ask. */
export async function refuseClient(
  client: PeerSocket,
  thrown: unknown,
  signal: AbortSignal,
): Promise<void> {
  const message = await receive(client, signal);
  if (message === null) return;
  const request = HelperRequestSchema.safeParse(parseJson(message.bytes));
  if (!request.success) return;
  const { id } = request.data;
  const until = AbortSignal.any([signal, DEADLINES.send()]);
  await send(client, { id, error: renderError(thrown) }, [], until).catch(() => {});
}

async function receive(
  client: PeerSocket,
  signal: AbortSignal,
): Promise<PeerMessage | null> {
  return await client.receive(signal).catch((thrown) => {
    if (!signal.aborted) log.warning("Lost the client", { error: describeError(thrown) });
    return null;
  });
}

/** A request; what came with it is not taken, and not even looked at, before it has its place. */
type Received = HelperRequest & Pick<PeerMessage, "carries">;

/**
 * Does what is asked, and answers.
 *
 * @returns False when nobody knows any more how far it got, or when the client sent a descriptor that does not belong:
 * it has to start anew.
 * @throws OsError, or the signal's reason, when the client does not take the answer.
 */
async function answer(
  { client, sockets, until }: Omit<Service, "signal"> & { readonly until: () => AbortSignal },
  host: Duties,
  request: Received,
  overdue: AbortSignal,
): Promise<boolean> {
  const { id, op } = request;
  const done = await attempt(op, () => perform({ host, client, overdue }, request), overdue);
  if ("thrown" in done) {
    const error = renderError(done.thrown);
    log.warning("Refused a request", { op, code: error.code, error: error.message });
    await send(client, { id, error }, [], until());
    return error.code !== "helper-overdue" && !request.carries;
  }
  const { value, fds, steps = [] } = done;
  try {
    for (const some of portions(steps)) await send(client, { id, steps: some }, [], until());
    await send(client, { id, ok: value }, fds, until());
    return true;
  } finally {
    for (const fd of fds) sockets.close(fd); // The client has its own copies.
  }
}

/** Waits for an act, but not for ever. It cannot be cut off: what it does afterwards, the revert waits for. */
async function attempt(
  op: HelperRequest["op"],
  act: () => Promise<HostReply<unknown>>,
  overdue: AbortSignal,
): Promise<HostReply<unknown> | { readonly thrown: unknown }> {
  const late = Promise.withResolvers<{ readonly thrown: unknown }>();
  const onAbort = () => {
    const thrown = new VnetError("helper-overdue", `The machine takes too long over "${op}"`, {
      hint: "See what hangs (often systemd-resolved or NetworkManager), then `sudo vnet restart`",
    });
    late.resolve({ thrown });
  };
  if (overdue.aborted) onAbort();
  overdue.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([act().catch((thrown) => ({ thrown })), late.promise]);
  } finally {
    overdue.removeEventListener("abort", onAbort);
  }
}

function renderError(thrown: unknown): HelperError {
  const error = thrown instanceof VnetError ? thrown : new VnetError("internal", String(thrown));
  return {
    code: error.code,
    message: error.message,
    hint: error.hint,
    call: error instanceof OsError ? error.call : null,
    errno: error instanceof OsError ? error.errno : null,
  };
}

async function perform(
  { host, client, overdue }: {
    readonly host: Duties;
    readonly client: PeerSocket;
    readonly overdue: AbortSignal;
  },
  request: Received,
): Promise<HostReply<unknown>> {
  if (request.carries !== (request.op === "guard")) {
    const what = request.carries ? "a descriptor" : "no descriptor";
    throw new VnetError("helper-order", `Cannot do that: ${what} came with "${request.op}"`);
  }
  switch (request.op) {
    case "detect":
      return await host.detect(request);
    case "open":
      return host.open(request);
    case "dns-sockets":
      return host.dnsSockets(request);
    case "apply":
      return await host.apply(request);
    case "guard":
      return await host.guard(request, client, overdue);
    case "listen":
      return host.listen(request);
    case "program":
      return await host.program(request);
    case "revert":
      return { value: {}, fds: [], steps: await host.revert() };
    default:
      return request satisfies never;
  }
}

async function tellEvent(
  client: PeerSocket,
  event: HostEvent,
  signal: AbortSignal,
): Promise<void> {
  try {
    await send(client, render(event), [], AbortSignal.any([signal, DEADLINES.send()]));
  } catch (thrown) {
    log.debug("Could not tell the client of a change", { error: describeError(thrown) });
  }
}

function render(event: HostEvent): HelperReply {
  switch (event.kind) {
    case "upstreams": {
      const upstreams = event.upstreams.map(({ address, port }) => ({
        address: formatIp(address),
        port,
      }));
      return { event: "upstreams", upstreams };
    }
    case "warning":
      return { event: "warning", code: "dns-changed", message: event.message };
    case "reapplied": {
      const message = `DNS settings were undone and are back: ${event.why}`;
      return { event: "warning", code: "dns-changed", message };
    }
    case "notice":
      return { event: "warning", ...event.notice };
    default:
      return event satisfies never;
  }
}

async function send(
  client: PeerSocket,
  reply: HelperReply,
  fds: readonly Descriptor[],
  signal: AbortSignal,
): Promise<void> {
  await client.send(new TextEncoder().encode(JSON.stringify(reply)), fds, signal);
}

/** What one message may carry of lines: even all zones in one line fit beside the rest. */
const PORTION_CHARS = 100_000;

/** Cuts lines into what fits a message each; a line that is longer has one for itself. */
function* portions(lines: readonly string[]): Generator<string[]> {
  let some: string[] = [];
  let chars = 0;
  for (const line of lines) {
    if (some.length > 0 && chars + line.length > PORTION_CHARS) {
      yield some;
      some = [];
      chars = 0;
    }
    some.push(line);
    chars += line.length + 3;
  }
  if (some.length > 0) yield some;
}
