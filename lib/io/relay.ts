import { closeQuietly, writeAll } from "./stream.ts";

/** What a relay has done. */
interface RelaySummary {
  readonly forwardBytes: number;
  readonly backwardBytes: number;
}

/** What a relay needs of a connection. */
type RelayConn = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

/** What a way begins with, and grows to while reads fill it. */
const BUFFER_BYTES = [4096, 65_536, 262_144] as const;
/** Ways that may have the largest at a time: 64 MiB of them. A fifth less CPU per byte is not worth more. */
const MAX_LARGEST = 256;

let largestInUse = 0;

/**
 * Copies bytes between two connections both ways, keeping half-closes, until both ways are at their end or either
 * breaks; then closes both. Reads nothing of what it copies. Never rejects.
 *
 * @param idleMs A relay in which nothing moves for this long is closed; 0 for never.
 */
export async function relay(
  near: RelayConn,
  far: RelayConn,
  options: { readonly signal: AbortSignal; readonly idleMs?: number },
): Promise<RelaySummary> {
  const { signal, idleMs = 0 } = options;
  const close = () => {
    closeQuietly(near);
    closeQuietly(far);
  };
  const forward: Way = { bytes: 0, from: near, to: far };
  const backward: Way = { bytes: 0, from: far, to: near };
  const stopWatch = idleMs > 0 ? watchIdle([forward, backward], idleMs, close) : () => {};
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  // One side broke: the other learns it by losing its connection.
  await Promise.all([copy(forward).catch(close), copy(backward).catch(close)]);
  signal.removeEventListener("abort", close);
  stopWatch();
  close();
  return { forwardBytes: forward.bytes, backwardBytes: backward.bytes };
}

interface Way {
  readonly from: RelayConn;
  readonly to: RelayConn;
  bytes: number;
}

async function copy(way: Way): Promise<void> {
  const { from, to } = way;
  const buffer = new GrowingBuffer();
  try {
    for (;;) {
      const count = await from.read(buffer.bytes);
      if (count === null) break;
      await writeAll(to, buffer.bytes.subarray(0, count));
      way.bytes += count;
      if (count === buffer.bytes.length) buffer.grow();
    }
  } finally {
    buffer.release();
  }
  await to.closeWrite().catch(() => {}); // gone already: its own way back says so
}

/** Most connections are small; those that are not read more at a time. */
class GrowingBuffer {
  bytes = new Uint8Array(BUFFER_BYTES[0]);

  grow(): void {
    const [, middle, largest] = BUFFER_BYTES;
    if (this.bytes.length < middle) {
      this.bytes = new Uint8Array(middle);
    } else if (this.bytes.length < largest && largestInUse < MAX_LARGEST) {
      largestInUse++;
      this.bytes = new Uint8Array(largest);
    }
  }

  release(): void {
    if (this.bytes.length === BUFFER_BYTES[2]) largestInUse--;
  }
}

function watchIdle(ways: readonly Way[], idleMs: number, onIdle: () => void): () => void {
  let seen = -1;
  const timer = setInterval(() => {
    const moved = ways.reduce((sum, way) => sum + way.bytes, 0);
    if (moved === seen) onIdle();
    seen = moved;
  }, idleMs);
  return () => clearInterval(timer);
}
