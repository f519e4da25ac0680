/**
 * A host beside the client host, in a namespace of its own: does what it is told on descriptor 3.
 *
 * @module
 */
import { thisMachine } from "../../../lib/os/mod.ts";

interface Order {
  readonly setUp?: readonly string[];
  readonly connect?: string;
  readonly port?: number;
  readonly timeoutMs?: number;
}

async function ip(...args: string[]): Promise<void> {
  const { success } = await new Deno.Command("ip", { args }).output();
  if (!success) throw new Error(`ip ${args.join(" ")} failed`);
}

async function setUp(ranges: readonly string[]): Promise<string> {
  await ip("address", "add", "10.88.0.2/24", "dev", "lan1");
  await ip("-6", "address", "add", "fd88::2/64", "dev", "lan1", "nodad");
  await ip("link", "set", "lan1", "up");
  for (const range of ranges) {
    await ip("route", "add", range, "via", range.includes(":") ? "fd88::1" : "10.88.0.1");
  }
  return "ready";
}

/** Says "connected", "nothing" when there is no answer, or the error's name when there is one. */
async function connect({ connect, port, timeoutMs }: Order): Promise<string> {
  try {
    const conn = await Deno.connect({
      hostname: connect ?? "",
      port: port ?? 0,
      signal: AbortSignal.timeout(timeoutMs ?? 400),
    });
    conn.close();
    return "connected";
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.name === "TimeoutError" ? "nothing" : error.name;
  }
}

const socket = thisMachine().sockets.adoptMessages(3);
for (;;) {
  const message = await socket.receive();
  if (message === null) break;
  const order: Order = JSON.parse(new TextDecoder().decode(message.bytes));
  const answer = order.setUp ? await setUp(order.setUp) : await connect(order);
  await socket.send(new TextEncoder().encode(JSON.stringify(answer)));
}
await socket.close();
