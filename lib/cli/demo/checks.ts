/**
 * What the demo claims, and how each claim is proved: by the resolver and the sockets of this machine, as any
 * program would use them.
 *
 * @module
 */
import {
  decodeMessage,
  encodeQuestion,
  formatRcode,
  parseDomainName,
  parseResolvConf,
  RCODE,
  RR_CLASS,
  RR_TYPE,
} from "../../dns/mod.ts";
import { VnetError } from "../../error.ts";
import { contains, formatIp, parseIp, parsePrefix } from "../../ip/mod.ts";
import { GREETING } from "./sample_apps.ts";
import { APPS, CUSTOM_ZONE, PROXY_HOST } from "./world.ts";

/** What a proof may use. */
interface ProofContext {
  readonly signal: AbortSignal;
  readonly env: (name: string) => string | undefined;
  /** Whether the device has an IPv6 range. */
  readonly hasIpv6: boolean;
}

/** One claim. `prove` returns its evidence in a line, or throws. */
export interface Check {
  readonly id: string;
  readonly title: string;
  readonly prove: (context: ProofContext) => Promise<string>;
  /** What the machine has to have; nothing else is left out. */
  readonly needs?: "IPv6";
}

const IPV4_RANGE = parsePrefix("100.64.0.0/10");
const IPV6_RANGE = parsePrefix("fd00::/8");
const REFUSED_WITHIN_MS = 1_000;
const BULK_BYTES = 8 * 1024 * 1024;

export const CHECKS: readonly Check[] = [
  ...Object.entries(APPS).map(([id, app]): Check => ({
    id: `resolve-${id}`,
    title: `${app.name} resolves into the virtual range`,
    prove: ({ hasIpv6 }) => proveResolves(app.name, hasIpv6),
  })),
  { id: "web-ipv4", title: "the web app answers over IPv4", prove: () => proveWeb("A") },
  {
    id: "web-ipv6",
    title: "the web app answers over IPv6",
    needs: "IPv6",
    prove: () => proveWeb("AAAA"),
  },
  {
    id: "web-name",
    title: "the web app answers by its name, as any program asks",
    prove: ({ signal }) => proveFetch(signal),
  },
  { id: "echo", title: "8 MiB go through the echo and back, half-close kept", prove: proveEcho },
  {
    id: "database",
    title: "the database in the custom zone keeps what it is told",
    prove: proveDatabase,
  },
  {
    id: "wrong-port",
    title: "a port that is not published is refused",
    prove: () => proveRefused(`strict.${PROXY_HOST}`, 2),
  },
  {
    id: "dead-target",
    title: "a published port where nothing listens is refused before the connection opens",
    prove: () => proveRefused(`strict.${PROXY_HOST}`, 1),
  },
  {
    id: "unknown-name",
    title: "an unknown name in the zone is left to the upstream resolver, which denies it",
    prove: ({ signal }) => proveUnknown(`nothing.${CUSTOM_ZONE}`, signal),
  },
];

async function proveResolves(name: string, hasIpv6: boolean): Promise<string> {
  const [ipv4] = await Deno.resolveDns(name, "A");
  if (ipv4 === undefined || !contains(IPV4_RANGE, parseIp(ipv4))) {
    throw new VnetError("claim-failed", `A is ${ipv4 ?? "nothing"}`);
  }
  if (!hasIpv6) return ipv4;
  const [ipv6] = await Deno.resolveDns(name, "AAAA");
  if (ipv6 === undefined || !contains(IPV6_RANGE, parseIp(ipv6))) {
    throw new VnetError("claim-failed", `AAAA is ${ipv6 ?? "nothing"}`);
  }
  return `${ipv4} ${ipv6}`;
}

async function proveWeb(type: "A" | "AAAA"): Promise<string> {
  const [address] = await Deno.resolveDns(APPS.web.name, type);
  if (address === undefined) throw new VnetError("claim-failed", "no address");
  using conn = await Deno.connect({ hostname: address, port: APPS.web.port });
  const request = `GET / HTTP/1.1\r\nHost: ${APPS.web.name}\r\nConnection: close\r\n\r\n`;
  await writeAll(conn, new TextEncoder().encode(request));
  const answer = new TextDecoder().decode(await readAll(conn, 65_536));
  if (!answer.startsWith("HTTP/1.1 200") || !answer.includes(GREETING)) {
    throw new VnetError("claim-failed", `answered ${JSON.stringify(answer.slice(0, 80))}`);
  }
  return `${address}: ${answer.slice(0, answer.indexOf("\r"))}`;
}

async function proveFetch(signal: AbortSignal): Promise<string> {
  const response = await fetch(`http://${APPS.web.name}/`, { signal });
  const text = await response.text();
  if (text !== GREETING) throw new VnetError("claim-failed", `answered "${text.slice(0, 80)}"`);
  return `http://${APPS.web.name}/ says "${text.trim()}"`;
}

async function proveEcho(): Promise<string> {
  const sent = crypto.getRandomValues(new Uint8Array(65_536));
  const rounds = BULK_BYTES / sent.length;
  using conn = await Deno.connect({ hostname: APPS.echo.name, port: APPS.echo.port });
  const sending = (async () => {
    for (let round = 0; round < rounds; round++) await writeAll(conn, sent);
    await conn.closeWrite();
  })();
  const received = await readAll(conn, BULK_BYTES + 1);
  await sending;
  const equal = received.length === BULK_BYTES &&
    received.every((byte, index) => byte === sent[index % sent.length]);
  if (!equal) throw new VnetError("claim-failed", `${received.length} bytes came back, or others`);
  return `${received.length} bytes came back, then the end`;
}

async function proveDatabase(): Promise<string> {
  using conn = await Deno.connect({ hostname: APPS.database.name, port: APPS.database.port });
  const value = crypto.randomUUID();
  const command = (...words: string[]) =>
    `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
  const talk = command("SET", "demo", value) + command("GET", "demo");
  await writeAll(conn, new TextEncoder().encode(talk));
  await conn.closeWrite();
  const answer = new TextDecoder().decode(await readAll(conn, 4096));
  if (answer !== `+OK\r\n$${value.length}\r\n${value}\r\n`) {
    throw new VnetError("claim-failed", `answered ${JSON.stringify(answer)}`);
  }
  return `SET and GET of ${value}`;
}

async function proveRefused(name: string, port: number): Promise<string> {
  const [address] = await Deno.resolveDns(name, "A");
  if (address === undefined) throw new VnetError("claim-failed", "no address");
  const beganMs = performance.now();
  try {
    using _conn = await Deno.connect({ hostname: address, port });
  } catch (thrown) {
    const tookMs = Math.round(performance.now() - beganMs);
    if (!(thrown instanceof Deno.errors.ConnectionRefused)) throw thrown;
    if (tookMs > REFUSED_WITHIN_MS) {
      throw new VnetError("claim-failed", `refused, but only after ${tookMs} ms`);
    }
    return `${name}:${port}: connection refused after ${tookMs} ms`;
  }
  throw new VnetError("claim-failed", `${name}:${port} was accepted`);
}

/** Asks the first resolver of this machine itself: a library's "not found" may hide a failure. */
async function proveUnknown(name: string, signal: AbortSignal): Promise<string> {
  const [server] = parseResolvConf(await Deno.readTextFile("/etc/resolv.conf")).addresses;
  if (server === undefined) throw new VnetError("claim-failed", "no resolver is known");
  const question = { name: parseDomainName(name), type: RR_TYPE.A, class: RR_CLASS.IN };
  const id = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const close = () => socket.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    const query = Uint8Array.from(encodeQuestion(question, { id }));
    await socket.send(query, { transport: "udp", hostname: formatIp(server), port: 53 });
    const [bytes] = await socket.receive();
    const answer = decodeMessage(bytes);
    if (answer?.id !== id || answer.rcode !== RCODE.NXDOMAIN) {
      const rcode = answer === null ? "nonsense" : formatRcode(answer.rcode);
      throw new VnetError("claim-failed", `${name}: the answer is ${rcode}`);
    }
    return `${name}: ${formatRcode(answer.rcode)}`;
  } finally {
    signal.removeEventListener("abort", close);
    if (!signal.aborted) close();
  }
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

async function readAll(conn: Deno.Conn, maxBytes: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(maxBytes);
  let used = 0;
  while (used < maxBytes) {
    const count = await conn.read(buffer.subarray(used));
    if (count === null) break;
    used += count;
  }
  return buffer.subarray(0, used);
}
