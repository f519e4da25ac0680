/**
 * Syslog: one message an event, whose text is the event as JSON.
 *
 * @module
 * @see RFC 5424 (messages), RFC 5426 (UDP), RFC 6587 section 3.4.1 (TCP, octet counting)
 */
import type { SyslogAddress } from "../../../config/mod.ts";
import { writeAll } from "../../../io/mod.ts";
import { orAborted } from "../../../wait.ts";
import type { AuditRecord, AuditSink } from "../types.ts";

/** "log audit" of RFC 5424. */
const FACILITY = 13;
const WARNING = 4;
const NOTICE = 5;

/** Writes an event as a message. ASCII: what is beyond stands as an escape of JSON, and orders no terminal about. */
export function syslogMessage(record: AuditRecord): string {
  const isBad = /\.(?:failed|locked|refused|expelled)$/.test(record.event);
  const priority = FACILITY * 8 + (isBad ? WARNING : NOTICE);
  const text = JSON.stringify(record).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const host = record.cluster_name.slice(0, 255);
  return `<${priority}>1 ${record.time} ${host} vnet - ${record.event.slice(0, 32)} - ${text}`;
}

/** Takes events to a syslog server. Datagrams are sent, and nobody can say whether they arrived. */
export class SyslogSink implements AuditSink {
  readonly name: string;
  readonly #address: SyslogAddress;
  #open: { send(message: Uint8Array): Promise<void>; close(): void } | null = null;

  constructor(address: SyslogAddress) {
    this.#address = address;
    this.name = address.text;
  }

  async send(records: readonly AuditRecord[], signal: AbortSignal): Promise<void> {
    try {
      this.#open ??= await connect(this.#address, signal);
      for (const record of records) {
        const message = new TextEncoder().encode(syslogMessage(record));
        await orAborted(this.#open.send(message), signal);
      }
    } catch (thrown) {
      this.close();
      throw thrown;
    }
  }

  close(): void {
    this.#open?.close();
    this.#open = null;
  }
}

async function connect(
  address: SyslogAddress,
  signal: AbortSignal,
): Promise<{ send(message: Uint8Array): Promise<void>; close(): void }> {
  if (address.kind === "udp") {
    const { host, port } = address;
    const hostname = host.includes(":") ? "::" : "0.0.0.0";
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    const to = { transport: "udp", hostname: host, port } as const;
    return {
      send: async (message) => void await socket.send(message, to),
      close: () => socket.close(),
    };
  }
  if (address.kind === "tcp") {
    const conn = await Deno.connect({ hostname: address.host, port: address.port, signal });
    return {
      send: (message) =>
        writeAll(conn, joined(new TextEncoder().encode(`${message.length} `), message)),
      close: () => conn.close(),
    };
  }
  // A datagram socket has a name of its own; in a folder that nobody else can put one into
  const folder = await Deno.makeTempDir({ prefix: "vnet-syslog-" });
  const socket = Deno.listenDatagram({ transport: "unixpacket", path: `${folder}/from` });
  const to = { transport: "unixpacket", path: address.path } as const;
  return {
    send: async (message) => void await socket.send(message, to),
    close: () => {
      socket.close();
      Deno.remove(folder, { recursive: true }).catch(() => {});
    },
  };
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + tail.length);
  bytes.set(head);
  bytes.set(tail, head.length);
  return bytes;
}
