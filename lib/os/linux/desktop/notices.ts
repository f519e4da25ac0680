/**
 * Notices on the desktop, by the notification service of the user's message bus.
 *
 * @module
 * @see Desktop Notifications Specification 1.2
 */
import { getLogger } from "../../../log.ts";
import type { Notice, Notices } from "../../desktop.ts";
import { Dbus } from "../dbus/dbus.ts";
import type { Message } from "../dbus/message.ts";
import type { DbusValue } from "../dbus/value.ts";

const log = getLogger("os", "desktop");

const SERVICE = {
  destination: "org.freedesktop.Notifications",
  path: "/org/freedesktop/Notifications",
  interface: "org.freedesktop.Notifications",
} as const;

const DEADLINE_MS = 2_000;
const ACTION = "vnet-action";
/** Until it is taken back. */
const NEVER_EXPIRES = 0;
const MAX_TITLE = 120;
const MAX_TEXT = 500;

interface Shown {
  readonly notice: Notice;
  /** The service's number; `null` while it is not there. */
  id: number | null;
  isOver: boolean;
}

/** Notices by a message bus that is looked for when the first is shown. */
export class BusNotices implements Notices {
  readonly #sockets: readonly string[];
  #bus: Dbus | null = null;
  /** Whether the service reads markup in texts. */
  #readsMarkup = false;
  readonly #byId = new Map<number, Shown>();
  /** One act after the other. */
  #turn: Promise<void> = Promise.resolve();
  #isClosing = false;

  /** @param sockets Where a bus may listen, best first. */
  constructor(sockets: readonly string[]) {
    this.#sockets = sockets;
  }

  show(notice: Notice): () => void {
    const shown: Shown = { notice, id: null, isOver: false };
    this.#then(() => this.#put(shown));
    return () => {
      shown.isOver = true;
      this.#then(() => this.#take(shown));
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    for (const shown of [...this.#byId.values()]) this.#then(() => this.#take(shown));
    await this.#turn;
    await this.#bus?.close();
  }

  #then(act: () => Promise<void>): void {
    this.#turn = this.#turn.then(act).catch(async (thrown) => {
      log.debug("The desktop shows no notice", { error: String(thrown) });
      await this.#bus?.close(); // whoever did not answer once is not waited for again and again
    });
  }

  async #put(shown: Shown): Promise<void> {
    if (shown.isOver || this.#isClosing) return;
    const bus = await this.#connect();
    if (bus === null) return;
    const { title, text, action } = shown.notice;
    const actions = action === null ? [] : [ACTION, action.label];
    const body = text.slice(0, MAX_TEXT);
    const [id] = await call(bus, "Notify", "susssasa{sv}i", [
      ...["vnet", 0, "", title.slice(0, MAX_TITLE)],
      this.#readsMarkup ? escapeMarkup(body) : body,
      actions,
      new Map([["urgency", { signature: "y", value: 1 }]]),
      NEVER_EXPIRES,
    ]);
    if (typeof id !== "number") return;
    shown.id = id;
    this.#byId.set(id, shown);
  }

  async #take(shown: Shown): Promise<void> {
    const { id } = shown;
    if (id === null || this.#bus === null) return;
    this.#forget(id);
    await call(this.#bus, "CloseNotification", "u", [id]);
  }

  #forget(id: number): void {
    const shown = this.#byId.get(id);
    if (shown !== undefined) shown.id = null;
    this.#byId.delete(id);
  }

  async #connect(): Promise<Dbus | null> {
    if (this.#bus !== null) return this.#bus;
    for (const socket of this.#sockets) {
      const found = await Dbus.connect({
        socket,
        timeoutMs: DEADLINE_MS,
        onSignal: (signal) => this.#hear(signal),
      }).catch(() => null);
      if (found === null) continue;
      try {
        return await this.#begin(found);
      } catch (thrown) {
        await found.close();
        throw thrown;
      }
    }
    return null;
  }

  async #begin(bus: Dbus): Promise<Dbus> {
    await bus.addMatch(
      `type='signal',sender='${SERVICE.destination}',interface='${SERVICE.interface}'`,
    );
    const [capabilities] = await call(bus, "GetCapabilities", "", []);
    this.#readsMarkup = Array.isArray(capabilities) && capabilities.includes("body-markup");
    this.#bus = bus;
    void bus.closed.then(() => {
      this.#bus = null;
      for (const id of [...this.#byId.keys()]) this.#forget(id);
    });
    return bus;
  }

  #hear({ interface: of, member, body: [id, key] }: Message): void {
    const shown = of === SERVICE.interface && typeof id === "number" ? this.#byId.get(id) : null;
    if (shown === null || shown === undefined) return;
    if (member === "NotificationClosed") this.#forget(id as number);
    if (member === "ActionInvoked" && key === ACTION) shown.notice.action?.onChosen();
  }
}

function call(
  bus: Dbus,
  member: string,
  signature: string,
  body: readonly DbusValue[],
): Promise<readonly DbusValue[]> {
  return bus.call({ ...SERVICE, member, signature, body, timeoutMs: DEADLINE_MS });
}

/** Of the service's markup nothing is meant. */
function escapeMarkup(text: string): string {
  return text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
