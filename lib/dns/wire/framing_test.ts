import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { frameMessage, FrameSplitter } from "./framing.ts";

const message = fc.uint8Array({ minLength: 12, maxLength: 300 });

Deno.test("FrameSplitter.push() gives back what frameMessage() framed, however the stream was cut", () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 6 }),
      fc.infiniteStream(fc.nat(40)),
      (messages, cuts) => {
        const stream = Uint8Array.from(messages.flatMap((message) => [...frameMessage(message)]));
        const splitter = new FrameSplitter();
        const got: Uint8Array[] = [];
        const buffer = new Uint8Array(41);
        for (let at = 0; at < stream.length;) {
          const part = stream.subarray(at, at + 1 + cuts.next().value!);
          buffer.set(part); // one buffer for every read: nothing may be kept of it
          got.push(...splitter.push(buffer.subarray(0, part.length))!);
          buffer.fill(0xee);
          at += part.length;
          equal(splitter.isPartial, at < stream.length && frameEnds(messages, at) === false);
        }
        deepEqual(got, messages);
      },
    ),
  );
});

function frameEnds(messages: readonly Uint8Array[], at: number): boolean {
  let end = 0;
  for (const message of messages) {
    end += 2 + message.length;
    if (end === at) return true;
  }
  return false;
}

Deno.test("FrameSplitter.push() refuses lengths out of bounds, for good", async (t) => {
  const cases: [name: string, length: number, maxBytes: number, want: boolean][] = [
    ["zero", 0, 4096, false],
    ["shorter than a header", 11, 4096, false],
    ["a header", 12, 4096, true],
    ["the most allowed", 4096, 4096, true],
    ["one more", 4097, 4096, false],
    ["the most there is", 65535, 65535, true],
  ];
  for (const [name, length, maxBytes, want] of cases) {
    await t.step(name, () => {
      const splitter = new FrameSplitter({ maxBytes });
      const head = Uint8Array.of(length >> 8, length & 255);
      equal(splitter.push(head) !== null, want);
      equal(splitter.push(new Uint8Array(length))?.[0]?.length, want ? length : undefined);
      if (!want) equal(splitter.push(frameMessage(new Uint8Array(12))), null);
    });
  }
});

Deno.test("frameMessage() refuses what has no length in two bytes", () => {
  equal(frameMessage(new Uint8Array(65535)).length, 65537);
  throws(() => frameMessage(new Uint8Array(65536)), RangeError);
});
