/**
 * Syslog: one message an event, whose text is the event as JSON.
 *
 * @module
 * @see RFC 5424 (messages), RFC 5426 (UDP), RFC 6587 section 3.4.1 (TCP, octet counting)
 */
import type { SyslogAddress } from "../../../config/mod.ts";
import { writeAll } from "../../../io/mod.ts";
import { orAborted } from "../../../wait.ts";
import { isRefusalEvent } from "../../diag/counters.ts";
import type { AuditRecord, AuditSink } from "../types.ts";

/** "log audit" of RFC 5424. */
const FACILITY = 13;
const WARNING = 4;
const NOTICE = 5;

const encoder = new TextEncoder();

/** Writes an event as a message. ASCII: what is beyond stands as an escape of JSON, and orders no terminal about. */
export function syslogMessage(record: AuditRecord): string {
  const priority = FACILITY * 8 + (isRefusalEvent(record.event) ? WARNING : NOTICE);
  const text = JSON.stringify(record).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const host = record.cluster_name.slice(0, 255);
  return `<${priority}>1 ${record.time} ${host} vnet - ${record.event.slice(0, 32)} - ${text}`;
}

/** A way to a server. */
interface Way {
  /** @param message ASCII. */
  send(message: string): Promise<void>;
  close(): void;
  /** Resolves when the server has closed it; `null` where that is not told. */
  readonly ended: Promise<void> | null;
}

/** Takes events to a syslog server. Datagrams are sent, and nobody can say whether they arrived. */
export class SyslogSink implements AuditSink {
  readonly name: string;
  readonly #address: SyslogAddress;
  #way: Way | null = null;

  constructor(address: SyslogAddress) {
    this.#address = address;
    this.name = address.text;
  }

  /** Whether there is a socket, and no server has closed it. */
  get isOpen(): boolean {
    return this.#way !== null;
  }

  async send(records: readonly AuditRecord[], signal: AbortSignal): Promise<void> {
    const way = this.#way ?? await this.#connect(signal);
    try {
      for (const record of records) await orAborted(way.send(syslogMessage(record)), signal);
    } catch (thrown) {
      if (this.#way === way) {
        this.close();
        throw thrown;
      }
    }
    if (this.#way !== way) throw new Error("The server has closed the connection");
  }

  close(): void {
    this.#way?.close();
    this.#way = null;
  }

  async #connect(signal: AbortSignal): Promise<Way> {
    const way = await open(this.#address, signal);
    this.#way = way;
    void way.ended?.then(() => this.#way === way && this.close());
    return way;
  }
}

async function open(address: SyslogAddress, signal: AbortSignal): Promise<Way> {
  if (address.kind === "udp") return openUdp(address);
  if (address.kind === "unix") return await openUnix(address.path);
  const conn = await Deno.connect({ hostname: address.host, port: address.port, signal });
  return {
    send: (message) => writeAll(conn, encoder.encode(`${message.length} ${message}`)),
    close: () => conn.close(),
    ended: ended(conn),
  };
}

/** Resolves when a server has closed its connection, or we have; what it says until then is let fall. */
async function ended(conn: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  try {
    while (await conn.read(buffer) !== null);
  } catch {
    // It was reset, or closed by us
  }
}

function openUdp({ host, port }: { readonly host: string; readonly port: number }): Way {
  const hostname = host.includes(":") ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const to = { transport: "udp", hostname: host, port } as const;
  return {
    send: async (message) => void await socket.send(encoder.encode(message), to),
    close: () => socket.close(),
    ended: null,
  };
}

async function openUnix(path: string): Promise<Way> {
  // A datagram socket has a name of its own; in a folder that nobody else can put one into
  const folder = await Deno.makeTempDir({ prefix: "vnet-syslog-" });
  const socket = Deno.listenDatagram({ transport: "unixpacket", path: `${folder}/from` });
  const to = { transport: "unixpacket", path } as const;
  return {
    send: async (message) => void await socket.send(encoder.encode(message), to),
    close: () => {
      socket.close();
      Deno.remove(folder, { recursive: true }).catch(() => {});
    },
    ended: null,
  };
}
