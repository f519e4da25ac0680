import { deepEqual, equal, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import { decodeTicket, encodeTicket, TICKET_MAC_BYTES, ticketPayload } from "./ticket.ts";

const ticket = fc.record({
  expiresSeconds: fc.integer({ min: 0, max: 2 ** 40 - 1 }),
  sessionId: fc.string({
    unit: fc.constantFrom(..."0123456789abcdef"),
    minLength: 32,
    maxLength: 32,
  }),
});
const mac = fc.uint8Array({ minLength: TICKET_MAC_BYTES, maxLength: TICKET_MAC_BYTES });

Deno.test("decodeTicket() reads what encodeTicket() writes, and it fits a DNS label", () => {
  fc.assert(fc.property(ticket, mac, (one, code) => {
    const text = encodeTicket(one, code);
    ok(/^[a-z2-7]{8,63}$/.test(text), text);
    const decoded = decodeTicket(text);
    deepEqual(decoded?.ticket, one);
    deepEqual(decoded?.mac, new Uint8Array(code));
  }));
});

Deno.test("decodeTicket() knows one spelling of a ticket only", () => {
  fc.assert(fc.property(ticket, mac, fc.nat(59), fc.nat(31), (one, code, at, letter) => {
    const text = encodeTicket(one, code);
    const other = text.slice(0, at) + "abcdefghijklmnopqrstuvwxyz234567"[letter] +
      text.slice(at + 1);
    const decoded = decodeTicket(other);
    // Either no ticket, or a ticket that says something else
    if (decoded !== null) equal(encodeTicket(decoded.ticket, decoded.mac), other);
  }));
});

Deno.test("decodeTicket() answers null to anything else", () => {
  fc.assert(fc.property(fc.string({ maxLength: 80 }), (text) => {
    const decoded = decodeTicket(text);
    if (decoded !== null) equal(encodeTicket(decoded.ticket, decoded.mac), text);
  }));
  for (
    const text of [
      "",
      "a".repeat(59),
      "a".repeat(61),
      "a".repeat(64),
      "A".repeat(60),
      "b".repeat(60),
    ]
  ) {
    equal(decodeTicket(text), null, text);
  }
});

Deno.test("ticketPayload() is five bytes of seconds and the session id", () => {
  const payload = ticketPayload({ expiresSeconds: 0x01_0203_0405, sessionId: "ff".repeat(16) });
  deepEqual([...payload], [1, 2, 3, 4, 5, ...new Array(16).fill(255)]);
  throws(() => ticketPayload({ expiresSeconds: -1, sessionId: "ff".repeat(16) }), RangeError);
  throws(() => ticketPayload({ expiresSeconds: 1, sessionId: "FF".repeat(16) }), TypeError);
});
