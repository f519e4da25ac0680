import { deepEqual, equal } from "node:assert/strict";
import { Dbus } from "./dbus/dbus.ts";
import { DbusError } from "./dbus/error.ts";
import type { DbusValue } from "./dbus/value.ts";
import { makeDirectory, startBus } from "../../../tests/doubles/osdns/bus.ts";
import { needing } from "../../../tests/needs.ts";
import { isAuthorized } from "./polkit.ts";

const PEER = { pid: 4242, uid: 1000, gid: 1000 };
const ACTION = "org.vnet.helper.use";

/** Answers as polkit would, and keeps what it was asked. */
async function withPolkit(
  answer: () => readonly DbusValue[],
  use: (socket: string, asked: DbusValue[][]) => Promise<void>,
): Promise<void> {
  await using directory = await makeDirectory();
  await using bus = await startBus(directory.path);
  const asked: DbusValue[][] = [];
  await using polkit = await Dbus.connect({
    socket: bus.socket,
    onCall: (call) => {
      asked.push([...call.body]);
      return Promise.resolve({ signature: "(bba{ss})", body: [answer()] });
    },
  });
  await polkit.requestName("org.freedesktop.PolicyKit1");
  await use(bus.socket, asked);
}

Deno.test(
  needing(
    ["dbus-daemon"],
    "isAuthorized() passes on the kernel's word and takes polkit's",
    () =>
      withPolkit(() => [true, false, new Map()], async (socket, asked) => {
        equal(await isAuthorized(PEER, ACTION, { socket, timeoutMs: 2_000 }), true);
        const [subject, action] = asked[0] ?? [];
        equal(action, ACTION);
        const [kind, details] = subject as [string, Map<string, { value: DbusValue }>];
        equal(kind, "unix-process");
        deepEqual([details.get("pid")?.value, details.get("uid")?.value], [4242, 1000]);
      }),
  ),
);

Deno.test(
  needing(["dbus-daemon"], "isAuthorized() lets nobody in who was only not refused", async () => {
    await withPolkit(() => [false, true, new Map()], async (socket) => {
      equal(await isAuthorized(PEER, ACTION, { socket, timeoutMs: 2_000 }), false);
    });
    const refuse = () => {
      throw new DbusError("org.freedesktop.PolicyKit1.Error.Failed", "Action is not registered");
    };
    await withPolkit(refuse, async (socket) => {
      equal(await isAuthorized(PEER, ACTION, { socket, timeoutMs: 2_000 }), false);
    });
  }),
);

Deno.test(
  needing(
    ["dbus-daemon"],
    "isAuthorized() is null where there is no polkit, or no bus",
    async () => {
      await using directory = await makeDirectory();
      const socket = `${directory.path}/bus`;
      equal(await isAuthorized(PEER, ACTION, { socket, timeoutMs: 2_000 }), null);
      await using bus = await startBus(directory.path);
      equal(await isAuthorized(PEER, ACTION, { socket: bus.socket, timeoutMs: 2_000 }), null);
    },
  ),
);
