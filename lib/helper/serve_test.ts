import { deepEqual, equal, ok } from "node:assert/strict";
import { HELPER_PROTOCOL, type HelperRequest } from "../wire/mod.ts";
import { OsError } from "../error.ts";
import { machine as real } from "../../tests/machine.ts";
import { parseEndpoint } from "../ip/mod.ts";
import type { MessageSocket, PeerSocket } from "../os/mod.ts";
import { type Duties, refuseClient, serveClient } from "./serve.ts";

const { sockets } = real.root;

const LOOPBACK_IFINDEX = 1;

const DETECTED = { backend: "none", why: [], warnings: [], needs_port_53: false, ranges: [] };

/** A machine that does nothing, and notes what it was asked to do. */
function machine(rest: Partial<Duties> = {}): Duties & { readonly asked: string[] } {
  const asked: string[] = [];
  const note = (op: string) => asked.push(op);
  return {
    asked,
    detect: () => (note("detect"), Promise.resolve({ value: DETECTED, fds: [] })),
    open: () => {
      throw new TypeError("not opened here");
    },
    listen: () => (note("listen"), { value: {}, fds: [] }),
    dnsSockets: () => (note("dns-sockets"), { value: {}, fds: [] }),
    guard: async (_request, listener, signal) => {
      note("guard");
      await listener.guardCarried([LOOPBACK_IFINDEX], { signal });
      return { value: {}, fds: [] };
    },
    apply: () => (note("apply"), new Promise(() => {})),
    program: () => Promise.resolve({ value: { program: null }, fds: [] }),
    revert: () => (note("revert"), Promise.resolve([])),
    ...rest,
  };
}

type Wanted = HelperRequest extends infer R ? R extends unknown ? Omit<R, "v" | "id"> : never
  : never;

const DETECT: Wanted = { op: "detect", mode: "auto" };
const GUARD: Wanted = { op: "guard", source: "100.64.0.2" };
const APPLY: Wanted = { op: "apply", routes: [], dns: null };

async function ask(
  socket: MessageSocket,
  id: number,
  request: Wanted,
  fds: readonly number[] = [],
): Promise<void> {
  const text = JSON.stringify({ v: HELPER_PROTOCOL, id, ...request });
  await socket.send(new TextEncoder().encode(text), fds);
}

async function answer(socket: MessageSocket): Promise<{ id: number; error?: { code: string } }> {
  const message = await socket.receive();
  return JSON.parse(new TextDecoder().decode(message?.bytes));
}

/** Counts the descriptors of what one of them is. */
function countDescriptorsOf(fd: number): number {
  const thing = Deno.readLinkSync(`/proc/self/fd/${fd}`);
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => linkOf(name) === thing)
    .length;
}

/** @returns `null` if the descriptor was closed meanwhile: other tests run beside this one. */
function linkOf(fd: string): string | null {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
}

async function withPair(
  test: (near: MessageSocket, far: PeerSocket) => Promise<void>,
): Promise<void> {
  const [near, far] = sockets.messagePair();
  await using client = sockets.adoptMessages(near);
  await using server = sockets.inheritPeer(far);
  await test(client, server);
}

const never = () => new AbortController().signal;
const PATIENT = { sockets, signal: never(), deadlines: { send: never, answer: never } };

Deno.test("serveClient() lets go of a client that does not read its answers", async () => {
  await withPair(async (client, far) => {
    const host = machine();
    // Time is up the moment the helper would have to wait.
    const deadlines = { send: () => AbortSignal.abort(), answer: never };
    const served = serveClient({ client: far, sockets, signal: never(), deadlines }, host);
    const ended = new AbortController();
    void served.finally(() => ended.abort());
    for (let id = 0; !ended.signal.aborted; id++) {
      const text = JSON.stringify({ v: HELPER_PROTOCOL, id, ...DETECT });
      await client.send(new TextEncoder().encode(text), [], ended.signal).catch(() => {});
    }
    await served;
    ok(host.asked.length > 1);
  });
});

Deno.test("serveClient() answers in time, whatever the machine does, and then lets go", async () => {
  await withPair(async (client, far) => {
    const deadlines = { send: never, answer: () => AbortSignal.abort() };
    const served = serveClient({ client: far, sockets, signal: never(), deadlines }, machine());
    await ask(client, 7, APPLY);
    const { id, error } = await answer(client);
    deepEqual([id, error?.code], [7, "helper-overdue"]);
    await served;
  });
});

type Carried = "listener" | "udp" | "unix" | "file";

const CASES: [name: string, request: Wanted, carried: Carried[], code: string | undefined][] = [
  ["guard with a listener", GUARD, ["listener"], undefined],
  ["guard with nothing", GUARD, [], "helper-order"],
  ["guard with two listeners", GUARD, ["listener", "listener"], "listener-guard-failed"],
  ["guard with a UDP socket", GUARD, ["udp"], "listener-guard-failed"],
  ["guard with a unix socket", GUARD, ["unix"], "listener-guard-failed"],
  ["guard with a file", GUARD, ["file"], "listener-guard-failed"],
  ["detect with a listener", DETECT, ["listener"], "helper-order"],
  ["revert with eight", { op: "revert" }, Array.from({ length: 8 }, () => "file"), "helper-order"],
];

/** One descriptor of each kind. */
class Wares implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #sockets: Readonly<Record<Exclude<Carried, "file">, number>>;
  readonly #far: number;
  readonly #fileFd: number;

  constructor() {
    const path = Deno.makeTempFileSync();
    this.#file = Deno.openSync(path);
    const names = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => name);
    this.#fileFd = Number(names.find((name) => linkOf(name) === path));
    Deno.removeSync(path);
    const anywhere = parseEndpoint("127.0.0.1:0");
    const [unix, far] = sockets.messagePair();
    const [listener, udp] = [sockets.listenTcp(anywhere), sockets.listenUdp(anywhere)];
    this.#sockets = { listener, udp, unix };
    this.#far = far;
  }

  take(kinds: readonly Carried[]): number[] {
    return kinds.map((kind) => kind === "file" ? this.#fileFd : this.#sockets[kind]);
  }

  [Symbol.dispose](): void {
    for (const fd of [...Object.values(this.#sockets), this.#far]) sockets.close(fd);
    this.#file.close();
  }
}

Deno.test("serveClient() takes a listener where one belongs, and lets go of who sends another thing", async (t) => {
  using wares = new Wares();
  for (const [name, request, carried, want] of CASES) {
    await t.step(name, async () => {
      await withPair(async (client, far) => {
        const host = machine();
        const served = serveClient({ ...PATIENT, client: far }, host);
        const fds = wares.take(carried);
        await ask(client, 1, request, fds);
        equal((await answer(client)).error?.code, want);
        const stays = want === undefined || carried.length === 0;
        if (stays) {
          await ask(client, 2, DETECT);
          equal((await answer(client)).id, 2);
          await client.close();
        }
        await served;
        for (const fd of fds) equal(countDescriptorsOf(fd), 1);
      });
    });
  }
});

Deno.test("serveClient() takes nothing from a client that cannot be understood", async () => {
  using wares = new Wares();
  await withPair(async (client, far) => {
    const host = machine();
    const served = serveClient({ ...PATIENT, client: far }, host);
    const [file = -1] = wares.take(["file"]);
    await client.send(new TextEncoder().encode("{"), [file]);
    await served;
    equal(countDescriptorsOf(file), 1);
    deepEqual(host.asked, []);
  });
});

Deno.test("refuseClient() tells its first request why there is no helper", async () => {
  await withPair(async (client, far) => {
    const error = new OsError("dns-journal-unwritable", "Cannot keep a journal", {
      call: "open",
      errno: "EROFS",
      hint: "Make room",
    });
    const refused = refuseClient(far, error, never());
    using wares = new Wares();
    await ask(client, 3, DETECT, wares.take(["unix", "file"]));
    deepEqual(await answer(client), {
      id: 3,
      error: {
        code: "dns-journal-unwritable",
        message: "Cannot keep a journal",
        hint: "Make room",
        call: "open",
        errno: "EROFS",
      },
    });
    await refused;
  });
});
