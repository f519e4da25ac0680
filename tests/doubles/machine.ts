/**
 * A machine in memory: no root, no network, no shim. A test sets what is there, and acts as the programs do that use
 * it.
 *
 * @example A program connects
 * ```ts ignore
 * const machine = new MemoryMachine();
 * // … a daemon is started with it …
 * const outcome = await machine.path.connect(parseEndpoint("100.64.0.9:5432"), { uid: 1000 });
 * ```
 *
 * @module
 */
import type { Prefix } from "../../lib/ip/mod.ts";
import type {
  ClockReading,
  Clocks,
  DatapathOptions,
  Desktop,
  Machine,
  Notice,
  Notices,
  PacketPath,
  Packets,
  Resolver,
  ResolverChoice,
  ResolverPreview,
} from "../../lib/os/mod.ts";
import { MemoryPath } from "./machine/packets.ts";
import { MemoryRouting } from "./machine/routing.ts";
import { MemorySockets } from "./machine/sockets.ts";

export type { Caller, Connected } from "./machine/packets.ts";

/** A machine; each part says what a test may do to it. */
export class MemoryMachine implements Machine {
  readonly routing = new MemoryRouting();
  readonly sockets = new MemorySockets();
  readonly packets = new MemoryPackets(this.sockets);
  readonly resolver = new MemoryResolver();
  readonly desktop = new MemoryDesktop();
  readonly clocks = new MemoryClocks();

  /** The path that was started last. @throws TypeError while there is none */
  get path(): MemoryPath {
    const path = this.packets.started.at(-1);
    if (path === undefined) throw new TypeError("No packet path was started yet");
    return path;
  }
}

/** A desktop that shows everything. */
export class MemoryDesktop implements Desktop {
  /** What is to be seen at this moment, oldest first. */
  readonly shown: Notice[] = [];

  open(): Notices {
    const own = new Set<Notice>();
    const close = (notice: Notice) => {
      if (own.delete(notice)) this.shown.splice(this.shown.indexOf(notice), 1);
    };
    return {
      show: (notice) => {
        own.add(notice);
        this.shown.push(notice);
        return () => close(notice);
      },
      [Symbol.asyncDispose]: () => {
        for (const notice of [...own]) close(notice);
        return Promise.resolve();
      },
    };
  }
}

/** Starts packet paths. */
export class MemoryPackets implements Packets {
  readonly started: MemoryPath[] = [];
  /** Thrown at the next who starts one; `null` while nothing is wrong. */
  failure: Error | null = null;
  readonly #sockets: MemorySockets;

  constructor(sockets: MemorySockets) {
    this.#sockets = sockets;
  }

  start(options: DatapathOptions): PacketPath {
    if (this.failure !== null) throw this.failure;
    const path = new MemoryPath(options, {
      offer: (port, conn) => this.#sockets.offerFlow(port, conn),
      close: (descriptor) => this.#sockets.close(descriptor),
    });
    this.started.push(path);
    return path;
  }
}

/** Clocks that a test moves. */
export class MemoryClocks implements Clocks {
  reading = { wallMs: Date.UTC(2026, 0, 1), awakeMs: 1_000_000, bootMs: 1_000_000 };

  read(): ClockReading {
    return this.reading;
  }

  /** The lid is closed, and opened again so much later. */
  sleep(ms: number): void {
    const { wallMs, awakeMs, bootMs } = this.reading;
    this.reading = { wallMs: wallMs + ms, awakeMs, bootMs: bootMs + ms };
  }
}

/** A resolver that says what it was told to. */
export class MemoryResolver implements Resolver {
  choice: ResolverChoice = { backend: "resolved", why: ["the test says so"], warnings: [] };
  needsPort53 = false;
  /** The reverse zones of every request. */
  reverse: readonly string[] = [];
  readonly previews: ResolverPreview[] = [];

  reverseZones(_routes: readonly Prefix[]): readonly string[] {
    return this.reverse;
  }

  preview(
    options: ResolverPreview,
  ): Promise<{ readonly choice: ResolverChoice; readonly steps: readonly string[] }> {
    this.previews.push(options);
    const { port } = options.server(this.needsPort53);
    const steps = [`resolver ${options.link} port ${port} ${options.zones.join(" ")}`];
    return Promise.resolve({ choice: this.choice, steps });
  }
}
