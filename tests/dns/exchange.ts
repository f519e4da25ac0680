/**
 * Plays a line of golden_exchanges.txt: clients and two upstreams around a running server.
 *
 * @module
 */
import { equal, match } from "node:assert/strict";
import type { DnsServer } from "../../lib/client/dns/server.ts";
import { frameMessage } from "../../lib/dns/mod.ts";
import { TcpClient, UdpClient } from "../doubles/dns_client.ts";
import { type Asked, DnsUpstream, silent } from "../doubles/dns_upstream.ts";

/** One play; its first words say how many upstreams there are. */
export class Exchange implements AsyncDisposable {
  readonly #server: DnsServer;
  readonly #steps: readonly string[];
  readonly #upstreams: readonly DnsUpstream[];
  /** What each upstream was asked last. */
  readonly #asked: Asked[] = [];
  readonly #udp: readonly UdpClient[];
  readonly #echoes: UdpClient[] = [];
  #tcp: TcpClient | null = null;

  constructor(server: DnsServer, steps: readonly string[]) {
    this.#server = server;
    this.#steps = steps;
    const count = steps[0] === "alone" ? 0 : steps[0] === "one" ? 1 : 2;
    this.#upstreams = Array.from({ length: count }, () => new DnsUpstream(silent));
    this.#udp = [new UdpClient(server.endpoint), new UdpClient(server.endpoint)];
    server.setUpstreams(this.#upstreams.map(({ endpoint }) => endpoint));
  }

  async run(): Promise<void> {
    for (const step of this.#steps) await this.#play(step);
    for (const echo of this.#echoes) equal((await echo.receive())[3]! & 15, 2);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tcp?.[Symbol.dispose]();
    for (const client of [...this.#udp, ...this.#echoes]) client[Symbol.dispose]();
    for (const upstream of this.#upstreams) await upstream[Symbol.asyncDispose]();
  }

  async #play(step: string): Promise<void> {
    if (["alone", "one", "cache"].includes(step)) return;
    const { who = "", which = "", act = "", hex = "" } =
      /^(?<who>[a-z]+)(?<which>[12]?)(?<act>[^0-9a-f]?)(?<hex>[0-9a-f]*)$/.exec(step)?.groups ?? {};
    const index = which === "2" ? 1 : 0;
    const bytes = Uint8Array.fromHex(hex);
    if (who === "udp") await this.#playUdp(index, act, bytes);
    else if (who === "tcp" || who === "eof") await this.#playTcp(who, act, bytes);
    else if (who === "up") await this.#playUpstream(index, act, bytes);
    else if (who === "echo") await this.#echo(index);
    else if (who === "probe") await this.#expectProbe(index);
    else throw new Error(`Cannot play "${step}"`);
  }

  async #playUdp(index: number, act: string, bytes: Uint8Array): Promise<void> {
    const client = this.#udp[index]!;
    if (act === ">") await client.send(bytes);
    else equal((await client.receive()).toHex(), bytes.toHex());
  }

  async #playTcp(who: string, act: string, bytes: Uint8Array): Promise<void> {
    this.#tcp ??= await TcpClient.connect(this.#server.endpoint);
    if (who === "eof") equal(await this.#tcp.receive(), null);
    else if (act === ">") await this.#tcp.write(bytes);
    else if (act === "|") await this.#tcp.closeWrite();
    else await this.#expectFrames(this.#tcp, bytes);
  }

  async #expectFrames(client: TcpClient, bytes: Uint8Array): Promise<void> {
    let got = "";
    while (got.length < 2 * bytes.length) {
      const message = await client.receive();
      if (message === null) throw new Error("The server closed the connection");
      got += frameMessage(message).toHex();
    }
    equal(got, bytes.toHex());
  }

  async #playUpstream(index: number, act: string, bytes: Uint8Array): Promise<void> {
    if (act === "?") {
      const asked = await this.#upstreams[index]!.next();
      this.#asked[index] = asked;
      equal(unmixed(asked.bytes).toHex(), unmixed(bytes).toHex());
      return;
    }
    const asked = this.#asked[index]!;
    const answer = bytes.slice();
    if (act !== "=") answer.set(asked.bytes.subarray(12, nameEnd(asked.bytes)), 12);
    answer.set(asked.bytes.subarray(0, 2));
    if (act === "~") answer[1]! ^= 1;
    await asked.reply(answer);
  }

  /** The upstream leads back: what it was asked comes to the server, which says in the end that it failed. */
  async #echo(index: number): Promise<void> {
    const client = new UdpClient(this.#server.endpoint);
    this.#echoes.push(client);
    await client.send(this.#asked[index]!.bytes);
  }

  async #expectProbe(index: number): Promise<void> {
    const asked = await this.#upstreams[index]!.next();
    this.#asked[index] = asked;
    const random = "vnet-loop-[0-9a-f]{32}";
    const name = new TextDecoder().decode(asked.bytes.subarray(12, nameEnd(asked.bytes)));
    match(name, new RegExp(`^\\x2a${random}\\x2a${random}\\0$`));
  }
}

/** A question with its id as 0 and its letters as small ones. */
function unmixed(question: Uint8Array): Uint8Array {
  const plain = question.slice();
  plain.fill(0, 0, 2);
  for (let at = 12; at < nameEnd(question); at++) {
    if (plain[at]! >= 0x41 && plain[at]! <= 0x5a) plain[at]! |= 0x20;
  }
  return plain;
}

function nameEnd(question: Uint8Array): number {
  let at = 12;
  for (let size = question[at] ?? 0; size > 0; size = question[at] ?? 0) at += size + 1;
  return at + 1;
}
