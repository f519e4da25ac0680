/**
 * Opening TCP connections: every address of a name is tried, both families by turns, and on a machine that has IPv6
 * alone an IPv4 address is reached through the network's NAT64.
 *
 * @module
 * @see RFC 8305 (Happy Eyeballs), RFC 7050 (NAT64 prefix discovery)
 */
import dns from "node:dns";
import net from "node:net";
import {
  findNat64Prefixes,
  formatIp,
  type HostPort,
  interleaveFamilies,
  type IpAddress,
  NAT64_NAME,
  parseIp,
  throughNat64,
} from "../ip/mod.ts";
import { orAborted } from "../wait.ts";
import { AllFailed, inTurn } from "./dial/in_turn.ts";

/** Opens the TCP connection below a TLS session; `dialThrough` makes one that goes through an HTTP proxy. */
export interface Dialer {
  (address: HostPort, signal: AbortSignal): Promise<net.Socket>;
  /** The HTTP proxy it goes through, as `host:port`. */
  readonly via?: string;
}

interface TcpDialerOptions {
  /** Why there must be no connection to an address; `null` where there may. */
  readonly objection?: (address: IpAddress) => Error | null;
  /** Asks the machine's resolver for all addresses of a name, in its order. */
  readonly lookup?: (name: string) => Promise<readonly IpAddress[]>;
  /** Opens a connection to one address. */
  readonly connect?: (address: IpAddress, port: number, signal: AbortSignal) => Promise<net.Socket>;
}

/** How long an address may be silent before the next is tried beside it. */
const ATTEMPT_DELAY_MS = 250;
/** More addresses of one name than this are not tried. */
const MAX_ADDRESSES = 16;
/** A connection that is silent for this long is probed; the kernel gives it up ten minutes later. */
const KEEPALIVE_MS = 60_000;
/** What a machine says that has no way to anybody of this family. */
const NO_WAY: readonly string[] = ["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"];

/** Makes a dialer whose connections have Nagle's algorithm off and keepalive on. Whoever dials sets the deadline. */
export function tcpDialer(options: TcpDialerOptions = {}): Dialer {
  const { objection = () => null, lookup = lookUp, connect = connectOne } = options;
  const race = (addresses: readonly IpAddress[], port: number, signal: AbortSignal) =>
    inTurn(
      addresses.map((address) => (signal: AbortSignal) => connect(address, port, signal)),
      { delayMs: ATTEMPT_DELAY_MS, signal, discard: giveUp },
    );
  const allowed = (addresses: readonly IpAddress[]) => {
    const ways = addresses.slice(0, MAX_ADDRESSES)
      .map((address) => ({ address, refusal: objection(address) }));
    const [first] = ways;
    const open = ways.filter(({ refusal }) => refusal === null).map(({ address }) => address);
    if (open.length === 0 && first?.refusal != null) throw first.refusal;
    return open;
  };
  return async ({ host, port }, signal) => {
    signal.throwIfAborted();
    const known = addressOf(host);
    const found = known === null ? await orAborted(lookup(host), signal) : [known];
    const addresses = interleaveFamilies(allowed(found));
    try {
      return (await race(addresses, port, signal)).value;
    } catch (thrown) {
      if (!(thrown instanceof AllFailed)) throw thrown;
      const translated = hasNoWay(addresses, thrown.errors)
        ? await orAborted(translate(addresses, lookup), signal)
        : [];
      if (translated.length === 0) throw mostTelling(thrown.errors);
      const detour = await race(allowed(translated), port, signal).catch((again) => {
        throw again instanceof AllFailed ? mostTelling([...again.errors, ...thrown.errors]) : again;
      });
      return detour.value;
    }
  };
}

/** The way of most: by the machine's resolver, to any address. */
export const dialTcp: Dialer = tcpDialer();

function addressOf(host: string): IpAddress | null {
  try {
    return parseIp(host);
  } catch {
    return null;
  }
}

async function lookUp(name: string): Promise<readonly IpAddress[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly dns.LookupAddress[]>();
  dns.lookup(name, { all: true, order: "verbatim" }, (error, addresses) => {
    if (error === null || error === undefined) resolve(addresses);
    else reject(error);
  });
  // A link-local address comes with its zone, which our values have no place for.
  return (await promise).map(({ address }) => addressOf(address)).filter((one) => one !== null);
}

/** Whether the machine has IPv6 alone: it has no way to any of the IPv4 addresses. */
function hasNoWay(addresses: readonly IpAddress[], errors: readonly unknown[]): boolean {
  const old = addresses.flatMap(({ family }, index) => family === 4 ? [errors[index]] : []);
  return old.length > 0 && old.every((error) => NO_WAY.includes(codeOf(error)));
}

/** The IPv4 addresses as this network's NAT64 takes them; none where there is no NAT64. */
async function translate(
  addresses: readonly IpAddress[],
  lookup: (name: string) => Promise<readonly IpAddress[]>,
): Promise<readonly IpAddress[]> {
  const prefixes = findNat64Prefixes(await lookup(NAT64_NAME).catch(() => []));
  return addresses.flatMap((address) =>
    address.family === 6 ? [] : prefixes.map((prefix) => throughNat64(prefix, address))
  ).filter((address) => address !== null);
}

/** That nobody can be reached says less than that somebody refused. */
function mostTelling(errors: readonly unknown[]): unknown {
  return errors.find((error) => !NO_WAY.includes(codeOf(error))) ?? errors[0] ??
    new Error("the name has no address");
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

async function connectOne(
  address: IpAddress,
  port: number,
  signal: AbortSignal,
): Promise<net.Socket> {
  signal.throwIfAborted();
  const socket = net.connect({
    host: formatIp(address),
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  socket.once("connect", resolve);
  socket.once("error", reject);
  try {
    await promise;
    socket.off("error", reject);
    return socket;
  } catch (thrown) {
    giveUp(socket);
    throw thrown;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function giveUp(socket: net.Socket): void {
  socket.on("error", () => {}); // an error after this has nobody to go to
  socket.destroy();
}
