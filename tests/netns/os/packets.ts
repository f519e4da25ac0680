/**
 * Packets as a compromised daemon would write them: by hand, with any source, into a device it was given.
 *
 * @module
 */
import { encodeIp, type IpAddress } from "../../../lib/ip/mod.ts";
import { machine } from "../../machine.ts";

const UDP = 17;
const TCP = 6;
const HEADER_BYTES = { 4: 20, 6: 40 } as const;
const TCP_SYN = 2;

interface Ends {
  readonly source: IpAddress;
  readonly destination: IpAddress;
}

/** Makes a whole UDP packet. */
export function udpPacket({ source, destination }: Ends, port: number, text: string): Uint8Array {
  const payload = new TextEncoder().encode(text);
  const segment = new Uint8Array(8 + payload.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, 9);
  view.setUint16(2, port);
  view.setUint16(4, segment.length);
  segment.set(payload, 8);
  return packetOf({ source, destination }, UDP, segment, 6);
}

/** Makes a whole SYN. */
export function synPacket({ source, destination }: Ends, port: number): Uint8Array {
  const segment = new Uint8Array(20);
  const view = new DataView(segment.buffer);
  view.setUint16(0, 40_000);
  view.setUint16(2, port);
  view.setUint32(4, 1);
  segment[12] = 5 << 4;
  segment[13] = TCP_SYN;
  view.setUint16(14, 65_535);
  return packetOf({ source, destination }, TCP, segment, 16);
}

function packetOf(
  { source, destination }: Ends,
  protocol: number,
  segment: Uint8Array,
  checksumAt: number,
): Uint8Array {
  const ends = [...encodeIp(source), ...encodeIp(destination)];
  const pseudo = Uint8Array.from([...ends, 0, protocol, 0, segment.length, ...segment]);
  new DataView(segment.buffer).setUint16(checksumAt, sumOf(pseudo) || 0xffff);
  const header = new Uint8Array(HEADER_BYTES[source.family]);
  const view = new DataView(header.buffer);
  if (source.family === 4) {
    header.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol]);
    view.setUint16(2, header.length + segment.length);
    header.set(ends, 12);
    view.setUint16(10, sumOf(header));
  } else {
    header.set([0x60, 0, 0, 0, 0, segment.length, protocol, 64]);
    header.set(ends, 8);
  }
  return Uint8Array.from([...header, ...segment]);
}

/** @see RFC 1071 */
function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** Has another process, as another user, write packets to a descriptor: one write each. */
export async function writeAs(
  uid: number,
  descriptor: number,
  packets: readonly Uint8Array[],
): Promise<void> {
  const lines = packets.map((bytes) => {
    const text = [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
    return `printf '${text}' >&3 || exit 1`;
  });
  const pid = machine.processes.spawn({
    command: "/bin/bash",
    args: ["-c", lines.join("\n")],
    env: {},
    descriptors: [descriptor],
    uid,
    gid: uid,
    stderr: "inherit",
  });
  const exit = await machine.processes.wait(pid);
  if (!("code" in exit) || exit.code !== 0) throw new Error(`bash: ${JSON.stringify(exit)}`);
}
