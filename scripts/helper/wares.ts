/**
 * Descriptors of each kind that a message can carry.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import { parseEndpoint } from "../../lib/ip/mod.ts";
import type { MessageSocket, RootSockets } from "../../lib/os/mod.ts";
import type { Kind } from "./messages.ts";

/** One of each; they stay this process's. */
export class Wares implements AsyncDisposable {
  readonly #sockets: RootSockets;
  readonly #fds: Readonly<Record<Kind, number>>;
  readonly #far: number;
  readonly #loader: MessageSocket;
  readonly #streams: readonly Disposable[];

  private constructor(sockets: RootSockets, streams: readonly Disposable[], connection: number) {
    this.#sockets = sockets;
    this.#streams = streams;
    const [unix, far] = sockets.messagePair();
    const [loaded, loader] = sockets.messagePair();
    this.#far = far;
    this.#loader = sockets.adoptMessages(loader);
    this.#fds = {
      listener: sockets.listenTcp(parseEndpoint("127.0.0.1:0")),
      listener6: sockets.listenTcp(parseEndpoint("[::1]:0")),
      udp: sockets.listenUdp(parseEndpoint("127.0.0.1:0")),
      file: openSync(import.meta.filename ?? "/", "r"),
      folder: openSync("/tmp", "r"),
      null: openSync("/dev/null", "r"),
      ...{ connection, unix, loaded },
    };
  }

  static async make(sockets: RootSockets): Promise<Wares> {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const before = socketsOpen();
    const near = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    const connection = socketsOpen().find((fd) => !before.includes(fd));
    const far = await listener.accept();
    const wares = new Wares(sockets, [near, far, listener], connection ?? -1);
    // A socket in whose queue another descriptor waits.
    await wares.#loader.send(new Uint8Array(1), wares.take(["file"]));
    return wares;
  }

  take(kinds: readonly Kind[]): number[] {
    return kinds.map((kind) => this.#fds[kind]);
  }

  /** What this process has one descriptor of each of. */
  get links(): readonly string[] {
    const { file: _file, folder: _folder, null: _null, ...own } = this.#fds;
    return Object.values(own).map((fd) => Deno.readLinkSync(`/proc/self/fd/${fd}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { file, folder, null: nothing, connection: _, ...rest } = this.#fds;
    for (const fd of [...Object.values(rest), this.#far]) this.#sockets.close(fd);
    for (const fd of [file, folder, nothing]) closeSync(fd);
    for (const stream of this.#streams) stream[Symbol.dispose]();
    await this.#loader.close();
  }
}

function socketsOpen(): number[] {
  const isSocket = (fd: string) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false; // It was that of the folder itself.
    }
  };
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name).filter(isSocket)
    .map(Number);
}
