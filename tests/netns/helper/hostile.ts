/**
 * Descriptors of a file system that does not answer: whoever lets go of one sleeps until its server ends, and no
 * signal ends that. Run by tests/netns/helper_test.ts.
 *
 * @module
 */
import { deepEqual, equal } from "node:assert/strict";
import { VnetError } from "../../../lib/error.ts";
import { DEFAULT_HELPER_POLICY } from "../../../lib/config/mod.ts";
import { serveHelper } from "../../../lib/helper/mod.ts";
import type { MessageSocket } from "../../../lib/os/mod.ts";
import { HELPER_PROTOCOL, type HelperRequest } from "../../../lib/wire/mod.ts";
import { machine } from "../../machine.ts";

const { links, routing, sockets } = machine.root;
const SOURCE = new URL("../../../ffi/tests/hostile_fuse.c", import.meta.url).pathname;
const program = await Deno.makeTempFile({ prefix: "vnet-hostile-" });

type Wanted = HelperRequest extends infer R ? R extends unknown ? Omit<R, "v" | "id"> : never
  : never;

const OPEN: Wanted = {
  op: "open",
  link: null,
  ipv4: { self: "100.64.0.1", range: "100.64.0.0/20" },
  ipv6: null,
};
const APPLY: Wanted = { op: "apply", routes: ["100.64.0.0/20"], dns: null };
const DETECT: Wanted = { op: "detect", mode: "none" };
const GUARD: Wanted = { op: "guard", source: "100.64.0.2" };

type Operation = "flush" | "write";

const messageOf = (id: number, request: Wanted) =>
  JSON.stringify({ v: HELPER_PROTOCOL, id, ...request });

/** Lines of a program's output, one at a time. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest: string[] = [];

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  async next(): Promise<string> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("The program ended");
      this.#rest.push(...value.split("\n").filter((line) => line !== ""));
    }
    return this.#rest.shift() ?? "";
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** A file system that leaves one kind of request unanswered. */
class HostileFiles implements AsyncDisposable {
  readonly #mountpoint: string;
  readonly #operation: Operation;
  readonly #server: Deno.ChildProcess;
  readonly #lines: Lines;
  readonly #senders: number[] = [];

  private constructor(mountpoint: string, operation: Operation) {
    this.#mountpoint = mountpoint;
    this.#operation = operation;
    const args = ["serve", mountpoint, operation];
    this.#server = new Deno.Command(program, { args, stdin: "null", stdout: "piped" }).spawn();
    this.#lines = new Lines(this.#server.stdout);
  }

  static async mount(operation: Operation): Promise<HostileFiles> {
    const files = new HostileFiles(await Deno.makeTempDir({ prefix: "vnet-hostile-" }), operation);
    equal(await files.#lines.next(), "ready");
    return files;
  }

  /**
   * Has another process send a message with a file of it over a socket of ours.
   *
   * @returns When that process has let go of the file; `false` if it never did.
   */
  async send(socket: number, text: string): Promise<boolean> {
    const dirty = this.#operation === "write" ? ["dirty"] : [];
    const [own, theirs] = sockets.messagePair();
    await using report = sockets.adoptMessages(own);
    this.#senders.push(machine.processes.spawn({
      command: program,
      args: ["send", `${this.#mountpoint}/f`, text, ...dirty],
      stdout: theirs,
      descriptors: [socket],
    }));
    sockets.close(theirs);
    return await report.receive() !== null;
  }

  /** Waits until somebody other than a sender sleeps. */
  async untilSleeping(): Promise<void> {
    const sleeps = (pid: number, line: string) => line.endsWith(` of ${pid}`);
    for (;;) {
      const line = await this.#lines.next();
      if (!this.#senders.some((pid) => sleeps(pid, line))) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.kill("SIGKILL"); // Whoever sleeps for it wakes up.
    await this.#lines.cancel();
    const { signal } = await this.#server.status;
    for (const pid of this.#senders) {
      Deno.kill(pid, "SIGKILL");
      await machine.processes.wait(pid);
    }
    await new Deno.Command("umount", { args: ["-l", this.#mountpoint] }).output();
    await Deno.remove(this.#mountpoint);
    // Everything before this came to pass while the file system was silent.
    equal(signal, "SIGKILL");
  }
}

/** The threads of this process that no signal reaches. */
function sleepers(): string[] {
  return [...Deno.readDirSync("/proc/self/task")].map(({ name }) => name)
    .filter((task) => /\) D /.test(Deno.readTextFileSync(`/proc/self/task/${task}/stat`)));
}

/** @returns The descriptors of an answer that is none of an error. */
async function answer(socket: MessageSocket, id: number): Promise<readonly number[]> {
  for (;;) {
    const message = await socket.receive();
    const reply = JSON.parse(new TextDecoder().decode(message?.bytes));
    if (reply.id !== id || "steps" in reply) continue;
    equal(reply.error, undefined);
    return message?.fds ?? [];
  }
}

interface Attack {
  readonly name: string;
  readonly operation: Operation;
  readonly before: readonly Wanted[];
  readonly with: Wanted;
  readonly refused?: boolean;
}

const ATTACKS: readonly Attack[] = [
  {
    name: "in the place of a listener, and whoever closes it sleeps",
    operation: "flush",
    before: [OPEN, APPLY],
    with: GUARD,
  },
  {
    name: "in the place of a listener, and whoever has it last sleeps",
    operation: "write",
    before: [OPEN, APPLY],
    with: GUARD,
  },
  {
    name: "where none belongs, and whoever has it last sleeps",
    operation: "write",
    before: [OPEN, APPLY],
    with: DETECT,
  },
  {
    name: "from somebody who is not let in",
    operation: "write",
    before: [],
    with: DETECT,
    refused: true,
  },
];

await new Deno.Command("gcc", { args: ["-O1", "-o", program, SOURCE] }).output();
links.up(routing.linkIndex("lo"), 0);

for (const attack of ATTACKS) {
  Deno.test(`serveHelper() takes everything back and ends: a hostile file ${attack.name}`, async () => {
    const journalDir = await Deno.makeTempDir();
    const kept: number[] = [];
    {
      const [near, far] = sockets.messagePair();
      await using client = sockets.adoptMessages(near);
      await using files = await HostileFiles.mount(attack.operation);
      const sent = Promise.withResolvers<boolean>();
      const denied = () => sent.promise.then(() => new VnetError("helper-denied", "No"));
      const served = serveHelper({
        machine: machine.root,
        descriptor: far,
        admission: attack.refused === true ? { lockDir: journalDir, authorize: denied } : null,
        journalDir,
        repair: null,
        policy: { ...DEFAULT_HELPER_POLICY, dnsMode: "none" },
        signal: new AbortController().signal,
      });
      for (const [id, request] of attack.before.entries()) {
        await client.send(new TextEncoder().encode(messageOf(id, request)));
        kept.push(...await answer(client, id));
      }
      const sending = files.send(near, messageOf(99, attack.with));
      void sending.then(sent.resolve);
      await served;
      await files.untilSleeping();
      deepEqual(sleepers(), []);
    }
    deepEqual(routing.addresses().filter(({ ifindex }) => ifindex > 1), []);
    deepEqual([...Deno.readDirSync(journalDir)].filter(({ name }) => /json$/.test(name)), []);
    for (const fd of kept) sockets.close(fd);
    await Deno.remove(journalDir, { recursive: true });
  });
}

Deno.test("a hostile file sent where packets belong does not hold the thread that waits for them", async () => {
  const fd = sockets.openRaw(4, routing.linkIndex("lo"));
  await using files = await HostileFiles.mount("write");
  await files.send(fd, "x");
  await files.untilSleeping();
  sockets.close(fd);
  deepEqual(sleepers(), []);
});

globalThis.addEventListener("unload", () => Deno.removeSync(program));
