/**
 * Buffers for many datagrams at once, made once. An endpoint is a record of 20 bytes, in host order: family u8 (4 or
 * 6) | 0 | port u16 | address, 4 or 16 bytes.
 *
 * @module
 */
import { decodeIp, encodeIp, type Endpoint } from "../ip/mod.ts";

/** Size of an endpoint's record. */
export const ENDPOINT_BYTES = 20;
const PORT_OFFSET = 2;
const ADDRESS_OFFSET = 4;
const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Room for a number of datagrams and their endpoints. Its owner may reuse it after each call. */
export class DatagramBatch {
  readonly count: number;
  readonly slotBytes: number;
  /** The slots, one after the other. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** The endpoints as the shim writes them. */
  readonly endpoints: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  constructor(count: number, slotBytes: number) {
    this.count = count;
    this.slotBytes = slotBytes;
    // buffers made by themselves never move, however small: other threads write to them
    this.data = new Uint8Array(new ArrayBuffer(count * slotBytes));
    this.lengths = new Uint32Array(new ArrayBuffer(count * 4));
    this.endpoints = new Uint8Array(new ArrayBuffer(count * ENDPOINT_BYTES));
    this.#view = new DataView(this.endpoints.buffer);
  }

  /** The whole slot, to write a datagram into; set `lengths` afterwards. */
  slot(index: number): Uint8Array<ArrayBuffer> {
    return this.data.subarray(index * this.slotBytes, (index + 1) * this.slotBytes);
  }

  /** The datagram in a slot; empty if it was longer than the slot. */
  payload(index: number): Uint8Array<ArrayBuffer> {
    const start = index * this.slotBytes;
    return this.data.subarray(start, start + (this.lengths[index] ?? 0));
  }

  /** The other end of a slot's datagram. */
  endpoint(index: number): Endpoint {
    return readEndpoint(this.#view, index * ENDPOINT_BYTES);
  }

  /** Copies the other end of a slot's datagram, in the shim's form, to answer it later. */
  takeEndpoint(index: number): Uint8Array<ArrayBuffer> {
    return this.endpoints.slice(index * ENDPOINT_BYTES, (index + 1) * ENDPOINT_BYTES);
  }

  /** Fills a slot with a datagram to send to an endpoint of `takeEndpoint`. */
  putRaw(index: number, payload: Uint8Array, to: Uint8Array): void {
    if (payload.length > this.slotBytes) {
      throw new RangeError(`Cannot put ${payload.length} bytes into ${this.slotBytes}`);
    }
    this.data.set(payload, index * this.slotBytes);
    this.lengths[index] = payload.length;
    this.endpoints.set(to, index * ENDPOINT_BYTES);
  }

  /** Fills a slot with a datagram to send. */
  put(index: number, payload: Uint8Array, to: Endpoint): void {
    if (payload.length > this.slotBytes) {
      throw new RangeError(`Cannot put ${payload.length} bytes into ${this.slotBytes}`);
    }
    this.slot(index).set(payload);
    this.lengths[index] = payload.length;
    const at = index * ENDPOINT_BYTES;
    this.#view.setUint8(at, to.address.family);
    this.#view.setUint16(at + PORT_OFFSET, to.port, LITTLE);
    this.endpoints.set(encodeIp(to.address), at + ADDRESS_OFFSET);
  }

  /** Copies the endpoint of a received datagram to a slot of another batch, to answer it. */
  copyEndpoint(index: number, to: DatagramBatch, toIndex: number): void {
    const start = index * ENDPOINT_BYTES;
    to.endpoints.set(
      this.endpoints.subarray(start, start + ENDPOINT_BYTES),
      toIndex * ENDPOINT_BYTES,
    );
  }
}

/** Reads the record of an endpoint. @throws TypeError when it is none */
export function readEndpoint(view: DataView, at: number): Endpoint {
  const length = view.getUint8(at) === 4 ? 4 : 16;
  const address = decodeIp(
    new Uint8Array(view.buffer, view.byteOffset + at + ADDRESS_OFFSET, length),
  );
  if (address === null) throw new TypeError("Cannot read a record of an endpoint");
  return { address, port: view.getUint16(at + PORT_OFFSET, LITTLE) };
}
