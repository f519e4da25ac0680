/**
 * Following a service on the message bus: its signals, its coming and going, and the bus's own.
 *
 * @module
 */
import { Dbus } from "./dbus.ts";
import type { Message } from "./message.ts";
import { pause } from "../../../wait.ts";

/** Which signals to hear, and what to do about them. */
interface BusFollow {
  readonly socket: string;
  /** The service: its owner changing is always heard. */
  readonly service: string;
  /** More match rules. */
  readonly rules: readonly string[];
  readonly onOwner: (hasOwner: boolean) => void;
  /** From here on signals are heard; what was before has to be looked at. */
  readonly onListening: () => void;
  readonly onSignal: (signal: Message) => void;
}

const RECONNECT_FIRST_MS = 500;
const RECONNECT_LAST_MS = 30_000;

/** Follows until aborted, connecting again when the bus goes away. */
export async function followBus(follow: BusFollow, signal: AbortSignal): Promise<void> {
  let waitMs = RECONNECT_FIRST_MS;
  let isFirst = true;
  while (!signal.aborted) {
    try {
      await using bus = await Dbus.connect({
        socket: follow.socket,
        onSignal: (message) => {
          if (message.member !== "NameOwnerChanged") return follow.onSignal(message);
          if (message.body[0] === follow.service) follow.onOwner(message.body[2] !== "");
        },
      });
      await subscribe(bus, follow);
      // What happened while nobody listened is not known.
      if (!isFirst) follow.onOwner(await bus.hasOwner(follow.service));
      else follow.onListening();
      isFirst = false;
      waitMs = RECONNECT_FIRST_MS;
      await endOf(bus, signal);
    } catch {
      // The bus is away: try again below.
    }
    if (signal.aborted) return;
    await pause(waitMs, signal);
    waitMs = Math.min(waitMs * 2, RECONNECT_LAST_MS);
  }
}

async function subscribe(bus: Dbus, follow: BusFollow): Promise<void> {
  const owner =
    `type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='${follow.service}'`;
  for (const rule of [owner, ...follow.rules]) await bus.addMatch(rule);
}

async function endOf(bus: Dbus, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = () => resolve();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  await Promise.race([bus.closed, promise]);
  signal.removeEventListener("abort", stop);
}
