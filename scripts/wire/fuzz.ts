/**
 * Hostile bytes and messages for all that reads what peers say, and what must hold for each.
 *
 * @module
 */
import { Random } from "../dns/random.ts";
import { bend } from "../fuzz/bend.ts";
import { readHex } from "./corpus.ts";
import { checkMessage, nextMessage } from "./messages.ts";
import { checkLoopback } from "./sign_in.ts";
import {
  type Check,
  checkFirstBytes,
  checkFrames,
  checkHeaderBlock,
  checkHttp,
  checkLocalProxy,
  checkProxyHeader,
} from "./streams.ts";

/** Twice what any of them holds. */
const MAX_BYTES = 32_768;
/** Nothing may take longer, when it is tried again in peace. */
const LIMIT_MS = 20;
const RETRIES = 20;

/** Who reads, and whose messages it is tried with. */
const STREAMS: readonly (readonly [name: string, file: string, check: Check])[] = [
  ["first bytes", "first_bytes.txt", checkFirstBytes],
  ["frames", "frames.txt", checkFrames],
  ["PROXY headers", "proxy_headers.txt", checkProxyHeader],
  ["SOCKS and CONNECT", "local_proxies.txt", checkLocalProxy],
  ["HTTP to apps", "http.txt", checkHttp],
  ["login listeners", "login_requests.txt", checkLoopback],
  ["header blocks", "header_blocks.txt", checkHeaderBlock],
];

/** What came of one kind of input. */
export interface Tried {
  readonly name: string;
  readonly inputs: number;
  /** How many were understood: the others were refused, or went on unread. */
  readonly understood: number;
  readonly slowestMs: number;
}

/**
 * Tries so many inputs of all kinds, in turn.
 *
 * @throws {Error} With the input, at the first thing that does not hold.
 */
export function fuzzWire(inputs: number, seed: number): readonly Tried[] {
  const random = new Random(seed);
  const turns = [
    ...STREAMS.map(([name, file, check]) => streamTurn(name, readHex(file), check)),
    messageTurn(),
  ];
  for (let count = 0; count < inputs; count++) turns[count % turns.length]?.next(random);
  return turns.map((turn) => turn.tried);
}

interface Turn {
  next(random: Random): void;
  readonly tried: Tried;
}

function streamTurn(
  name: string,
  corpus: readonly Uint8Array<ArrayBuffer>[],
  check: Check,
): Turn {
  return turnOf(
    name,
    (random) => bend(random, corpus, { maxBytes: MAX_BYTES }),
    check,
    (bytes) => bytes.toHex(),
  );
}

function messageTurn(): Turn {
  return turnOf("messages", nextMessage, checkMessage, (message) => JSON.stringify(message));
}

function turnOf<Input>(
  name: string,
  make: (random: Random) => Input,
  check: (input: Input, random: Random) => boolean,
  show: (input: Input) => string,
): Turn {
  const tried = { name, inputs: 0, understood: 0, slowestMs: 0 };
  const timed = (input: Input, random: Random) => {
    const before = performance.now();
    const understood = check(input, random);
    return { understood, tookMs: performance.now() - before };
  };
  return {
    tried,
    next(random) {
      const input = make(random);
      try {
        const { understood, tookMs } = timed(input, random);
        const tries = tookMs > LIMIT_MS ? RETRIES : 0;
        const again = Array.from({ length: tries }, () => timed(input, random).tookMs);
        const bestMs = Math.min(tookMs, ...again);
        if (bestMs > LIMIT_MS) throw new Error(`It takes ${bestMs} ms`);
        tried.inputs++;
        tried.understood += understood ? 1 : 0;
        tried.slowestMs = Math.max(tried.slowestMs, bestMs);
      } catch (cause) {
        throw new Error(`${name}: ${cause}: ${show(input)}`, { cause });
      }
    },
  };
}
