/**
 * What is said on the daemon's socket for apps: one line of JSON each way, and then the bytes of the connection.
 *
 * @module
 */
import { z } from "zod";
import { VnetError } from "../../error.ts";
import { writeAll } from "../../io/mod.ts";
import { PrefixedConn } from "./prefixed_conn.ts";

const port = z.int().min(1).max(65_535);

export const AppRequestSchema = z.object({
  name: z.string().min(1).max(255),
  cluster: z.string().max(255).nullable(),
  port: port.nullable(),
  /** Whether to open a connection, or only to say what is known. */
  open: z.boolean(),
  /** Whose port or proxy it is for; it is believed, because only the owner can ask. */
  by: z.object({ pid: z.int(), program: z.string().max(4096) }).optional(),
});
export type AppRequest = z.infer<typeof AppRequestSchema>;

export const AppReplySchema = z.union([
  z.object({
    app: z.string(),
    cluster: z.string(),
    ports: z.array(z.object({ first: port, last: port })).nullable(),
    http_hosts: z.array(z.string()).nullable(),
    /** Of the connection that was opened. */
    port: port.optional(),
  }),
  z.object({
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
  }),
]);
export type AppReply = z.infer<typeof AppReplySchema>;

const NEWLINE = 0x0a;
/** An app may have as many names as a cluster likes. */
const MAX_LINE_BYTES = 262_144;

/** Writes one line. */
export async function sayLine(
  conn: Pick<Deno.Conn, "write">,
  line: AppRequest | AppReply,
): Promise<void> {
  await writeAll(conn, new TextEncoder().encode(`${JSON.stringify(line)}\n`));
}

/**
 * Reads one line, which must come first.
 *
 * @returns What it says, and the connection from behind it.
 * @throws VnetError `daemon-mismatch` for anything else
 */
export async function hearLine<T>(
  conn: Deno.Conn,
  schema: z.ZodType<T>,
): Promise<{ readonly line: T; readonly rest: PrefixedConn }> {
  let heard = new Uint8Array(0);
  const buffer = new Uint8Array(4096);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) throw mismatch("it ended before its line did");
    const both = new Uint8Array(heard.length + count);
    both.set(heard);
    both.set(buffer.subarray(0, count), heard.length);
    heard = both;
    const end = heard.indexOf(NEWLINE);
    if (end >= 0) {
      return {
        line: parseLine(heard.subarray(0, end), schema),
        rest: new PrefixedConn(conn, heard.subarray(end + 1)),
      };
    }
    if (heard.length > MAX_LINE_BYTES) throw mismatch("its line is too long");
  }
}

function parseLine<T>(bytes: Uint8Array, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (thrown) {
    throw mismatch("its line is not JSON", thrown);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw mismatch("its line has an unknown shape", parsed.error);
  return parsed.data;
}

function mismatch(state: string, cause?: unknown): VnetError {
  return new VnetError("daemon-mismatch", `Cannot read the other end of the socket: ${state}`, {
    hint: "The daemon may be of another version; run `sudo vnet restart`",
    cause,
  });
}
