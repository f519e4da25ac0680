import { deepEqual } from "node:assert/strict";
import { equalIp, formatIp, type IpAddress, parseEndpoint, parseIp } from "../../ip/mod.ts";
import { encodeFrame } from "../../tunnel/mod.ts";
import type { ByteStream } from "../stream.ts";
import { type CarrierSurroundings, closeDead } from "./check.ts";
import { ClientCarrier } from "./client.ts";

const NEVER = new AbortController().signal;
const ALIVE = encodeFrame("pong");

/** A wire whose other end answers pings, or nothing at all. */
class Wire implements ByteStream {
  #wake = Promise.withResolvers<Uint8Array | null>();
  readonly #answers: boolean;

  constructor(answers: boolean) {
    this.#answers = answers;
  }

  read(): Promise<Uint8Array | null> {
    return this.#wake.promise;
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#answers && bytes[0] === 7) {
      const { resolve } = this.#wake;
      this.#wake = Promise.withResolvers();
      resolve(ALIVE.slice());
    }
    return Promise.resolve();
  }

  close(): void {
    this.#wake.resolve(null);
  }
}

interface Given {
  readonly name: string;
  /** The carrier's own address. */
  readonly from?: string;
  readonly answers?: boolean;
  readonly busy?: boolean;
  /** Whether its TCP connection has something on the way that was sent again. */
  readonly unheard?: boolean;
  readonly hasWay?: boolean;
  readonly want: "open" | "closed";
}

Deno.test("closeDead() closes what leads nowhere since the network is another, and nothing else", async (t) => {
  const cases: readonly Given[] = [
    { name: "an idle one that answers", answers: true, want: "open" },
    { name: "an idle one that is silent", want: "closed" },
    { name: "a busy one that answers", answers: true, busy: true, want: "open" },
    {
      name: "a busy one that is silent, and nobody acknowledges",
      busy: true,
      unheard: true,
      want: "closed",
    },
    { name: "a busy one whose program does not read: its kernel does", busy: true, want: "open" },
    { name: "one whose address has left", answers: true, from: "10.9.9.9:1", want: "closed" },
    {
      name: "a busy one whose address has left",
      answers: true,
      busy: true,
      from: "10.9.9.9:1",
      want: "closed",
    },
    {
      name: "a busy one while there is no way",
      busy: true,
      unheard: true,
      hasWay: false,
      want: "open",
    },
    { name: "an idle one while there is no way", hasWay: false, want: "closed" },
  ];
  for (const given of cases) {
    const { name, from = "192.168.1.5:40000", answers = false, busy = false, want } = given;
    await t.step(name, async () => {
      const carrier = new ClientCarrier(new Wire(answers), {
        app: "db",
        expiresMs: Infinity,
        way: {
          proxy: { host: "proxy.test", port: 443 },
          source: parseEndpoint(from),
          destination: parseEndpoint("203.0.113.5:443"),
        },
      });
      if (busy) carrier.open({ flow_id: "f", port: 1 }, NEVER).catch(() => {});
      const own = parseIp("192.168.1.5");
      const around: CarrierSurroundings = {
        look: () => ({
          hasAddress: (address: IpAddress) => equalIp(address, own),
          hasWay: () => given.hasWay ?? true,
        }),
        unheard: () => (source) =>
          given.unheard === true && formatIp(source.address) === formatIp(own),
      };
      const waits: number[] = [];
      await closeDead([carrier], around, async (ms) => {
        waits.push(ms);
        for (let turns = 0; turns < 20; turns++) await Promise.resolve();
      });
      deepEqual(carrier.isOpen ? "open" : "closed", want);
      deepEqual(
        waits,
        want === "closed" && from.startsWith("10.") || given.hasWay === false ? [] : [3_000],
      );
      carrier.close();
    });
  }
});
