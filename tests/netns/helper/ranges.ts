/**
 * A daemon that is not its user's any more asks for a network that another user talks to. In a network namespace of
 * its own, which tests/netns/helper_test.ts makes:
 *
 *   this machine: lan0 198.51.100.2, default route ──── office: lan1 198.51.100.1, 10.9.9.7
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { DEFAULT_HELPER_POLICY } from "../../../lib/config/mod.ts";
import { serveHelper } from "../../../lib/helper/mod.ts";
import { formatIp, formatPrefix, parsePrefix, type Prefix } from "../../../lib/ip/mod.ts";
import { applyRequest, openRequest, RawClient } from "../../doubles/raw_client.ts";
import { machine } from "../../machine.ts";

const { links, routing, sockets } = machine.root;

const BOB = 12_346;
const OFFICE = "10.9.9.7";
const PORT = 9000;

/** Answers every line with a word that only the office says. */
const OFFICE_PROGRAM = `
  const listener = Deno.listen({ hostname: "${OFFICE}", port: ${PORT} });
  console.log("ready");
  for await (const conn of listener) {
    (async () => {
      const bytes = new Uint8Array(100);
      for (let n = await conn.read(bytes); n !== null; n = await conn.read(bytes)) {
        await conn.write(new TextEncoder().encode("office\\n"));
      }
      conn.close();
    })();
  }
`;

/** Says a line on one connection for every line it is told, and tells the answer. */
const BOBS_PROGRAM =
  `exec 3<>/dev/tcp/${OFFICE}/${PORT}; while read -r line; do echo "$line" >&3; read -r answer <&3 || exit 1; echo "$answer"; done`;

async function run(command: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

/** A child's lines, one at a time. */
class Child implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #output: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

  constructor(command: string, args: readonly string[], identity: { uid?: number; gid?: number }) {
    this.#child = new Deno.Command(command, {
      args: [...args],
      ...identity,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.getReader();
  }

  /** Every answer here is shorter than what a pipe hands over at once. */
  async line(): Promise<string | null> {
    const { value } = await this.#output.read();
    return value === undefined ? null : new TextDecoder().decode(value).trim();
  }

  async say(text: string): Promise<string | null> {
    await this.#input.write(new TextEncoder().encode(`${text}\n`));
    return await this.line();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#output.cancel();
    await this.#child.status;
  }
}

/** A network behind the default route, in a namespace of its own. */
async function openOffice(): Promise<AsyncDisposable> {
  const pid = machine.processes.spawn({
    command: "/bin/sleep",
    args: ["300"],
    namespaces: { net: true },
    dieWithParent: true,
  });
  const there = ["-t", String(pid), "-n"];
  await run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1");
  await run("ip", "link", "set", "lan1", "netns", String(pid));
  await run("ip", "address", "add", "198.51.100.2/24", "dev", "lan0");
  await run("ip", "link", "set", "lan0", "up");
  await run("ip", "route", "add", "default", "via", "198.51.100.1");
  await run("nsenter", ...there, "ip", "link", "set", "lo", "up");
  await run("nsenter", ...there, "ip", "address", "add", "198.51.100.1/24", "dev", "lan1");
  await run("nsenter", ...there, "ip", "address", "add", `${OFFICE}/32`, "dev", "lo");
  await run("nsenter", ...there, "ip", "link", "set", "lan1", "up");
  const server = new Child("nsenter", [...there, Deno.execPath(), "eval", OFFICE_PROGRAM], {});
  equal(await server.line(), "ready");
  return {
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      Deno.kill(pid, "SIGKILL");
      await machine.processes.wait(pid);
    },
  };
}

/** Serves one client with what root allows. */
async function withClient(
  ranges: readonly Prefix[],
  test: (client: RawClient) => Promise<void>,
): Promise<void> {
  const journalDir = await Deno.makeTempDir();
  const [near, far] = sockets.messagePair();
  const served = serveHelper({
    machine: machine.root,
    descriptor: far,
    admission: null,
    journalDir,
    repair: null,
    policy: { ...DEFAULT_HELPER_POLICY, dnsMode: "none", ranges },
    signal: new AbortController().signal,
  });
  const socket = sockets.adoptMessages(near);
  try {
    using client = new RawClient(socket, sockets);
    await test(client);
  } finally {
    await socket.close();
    await served;
    await Deno.remove(journalDir, { recursive: true });
  }
}

const routed = () =>
  routing.routes().filter(({ ifindex, table }) =>
    table === 254 && ifindex !== 0 && routing.linkName(ifindex).startsWith("vnet")
  ).map(({ prefix }) => formatPrefix(prefix));

links.up(routing.linkIndex("lo"), 0);

Deno.test("a live connection of another user is not taken over by who asks for its network", async (t) => {
  await using _office = await openOffice();
  const bobs = new Child("/bin/bash", ["-c", BOBS_PROGRAM], { uid: BOB, gid: BOB });
  await using _bob = bobs;
  equal(await bobs.say("hello"), "office");

  await t.step("where root said nothing", () =>
    withClient([], async (client) => {
      equal(await client.codeOf(openRequest("10.9.9.0/24")), "range-forbidden");
      equal(await client.codeOf(openRequest("100.64.0.0/16")), null);
      for (const range of ["10.9.9.0/24", "10.0.0.0/8"]) {
        equal(await client.codeOf(applyRequest("100.64.0.0/16", range)), "range-forbidden");
      }
      equal(await bobs.say("still there"), "office");
      deepEqual(routed(), []);
    }));

  await t.step(
    "where root allows the whole network",
    () =>
      withClient([parsePrefix("10.0.0.0/8")], async (client) => {
        equal(await client.codeOf(openRequest("10.9.9.0/24")), "range-in-use");
        equal(await client.codeOf(openRequest("100.64.0.0/16")), null);
        equal(await client.codeOf(applyRequest("10.0.0.0/8")), "range-in-use");
        equal(await bobs.say("still there"), "office");
      }),
  );

  await t.step("once nobody talks to it, root's word is enough", async () => {
    await bobs[Symbol.asyncDispose]();
    await withClient([parsePrefix("10.0.0.0/8")], async (client) => {
      equal(await client.codeOf(openRequest("100.64.0.0/16")), null);
      equal(await client.codeOf(applyRequest("10.9.9.0/24")), null);
      deepEqual(routed(), ["10.9.9.0/24"]);
    });
  });

  await t.step("a UDP socket that is connected counts, one that is not does not", async () => {
    const udp = new Child("/bin/bash", [
      "-c",
      `exec 3<>/dev/udp/${OFFICE}/53; echo up; read -r line`,
    ], {
      uid: BOB,
      gid: BOB,
    });
    await using _udp = udp;
    equal(await udp.line(), "up");
    const isCounted = () => routing.occupants().some(({ address }) => formatIp(address) === OFFICE);
    equal(isCounted(), true);
    await withClient([parsePrefix("10.0.0.0/8")], async (client) => {
      equal(await client.codeOf(openRequest("10.9.9.0/24")), "range-in-use");
      equal(await client.codeOf(openRequest("10.9.8.0/24")), null);
    });
    // As a revert does: what pointed at a vnet does not keep its range from the next.
    sockets.destroyTo(parsePrefix("10.9.9.0/24"));
    equal(isCounted(), false);
  });

  await t.step("a gateway that no other route leads to, of every hop", async () => {
    const hop = (address: string) => ["nexthop", "via", address, "dev", "lan0", "onlink"];
    const hops = ["172.31.1.1", "172.31.1.2"];
    await run("ip", "route", "add", "203.0.113.0/24", ...hops.flatMap(hop));
    const gateways = routing.occupants().filter(({ kind }) => kind === "gateway")
      .map(({ address }) => formatIp(address));
    ok([...hops, "198.51.100.1"].every((address) => gateways.includes(address)), gateways.join());
    await withClient([parsePrefix("172.16.0.0/12")], async (client) => {
      equal(await client.codeOf(openRequest("172.31.0.0/16")), "range-in-use");
    });
  });
});
