/**
 * Small working stand-ins on a test's own bus: a systemd-resolved that keeps what it is told, of the present
 * version or an old one, and a systemd-networkd that owns the links.
 *
 * @module
 */
import { type Answer, Dbus } from "../../../lib/os/linux/dbus/dbus.ts";
import { DbusError } from "../../../lib/os/linux/dbus/error.ts";
import type { Message } from "../../../lib/os/linux/dbus/message.ts";
import type { DbusValue } from "../../../lib/os/linux/dbus/value.ts";
import { NETWORKD, RESOLVED } from "../../../lib/os/linux/dbus/names.ts";

/** What a link was told. */
export interface FakeLink {
  servers: readonly DbusValue[];
  domains: readonly DbusValue[];
  switches: Map<string, DbusValue>;
}

export interface FakeResolvedOptions {
  readonly socket: string;
  /** Before 246: no ports, no `SetLinkDNSEx`, no `DNSEx`. */
  readonly isOld?: boolean;
  /** networkd manages every link: setters answer `LinkBusy`. */
  readonly isBusy?: boolean;
  /** Answers nothing. */
  readonly isHanging?: boolean;
  /** Not root: setters are denied. */
  readonly isDenying?: boolean;
  /** Rows of `DNSEx` that are there already. */
  readonly servers?: readonly DbusValue[];
  readonly fallbacks?: readonly DbusValue[];
}

/** A systemd-resolved in a few lines. */
export class FakeResolved implements AsyncDisposable {
  readonly links = new Map<number, FakeLink>();
  /** Names of the setters, in the order they were called. */
  readonly calls: string[] = [];
  readonly #options: FakeResolvedOptions;
  #bus: Dbus | null = null;

  static async start(options: FakeResolvedOptions, name = RESOLVED): Promise<FakeResolved> {
    const fake = new FakeResolved(options);
    fake.#bus = await Dbus.connect({
      socket: options.socket,
      onCall: (call) => fake.#answer(call),
    });
    await fake.#bus.requestName(name.destination);
    return fake;
  }

  private constructor(options: FakeResolvedOptions) {
    this.#options = options;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bus?.close();
  }

  /** Says that the resolvers changed, as resolved does. */
  changed(): void {
    this.#bus?.emit({
      path: RESOLVED.path,
      interface: "org.freedesktop.DBus.Properties",
      member: "PropertiesChanged",
      signature: "sa{sv}as",
      body: [RESOLVED.interface, new Map(), ["DNS"]],
    });
  }

  async #answer(call: Message): Promise<Answer> {
    const { member, body } = call;
    if (this.#options.isHanging) return await new Promise(() => {});
    if (member === "Get") return await this.#property(String(body[1]));
    if (member === "GetLink") {
      return { signature: "o", body: [`/org/freedesktop/resolve1/link/_3${body[0]}`] };
    }
    if (member === "GetAll") return this.#linkProperties(Number(call.path?.split("/_3")[1]));
    if (member === null || !/^(SetLink|RevertLink|FlushCaches)/.test(member)) throw unknown();
    this.calls.push(member);
    if (
      this.#options.isOld && member !== "SetLinkDNS" && !/Domains|LLMNR|Revert|Flush/.test(member)
    ) {
      throw unknown();
    }
    if (this.#options.isDenying) {
      throw new DbusError("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "no");
    }
    if (this.#options.isBusy && member !== "FlushCaches") {
      throw new DbusError("org.freedesktop.resolve1.LinkBusy", "Link is managed.");
    }
    this.#set(member, Number(body[0]), body[1]);
    return { signature: "", body: [] };
  }

  #set(member: string, ifindex: number, value: DbusValue | undefined): void {
    if (member.startsWith("Revert")) return void this.links.delete(ifindex);
    if (member === "FlushCaches") return;
    const link = this.links.get(ifindex) ?? { servers: [], domains: [], switches: new Map() };
    if (member === "SetLinkDNSEx" || member === "SetLinkDNS") link.servers = value as DbusValue[];
    else if (member === "SetLinkDomains") link.domains = value as DbusValue[];
    else link.switches.set(member, value ?? "");
    this.links.set(ifindex, link);
  }

  #linkProperties(ifindex: number): Answer {
    const { servers, domains, switches } = this.links.get(ifindex) ??
      { servers: [], domains: [], switches: new Map<string, DbusValue>() };
    const text = (name: string) => ({ signature: "s", value: switches.get(name) ?? "yes" });
    const properties = new Map<DbusValue, DbusValue>([
      ["Domains", { signature: "a(sb)", value: domains }],
      ...this.#options.isOld ? [["DNS", { signature: "a(iay)", value: servers }] as const] : [
        ["DNSEx", { signature: "a(iayqs)", value: servers }] as const,
        ["DefaultRoute", {
          signature: "b",
          value: switches.get("SetLinkDefaultRoute") ?? true,
        }] as const,
        ["DNSSEC", text("SetLinkDNSSEC")] as const,
        ["DNSOverTLS", text("SetLinkDNSOverTLS")] as const,
      ],
    ]);
    return { signature: "a{sv}", body: [properties] };
  }

  #property(name: string): Promise<Answer> {
    const rows = (link: (link: FakeLink) => readonly DbusValue[]) =>
      [...this.links].flatMap(([ifindex, one]) =>
        link(one).map((row) => [ifindex, ...row as DbusValue[]])
      );
    const { servers = [], fallbacks = [], isOld } = this.#options;
    const values: Record<string, [string, DbusValue]> = {
      Domains: ["a(isb)", rows((link) => link.domains)],
      ...isOld ? { DNS: ["a(iiay)", [...servers, ...rows((link) => link.servers)]] } : {
        DNSEx: ["a(iiayqs)", [...servers, ...rows((link) => link.servers)]],
        FallbackDNSEx: ["a(iiayqs)", fallbacks],
        ResolvConfMode: ["s", "stub"],
      },
    };
    const found = values[name];
    if (found === undefined) return Promise.reject(unknown());
    const [signature, value] = found;
    return Promise.resolve({ signature: "v", body: [{ signature, value }] });
  }
}

/** A networkd takes the same calls. */
export function startNetworkd(socket: string): Promise<FakeResolved> {
  return FakeResolved.start({ socket }, NETWORKD as unknown as typeof RESOLVED);
}

function unknown(): DbusError {
  return new DbusError("org.freedesktop.DBus.Error.UnknownMethod", "");
}
