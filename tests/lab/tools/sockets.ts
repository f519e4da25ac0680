/**
 * A server for the lab's app "sockets", run on the host "agent". It says on stdout what it saw.
 *
 *   7001 digest: reads until the client shuts its side, then answers `<bytes> <sha256>` and closes
 *   7002 speaks first: sends `bytes` (as in its argument) and shuts its own side, then reads until the
 *        client shuts its side and says `received <bytes> <sha256>`
 *   7003 echo, until the client shuts its side
 *
 * usage: deno run -A sockets.ts BYTES
 */
import { digest, pattern, print, readAll, writeAll } from "./bytes.ts";

const sizeBytes = Number(Deno.args[0]);

serve(7001, async (conn) => {
  const { text } = await digest(readAll(conn));
  await writeAll(conn, new TextEncoder().encode(text));
});

serve(7002, async (conn) => {
  await writeAll(conn, pattern(sizeBytes));
  await conn.closeWrite();
  print(`received ${(await digest(readAll(conn))).text}`);
});

serve(7003, async (conn) => {
  for await (const chunk of readAll(conn)) await writeAll(conn, chunk);
});

print("ready");

async function serve(port: number, talk: (conn: Deno.TcpConn) => Promise<void>): Promise<void> {
  // localhost has two addresses, and the agent may dial either.
  for (const hostname of ["127.0.0.1", "::1"]) accept(Deno.listen({ hostname, port }), talk);
  await Promise.resolve();
}

async function accept(
  listener: Deno.TcpListener,
  talk: (conn: Deno.TcpConn) => Promise<void>,
): Promise<void> {
  for await (const conn of listener) {
    talk(conn).catch((thrown) => print(`error ${thrown}`)).finally(() => close(conn));
  }
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It was closed by the error that ended the talk.
  }
}
