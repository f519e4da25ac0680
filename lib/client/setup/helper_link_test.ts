import { deepEqual, equal, rejects } from "node:assert/strict";
import type { HelperReply } from "../../wire/mod.ts";
import { machine } from "../../../tests/machine.ts";
import type { MessageSocket } from "../../os/mod.ts";
import { type Deadline, type HelperEvent, HelperLink } from "./helper_link.ts";

const { sockets } = machine;
const never: Deadline = () => new AbortController().signal;

/** A link, and the socket at whose other end the helper sits. */
async function withHelper(
  deadline: Deadline,
  test: (link: HelperLink, helper: MessageSocket, events: HelperEvent[]) => Promise<void>,
): Promise<void> {
  const [near, far] = sockets.messagePair();
  const events: HelperEvent[] = [];
  await using helper = sockets.adoptMessages(far);
  await using link = HelperLink.open(
    sockets,
    { descriptor: near },
    (event) => events.push(event),
    deadline,
  );
  await test(link, helper, events);
}

async function read(helper: MessageSocket): Promise<{ id: number; op: string }> {
  return JSON.parse(new TextDecoder().decode((await helper.receive())?.bytes));
}

async function say(helper: MessageSocket, reply: HelperReply): Promise<void> {
  await helper.send(new TextEncoder().encode(JSON.stringify(reply)));
}

const DETECTED = { backend: "none", why: [], warnings: [], needs_port_53: false, ranges: [] };

Deno.test("HelperLink asks one thing at a time", async () => {
  await withHelper(never, async (link, helper) => {
    const first = link.detect("auto");
    const second = link.revert();
    const asked = await read(helper);
    equal(asked.op, "detect");
    const next = read(helper);
    // Whatever was asked second would be there before this, which is not for us.
    await say(helper, { id: asked.id, ok: DETECTED });
    deepEqual(await first, DETECTED);
    const { id, op } = await next;
    equal(op, "revert");
    await say(helper, { id, steps: ["one"] });
    await say(helper, { id, steps: ["two", "three"] });
    await say(helper, { id, ok: {} });
    deepEqual(await second, ["one", "two", "three"]);
  });
});

Deno.test("HelperLink gives up on a helper that does not answer, and asks the next thing", async () => {
  const late = new AbortController();
  await withHelper(
    (op) => op === "detect" ? late.signal : never(op),
    async (link, helper) => {
      const asked = link.detect("auto");
      const { id } = await read(helper);
      late.abort();
      await rejects(asked, { code: "helper-stuck" });
      const next = link.revert();
      const again = await read(helper);
      await say(helper, { id, ok: DETECTED }); // Too late: nobody waits for it any more.
      await say(helper, { id: again.id, ok: {} });
      deepEqual(await next, []);
    },
  );
});

Deno.test("HelperLink gives up on a helper that does not read", async () => {
  await withHelper(() => AbortSignal.abort(), async (link) => {
    // Nobody reads: sooner or later the queue is full.
    for (let n = 0; n < 4096; n++) await rejects(link.revert(), { code: "helper-stuck" });
  });
});

Deno.test("HelperLink passes on why the helper could not start", async () => {
  await withHelper(never, async (link, helper) => {
    const asked = link.detect("auto");
    const { id } = await read(helper);
    const error = { code: "dns-journal-unwritable", message: "No", hint: "Make room" };
    await say(helper, { id, error: { ...error, call: "open", errno: "EROFS" } });
    await helper.close();
    await rejects(asked, { ...error, call: "open", errno: "EROFS" });
  });
});

Deno.test("HelperLink says that the helper is gone, however it learns of it", async () => {
  await withHelper(never, async (link, helper) => {
    const asked = link.detect("auto");
    await read(helper);
    await helper.close();
    await rejects(asked, { code: "helper-lost" });
    await rejects(link.revert(), { code: "helper-lost" });
  });
});
