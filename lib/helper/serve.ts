import { type HelperReply, type HelperRequest, HelperRequestSchema } from "../config/mod.ts";
import { describeError, OsError, VnetError } from "../error.ts";
import { formatIp } from "../ip/mod.ts";
import { getLogger } from "../log.ts";
import { closeFd, loadShim, SeqpacketSocket } from "../os/mod.ts";
import type { GuardCommand } from "./guard.ts";
import { Host, type HostEvent, type HostPolicy, type HostReply } from "./host.ts";

const log = getLogger("helper");

export interface ServeHelperOptions {
  /** One end of a socket pair, inherited; whoever has the other end is the client. */
  readonly descriptor: number;
  readonly journalDir: string;
  /** What repairs the machine should this process be killed. */
  readonly repair: GuardCommand;
  readonly policy: HostPolicy;
  readonly signal: AbortSignal;
}

/** Serves its one client until that goes away, then takes everything back and returns. */
export async function serveHelper(options: ServeHelperOptions): Promise<void> {
  const shim = loadShim();
  await using client = SeqpacketSocket.inherited(shim, options.descriptor);
  await using host = await Host.open(shim, {
    journalDir: options.journalDir,
    repair: options.repair,
    policy: options.policy,
    onEvent: (event) => void tellEvent(client, event),
  });
  for (const line of host.repaired) log.warning("Repaired what a crash left", { step: line });
  await serveClient(client, host, options.signal);
  for (const step of await host.revert()) log.info("Reverted", { step });
}

async function serveClient(
  client: SeqpacketSocket,
  host: Host,
  signal: AbortSignal,
): Promise<void> {
  while (true) {
    const message = await client.receive(signal).catch((thrown) => {
      if (!signal.aborted) log.warning("Lost the client", { error: describeError(thrown) });
      return null;
    });
    if (message === null) return;
    try {
      const request = HelperRequestSchema.safeParse(parseJson(message.bytes));
      if (!request.success) {
        log.warning("Dropped the client: its request cannot be understood");
        return;
      }
      await answer(client, host, { ...request.data, fds: message.fds });
    } finally {
      for (const fd of message.fds) closeFd(loadShim(), fd);
    }
  }
}

/** A request with the descriptors that came with it; they are closed once it is answered. */
type Received = HelperRequest & { readonly fds: readonly number[] };

async function answer(
  client: SeqpacketSocket,
  host: Host,
  request: Received,
): Promise<void> {
  const { id } = request;
  try {
    const { value, fds } = await perform(host, request);
    try {
      await send(client, { id, ok: value }, fds);
    } finally {
      for (const fd of fds) closeFd(loadShim(), fd); // The client has its own copies.
    }
  } catch (thrown) {
    const error = thrown instanceof VnetError ? thrown : new VnetError("internal", String(thrown));
    log.warning("Refused a request", { op: request.op, code: error.code, error: error.message });
    await send(client, {
      id,
      error: {
        code: error.code,
        message: error.message,
        hint: error.hint,
        call: error instanceof OsError ? error.call : null,
        errno: error instanceof OsError ? error.errno : null,
      },
    }, []).catch(() => {}); // A client that left needs no answer; receive() notices.
  }
}

async function perform(
  host: Host,
  request: Received,
): Promise<HostReply<unknown>> {
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
      return host.guard(request, request.fds);
    case "program":
      return await host.program(request);
    case "revert":
      return { value: { steps: await host.revert() }, fds: [] };
    default:
      return request satisfies never;
  }
}

async function tellEvent(client: SeqpacketSocket, event: HostEvent): Promise<void> {
  try {
    await send(client, render(event), []);
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
  client: SeqpacketSocket,
  reply: HelperReply,
  fds: readonly number[],
): Promise<void> {
  await client.send(new TextEncoder().encode(JSON.stringify(reply)), fds);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
