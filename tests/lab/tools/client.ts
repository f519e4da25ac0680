/**
 * A client of TCP for the stories, run on a host of the lab. Says what happened as JSON or lines on stdout.
 *
 *   connect HOST PORT TIMEOUT_MS    connects and closes: {"result", "elapsed_ms"}; result is "connected",
 *                                   "refused", "unreachable", "timeout" or the error's text
 *   connects TIMEOUT_MS HOST,PORT…  the same for many at once, as a JSON list
 *   digest HOST PORT BYTES          sends, shuts its side, and then reads the answer
 *   listen-first HOST PORT BYTES    reads until the server shuts its side, and then sends
 *   hold HOST PORT idle|active      says "open", keeps the connection silent or busy, and says
 *                                   "ended <reason>" when it ends
 */
import { digest, pattern, print, readAll, writeAll } from "./bytes.ts";

const [act = "", ...rest] = Deno.args;
switch (act) {
  case "connect":
    print(JSON.stringify(await connect(rest[0]!, Number(rest[1]), Number(rest[2]))));
    break;
  case "connects":
    print(JSON.stringify(
      await Promise.all(
        rest.slice(1).map((target) => {
          const [host = "", port = ""] = target.split(",");
          return connect(host, Number(port), Number(rest[0]));
        }),
      ),
    ));
    break;
  case "digest":
    await sendThenRead(rest[0]!, Number(rest[1]), Number(rest[2]));
    break;
  case "listen-first":
    await readThenSend(rest[0]!, Number(rest[1]), Number(rest[2]));
    break;
  case "hold":
    await hold(rest[0]!, Number(rest[1]), rest[2]!);
    break;
  default:
    throw new Error(`Unknown act "${act}"`);
}
Deno.exit(0);

async function connect(hostname: string, port: number, timeoutMs: number) {
  const begin = performance.now();
  const result = await attempt(hostname, port, timeoutMs);
  return { result, elapsed_ms: Math.round(performance.now() - begin) };
}

async function attempt(hostname: string, port: number, timeoutMs: number): Promise<string> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const conn = await Deno.connect({ hostname, port, signal });
    conn.close();
    return "connected";
  } catch (thrown) {
    if (thrown instanceof Deno.errors.ConnectionRefused) return "refused";
    const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    if (/unreachable|No route/i.test(text)) return "unreachable";
    if (/TimeoutError|AbortError|timed out/i.test(text)) return "timeout";
    return text;
  }
}

async function sendThenRead(hostname: string, port: number, sizeBytes: number): Promise<void> {
  using conn = await Deno.connect({ hostname, port });
  const sent = pattern(sizeBytes);
  await writeAll(conn, sent);
  await conn.closeWrite();
  let answer = "";
  for await (const chunk of readAll(conn)) answer += new TextDecoder().decode(chunk);
  const wanted = (await digest([sent])).text;
  if (answer !== wanted) throw new Error(`The server has "${answer}", sent was "${wanted}"`);
  print(`same ${answer}`);
}

async function readThenSend(hostname: string, port: number, sizeBytes: number): Promise<void> {
  using conn = await Deno.connect({ hostname, port });
  const received = (await digest(readAll(conn))).text;
  const wanted = (await digest([pattern(sizeBytes)])).text;
  if (received !== wanted) throw new Error(`Received "${received}", wanted "${wanted}"`);
  await writeAll(conn, pattern(sizeBytes));
  await conn.closeWrite();
  print(`same ${received}`);
}

async function hold(hostname: string, port: number, kind: string): Promise<void> {
  using conn = await Deno.connect({ hostname, port });
  print("open");
  const writing = kind === "active" ? writeForever(conn) : new Promise<string>(() => {});
  print(`ended ${await Promise.race([readForever(conn), writing])}`);
}

async function readForever(conn: Deno.Conn): Promise<string> {
  try {
    for await (const _ of readAll(conn)) continue;
    return "end of stream";
  } catch (thrown) {
    return String(thrown);
  }
}

async function writeForever(conn: Deno.Conn): Promise<string> {
  const chunk = pattern(1_000);
  try {
    while (true) await writeAll(conn, chunk);
  } catch (thrown) {
    return String(thrown);
  }
}
