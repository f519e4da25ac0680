/**
 * Connections: each SYN that the datapath holds is decided here, and answered only when the far end has said yes
 * or no.
 *
 * @module
 */
import { allowsPort, type AppTarget } from "../../plan/mod.ts";
import { VnetError } from "../../error.ts";
import { decideLocal, type LocalPolicy, type LocalRefusal } from "../../identity/mod.ts";
import { pause } from "../../wait.ts";
import type { IpAddress, Prefix } from "../../ip/mod.ts";
import { getLogger } from "../../log.ts";
import type { FlowListener, LocalConn, PacketPath, SynEvent } from "../../os/mod.ts";
import { connectionAnswer, refusalError } from "../../refusal/mod.ts";
import type { HostNames } from "../../tunnel/mod.ts";
import type { Flow, FlowSummary } from "../cluster/driver.ts";
import type { Destination } from "../state/mod.ts";
import type { FlowEntry, FlowLog } from "./flow_log.ts";
import { GuardedConn } from "./guarded_conn.ts";
import { LiveAddresses } from "./live_addresses.ts";
import { type HolderFinder, Holders } from "./holders.ts";
import { printable } from "./printable.ts";
import { type ProgramFinder, Strangers } from "./strangers.ts";

const log = getLogger("client", "flows");

/** With time for a second factor. */
const SETUP_DEADLINE_MS = 75_000;
const ACCEPT_DEADLINE_MS = 10_000;
/** Out of descriptors, say: the connections wait in the backlog. */
const ACCEPT_RETRY_MS = 100;

/** What was tried; the name and the port stand beside it. */
const ACT = "Cannot connect";

/** What the flows need of the packet path. */
export type FlowSource = Pick<PacketPath, "events" | "release" | "refuse" | "reject" | "flowOf">;

interface FlowsOptions {
  readonly source: FlowSource;
  readonly listeners: readonly FlowListener[];
  /** Whose programs may connect. */
  readonly policy: LocalPolicy;
  readonly findProgram: ProgramFinder;
  readonly findHolders: HolderFinder;
  readonly destinationOf: (address: IpAddress) => Destination | null;
  readonly dial: (target: AppTarget, port: number, signal: AbortSignal) => Promise<Flow>;
  readonly log: FlowLog;
  /** Told when the last connection to a virtual address has ended. */
  readonly onLastOf: (address: IpAddress) => void;
  readonly nowMs: () => number;
  /** How long a SYN is held at most; with time for a second factor if not given. */
  readonly setupMs?: number;
}

/** An answered connection that waits for its local half to be accepted. */
interface Waiting {
  readonly flow: Flow;
  readonly entry: FlowEntry;
  /** What plain HTTP requests may call their host; `null` for anything. */
  readonly hosts: HostNames | null;
  /** The virtual address that it goes to. */
  readonly address: IpAddress;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** Decides held SYNs, accepts released ones and carries their bytes. */
export class Flows {
  readonly #options: FlowsOptions;
  readonly #waiting = new Map<bigint, Waiting>();
  readonly #running = new Set<Promise<void>>();
  readonly #live = new LiveAddresses();
  readonly #strangers: Strangers;
  readonly #holders: Holders;

  constructor(options: FlowsOptions) {
    this.#options = options;
    this.#strangers = new Strangers(options.findProgram);
    this.#holders = new Holders(options.findHolders);
  }

  /** Whether connections run to addresses of a range. */
  runIn(range: Prefix): boolean {
    return this.#live.within(range);
  }

  /** Refused connections by the user whose they were, in public form. */
  refusedOwners(): { uid?: number; total: number }[] {
    return this.#strangers.render();
  }

  /** Serves until the signal aborts; returns when every connection has ended. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#decideAll(signal),
      ...this.#options.listeners.map((listener) => this.#acceptAll(listener, signal)),
    ]);
    for (const id of this.#waiting.keys()) this.#abandon(id);
    await Promise.allSettled(this.#running);
  }

  async #decideAll(signal: AbortSignal): Promise<void> {
    for await (const batch of this.#options.source.events(signal)) {
      for (const syn of batch) this.#track(this.#decide(syn, signal));
    }
  }

  async #acceptAll(listener: FlowListener, signal: AbortSignal): Promise<void> {
    const close = () => listener.close();
    signal.addEventListener("abort", close, { once: true });
    try {
      while (!signal.aborted) {
        try {
          this.#track(this.#carry(await listener.accept(), signal));
        } catch (thrown) {
          if (signal.aborted || thrown instanceof Deno.errors.BadResource) return;
          log.warning("Cannot accept a connection", { error: String(thrown) });
          await pause(ACCEPT_RETRY_MS, signal);
        }
      }
    } finally {
      signal.removeEventListener("abort", close);
    }
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work));
  }

  async #decide(syn: SynEvent, signal: AbortSignal): Promise<void> {
    const { source, nowMs } = this.#options;
    const { address, port } = syn.destination;
    const found = this.#options.destinationOf(address);
    const local = decideLocal(this.#options.policy, syn.uid);
    const entry = this.#begin(syn, found, local === "allowed");
    if (local !== "allowed") return await this.#refuseStranger(syn, entry, local);
    this.#findHolder(syn, entry, signal);
    const deadline = AbortSignal.any([
      signal,
      AbortSignal.timeout(this.#options.setupMs ?? SETUP_DEADLINE_MS),
    ]);
    try {
      const target = admit(found, port);
      const flow = await this.#options.dial(target, port, deadline);
      const timer = setTimeout(() => this.#abandon(syn.id), ACCEPT_DEADLINE_MS);
      const { httpHosts } = target;
      const hosts = httpHosts && { names: new Set<string>(httpHosts), address };
      this.#live.begin(address);
      this.#waiting.set(syn.id, { flow, entry, hosts, address, timer });
      if (!source.release(syn.id)) this.#abandon(syn.id); // Its client gave up meanwhile.
    } catch (thrown) {
      const { code, message } = explain(thrown, deadline);
      if (signal.aborted) this.#options.log.cancelled(entry);
      else {
        this.#options.log.refused(entry, { atMs: nowMs(), code, message });
        log.info("Refused a connection", { code });
        log.debug("Refused connection", { name: entry.name, port, uid: syn.uid, message });
      }
      if (connectionAnswer(code) === "rst") source.refuse(syn.id);
      else source.reject(syn.id, "host-unreachable");
    }
  }

  #begin(syn: SynEvent, found: Destination | null, isOurs: boolean): FlowEntry {
    const { log, nowMs } = this.#options;
    return log.begin({
      app: isOurs ? found?.target ?? null : null,
      name: found?.name ?? "?",
      port: syn.destination.port,
      way: "device",
      uid: syn.uid,
      local: syn.source,
      address: syn.destination,
    }, nowMs());
  }

  /** Only the owner's own programs are looked for; it is not waited for. */
  #findHolder({ uid, inode }: SynEvent, entry: FlowEntry, signal: AbortSignal): void {
    if (entry.fact === null || uid !== this.#options.policy.ownerUid) return;
    this.#holders.look(inode, (holder) => this.#options.log.heldBy(entry, holder), signal);
  }

  async #refuseStranger(syn: SynEvent, entry: FlowEntry, code: LocalRefusal): Promise<void> {
    const { source, nowMs } = this.#options;
    const { message } = refusalError(code, ACT);
    const { program } = await this.#strangers.meet(syn, nowMs());
    this.#options.log.refusedStranger(entry, { atMs: nowMs(), code, message, program });
    source.refuse(syn.id);
  }

  async #carry(conn: LocalConn, signal: AbortSignal): Promise<void> {
    const { address, port } = conn.remote;
    const origin = this.#options.source.flowOf(address.family, port);
    const waiting = origin === null ? undefined : this.#waiting.get(origin.id);
    if (origin === null || waiting === undefined) {
      conn.close(); // Nobody we released: somebody found the listener's own address.
      return;
    }
    clearTimeout(waiting.timer);
    this.#waiting.delete(origin.id);
    const { flow, entry, hosts, address: virtual } = waiting;
    this.#options.log.opened(entry, flow);
    try {
      const guarded = hosts && new GuardedConn(conn, hosts);
      this.#finish(entry, await flow.splice(guarded ?? conn, signal), guarded?.refusal ?? null);
    } catch (thrown) {
      this.#options.log.ended(entry, null, this.#options.nowMs());
      log.debug("Connection broke", { name: entry.name, error: String(thrown) });
    } finally {
      this.#leave(virtual);
    }
  }

  #leave(address: IpAddress): void {
    if (this.#live.end(address)) this.#options.onLastOf(address);
  }

  #finish(entry: FlowEntry, summary: FlowSummary, refusal: GuardedConn["refusal"]): void {
    if (refusal === null) {
      this.#options.log.ended(entry, summary, this.#options.nowMs());
      log.debug("Connection ended", { name: entry.name, port: entry.port, reason: summary.reason });
      return;
    }
    const { code: _cut, ...own } = summary; // why it ended is known better here
    this.#options.log.ended(entry, own, this.#options.nowMs());
    const message = refusal.host === null
      ? "The HTTP request names no host that can be read"
      : `The HTTP request is for "${printable(refusal.host)}", which is none of the app's names`;
    this.#options.log.refused(entry, {
      atMs: this.#options.nowMs(),
      code: "host-refused",
      message,
    });
    log.info("Refused a request", { code: "host-refused" });
    log.debug("Refused request", { name: entry.name, port: entry.port, message });
  }

  #abandon(id: bigint): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    waiting.flow.abort();
    this.#options.log.cancelled(waiting.entry);
    this.#leave(waiting.address);
  }
}

function admit(found: Destination | null, port: number): AppTarget {
  if (found === null) throw refusalError("app-removed", ACT);
  if (!allowsPort(found.target, port)) throw refusalError("port-not-allowed", ACT);
  return found.target;
}

function explain(thrown: unknown, deadline: AbortSignal): { code: string; message: string } {
  if (thrown instanceof VnetError) return { code: thrown.code, message: thrown.message };
  if (deadline.aborted) {
    return { code: "setup-timeout", message: refusalError("setup-timeout", ACT).message };
  }
  return { code: "internal", message: String(thrown) };
}
