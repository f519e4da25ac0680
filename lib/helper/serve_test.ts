import { deepEqual, equal, ok } from "node:assert/strict";
import { HELPER_PROTOCOL, type HelperRequest } from "../wire/mod.ts";
import { OsError } from "../error.ts";
import { machine as real } from "../../tests/machine.ts";
import type { MessageSocket } from "../os/mod.ts";
import { type Duties, refuseClient, serveClient } from "./serve.ts";

const { sockets } = real;

const DETECTED = { backend: "none", why: [], warnings: [], needs_port_53: false };

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
    dnsSockets: () => (note("dns-sockets"), { value: {}, fds: [] }),
    guard: (_request, listener) => (note(`guard ${listener > 2}`), { value: {}, fds: [] }),
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

/** How many descriptors this process has. */
/** Counts the descriptors of the socket that one of them is. */
function countDescriptorsOf(fd: number): number {
  const socket = Deno.readLinkSync(`/proc/self/fd/${fd}`);
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => linkOf(name) === socket)
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
  test: (near: MessageSocket, far: MessageSocket) => Promise<void>,
): Promise<void> {
  const [near, far] = sockets.messagePair();
  await using client = sockets.adoptMessages(near);
  await using server = sockets.adoptMessages(far);
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

const CASES: [name: string, request: Wanted, count: number, code: string | undefined][] = [
  ["guard with one", GUARD, 1, undefined],
  ["guard with none", GUARD, 0, "helper-order"],
  ["guard with two", GUARD, 2, "helper-order"],
  ["detect with one", DETECT, 1, "helper-order"],
  ["revert with eight", { op: "revert" }, 8, "helper-order"],
];

Deno.test("serveClient() takes a descriptor where one belongs, and keeps none", async (t) => {
  for (const [name, request, count, want] of CASES) {
    await t.step(name, async () => {
      await withPair(async (client, far) => {
        const host = machine();
        const served = serveClient({ ...PATIENT, client: far }, host);
        const [a, b] = sockets.messagePair();
        try {
          await ask(client, 1, request, Array.from({ length: count }, () => a));
          equal((await answer(client)).error?.code, want);
        } finally {
          await client.close();
          await served;
          equal(countDescriptorsOf(a), 1);
          for (const fd of [a, b]) sockets.close(fd);
        }
        equal(host.asked.length, want === undefined ? 1 : 0);
      });
    });
  }
});

Deno.test("refuseClient() tells its first request why there is no helper", async () => {
  await withPair(async (client, far) => {
    const error = new OsError("dns-journal-unwritable", "Cannot keep a journal", {
      call: "open",
      errno: "EROFS",
      hint: "Make room",
    });
    const refused = refuseClient({ client: far, sockets, signal: never() }, error);
    await ask(client, 3, DETECT);
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
