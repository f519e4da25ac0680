/**
 * Strangers in a crowd: floods of connections that say nothing, and guesses of passwords, from as many sources as are
 * asked for. Bounded in number and time, on loopback only.
 *
 * @module
 */
import type net from "node:net";
import { z } from "zod";
import { VnetError } from "../../lib/error.ts";
import type { HostPort } from "../../lib/ip/mod.ts";
import { generateKeyPair, HttpClient, type ServerSettings } from "../../lib/io/mod.ts";
import { connectBalanced, connectFrom, proxyHeader } from "./balanced.ts";

/** The beginning of a ClientHello, whose rest never comes. */
const HALF_A_HELLO = Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3);

const { publicKeyPem } = await generateKeyPair();

/** The i-th of as many networks as there are: an IPv4 /24 or an IPv6 /48 each. */
export function stranger(i: number): string {
  return i % 2 === 0
    ? `100.${64 + (i >> 9) % 64}.${(i >> 1) % 256}.7`
    : `2001:db8:${i.toString(16)}:1::7`;
}

/** Acts, many at a time, until it is stopped or has been done so often. */
export class Attack implements AsyncDisposable {
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #sockets = new Set<net.Socket>();
  /** How the acts ended. */
  readonly told = new Map<string, number>();
  #next = 0;

  get count(): number {
    return [...this.told.values()].reduce((sum, count) => sum + count, 0);
  }

  /** @param act Does one, and says how it ended. */
  repeat(
    options: { readonly atATime: number; readonly atMost: number },
    act: (i: number) => Promise<string>,
  ): void {
    for (let lane = 0; lane < options.atATime; lane++) {
      this.#running.push(this.#lane(options.atMost, act));
    }
  }

  /** Guesses a password over a connection of its own. */
  async guess(settings: ServerSettings, user: string): Promise<string> {
    using http = new HttpClient(settings);
    try {
      await http.request({
        method: "POST",
        path: "/v1/login/finish",
        body: { user, password: "a wrong guess", tls_public_key: publicKeyPem },
        schema: z.unknown(),
      }, this.#stopping.signal);
      return "let in";
    } catch (thrown) {
      return thrown instanceof VnetError ? thrown.code : "failed";
    }
  }

  /** Opens a connection through the balancer, says half a hello and holds it until the other end has enough. */
  async hold(to: HostPort, from: string): Promise<string> {
    return await this.#hold(await connectBalanced(proxyHeader(from), to));
  }

  /** The same from an address of this host. */
  async holdFrom(to: HostPort, local: string): Promise<string> {
    return await this.#hold(await connectFrom(local, to));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new Error("The attack is over"));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#running);
  }

  async #hold(socket: net.Socket): Promise<string> {
    this.#sockets.add(socket);
    try {
      socket.write(HALF_A_HELLO);
      socket.resume();
      if (this.#stopping.signal.aborted) socket.destroy();
      if (!socket.closed) {
        await new Promise<void>((resolve) => socket.once("close", () => resolve()));
      }
      return "closed";
    } finally {
      this.#sockets.delete(socket);
    }
  }

  async #lane(atMost: number, act: (i: number) => Promise<string>): Promise<void> {
    while (!this.#stopping.signal.aborted && this.#next < atMost) {
      const told = await act(this.#next++).catch(() => "failed");
      this.told.set(told, (this.told.get(told) ?? 0) + 1);
    }
  }
}
