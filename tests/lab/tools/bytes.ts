/**
 * Bytes to send and to recognise, for the tools of the lab.
 *
 * @module
 */
import { createHash } from "node:crypto";

const CHUNK_BYTES = 65_536;

/** Bytes that no shift or loss leaves unchanged: a linear congruential sequence from a fixed seed. */
export function pattern(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = 12_345;
  for (let i = 0; i < sizeBytes; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** `<bytes> <sha256>` of a stream. */
export async function digest(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ readonly sizeBytes: number; readonly text: string }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { sizeBytes, text: `${sizeBytes} ${hash.digest("hex")}` };
}

/** Reads until the other side shuts its side. A chunk is valid until the next is asked for. */
export async function* readAll(conn: Deno.Conn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  while (true) {
    const count = await conn.read(buffer);
    if (count === null) return;
    yield buffer.subarray(0, count);
  }
}

/** Writes everything. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.length) {
    offset += await conn.write(bytes.subarray(offset, offset + CHUNK_BYTES));
  }
}

/** Says one line on stdout at once. */
export function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
