import { deepEqual, equal } from "node:assert/strict";
import { makeDirectory, startBus } from "../../../../tests/doubles/osdns/bus.ts";
import { needing } from "../../../../tests/needs.ts";
import { Dbus } from "../dbus/dbus.ts";
import type { Message } from "../dbus/message.ts";
import { BusNotices } from "./notices.ts";

const NAME = "org.freedesktop.Notifications";

/** A notification service as a desktop has one: it notes what it was told. */
class Service implements AsyncDisposable {
  readonly calls: Message[] = [];
  #bus: Dbus | null = null;
  #lastId = 0;
  #heard = Promise.withResolvers<void>();

  constructor(readonly capabilities: readonly string[]) {}

  async open(socket: string): Promise<this> {
    this.#bus = await Dbus.connect({
      socket,
      onCall: (call) => {
        this.calls.push(call);
        this.#heard.resolve();
        this.#heard = Promise.withResolvers();
        switch (call.member) {
          case "GetCapabilities":
            return Promise.resolve({ signature: "as", body: [[...this.capabilities]] });
          case "Notify":
            return Promise.resolve({ signature: "u", body: [++this.#lastId] });
          default:
            return Promise.resolve({ signature: "", body: [] });
        }
      },
    });
    await this.#bus.requestName(NAME);
    return this;
  }

  /** The bodies of the calls of one kind, once there are so many. */
  async told(member: string, count: number): Promise<readonly Message["body"][]> {
    for (;;) {
      const found = this.calls.filter((call) => call.member === member).map(({ body }) => body);
      if (found.length >= count) {
        // What is emitted from here on comes after the answer.
        await new Promise((resolve) => setTimeout(resolve, 0));
        return found;
      }
      await this.#heard.promise;
    }
  }

  emit(member: string, signature: string, body: Message["body"]): void {
    this.#bus?.emit({
      path: "/org/freedesktop/Notifications",
      interface: NAME,
      ...{ member, signature, body },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus?.close();
  }
}

Deno.test(
  needing(["dbus-daemon"], "BusNotices speaks to a notification service", async (t) => {
    await using directory = await makeDirectory();
    await using bus = await startBus(directory.path);
    const sockets = [`${directory.path}/nobody`, bus.socket];

    await t.step("a notice is shown, acted on and taken back", async () => {
      await using service = await new Service(["actions", "body-markup"]).open(bus.socket);
      await using notices = new BusNotices(sockets);
      const chosen = Promise.withResolvers<void>();
      const close = notices.show({
        title: "vnet: <b>db</b>",
        text: `run <a href="x">it</a> & go`,
        action: { label: "Decline", onChosen: () => chosen.resolve() },
      });
      const [body = []] = await service.told("Notify", 1);
      deepEqual(body.slice(0, 6), [
        "vnet",
        0,
        "",
        "vnet: <b>db</b>",
        `run &#60;a href="x"&#62;it&#60;/a&#62; &#38; go`,
        ["vnet-action", "Decline"],
      ]);
      equal(body[7], 0);
      service.emit("ActionInvoked", "us", [2, "vnet-action"]); // another program's
      service.emit("ActionInvoked", "us", [1, "default"]);
      service.emit("ActionInvoked", "us", [1, "vnet-action"]);
      await chosen.promise;
      close();
      deepEqual(await service.told("CloseNotification", 1), [[1]]);
    });

    await t.step(
      "what is over at once is not shown, what is shown is taken back at the end",
      async () => {
        await using service = await new Service([]).open(bus.socket);
        {
          await using notices = new BusNotices(sockets);
          const plain = { title: "vnet", text: "a & b", action: null };
          notices.show({ ...plain, title: "never" })();
          notices.show(plain);
          const [body] = await service.told("Notify", 1);
          deepEqual([body?.[3], body?.[4], body?.[5]], ["vnet", "a & b", []]);
        }
        deepEqual(await service.told("CloseNotification", 1), [[1]]);
        equal((await service.told("Notify", 1)).length, 1);
      },
    );

    await t.step("nobody serves notices: nothing happens", async () => {
      await using notices = new BusNotices(sockets);
      notices.show({ title: "vnet", text: "", action: null });
    });

    await t.step("there is no bus: nothing happens", async () => {
      await using notices = new BusNotices([`${directory.path}/nobody`]);
      notices.show({ title: "vnet", text: "", action: null });
    });

    await t.step("a service that never answers holds nobody up for long", async () => {
      await using silent = await Dbus.connect({
        socket: bus.socket,
        onCall: () => new Promise(() => {}),
      });
      await silent.requestName(NAME);
      await using notices = new BusNotices(sockets);
      notices.show({ title: "vnet", text: "", action: null });
    });
  }),
);
