import { deepEqual, equal, match } from "node:assert/strict";
import { fileLimitOf, interpreterOf, splitStrings, typedBytes } from "./launch.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("interpreterOf() reads the dynamic loader of this very program", () => {
  const head = Deno.readFileSync(Deno.execPath()).subarray(0, 65_536);
  match(interpreterOf(head) ?? "", /^\/.*ld-/);
});

Deno.test("interpreterOf() finds none in what is no program, or cut short", () => {
  for (const head of [new Uint8Array(), bytes("#!/bin/sh\n"), new Uint8Array(64)]) {
    equal(interpreterOf(head), null);
  }
  const head = Deno.readFileSync(Deno.execPath()).subarray(0, 70);
  equal(interpreterOf(head), null);
});

Deno.test("typedBytes() keeps what is no text", async (t) => {
  const raw = Uint8Array.of(0x66, 0xff, 0x2e);
  const text = new TextDecoder().decode(raw);
  const cmdline = Uint8Array.of(...bytes("vnet\0run\0--\0cat\0"), ...raw, 0);
  await t.step("of the command that was typed", () => {
    deepEqual(typedBytes(cmdline, ["cat", text]), [bytes("cat"), raw]);
  });
  await t.step("where it is another, the words are taken as they are", () => {
    deepEqual(typedBytes(cmdline, ["ls", "-l"]), [bytes("ls"), bytes("-l")]);
    deepEqual(typedBytes(new Uint8Array(), ["ls"]), [bytes("ls")]);
  });
});

Deno.test("splitStrings() keeps empty ones, and one that nothing ends", () => {
  deepEqual(splitStrings(bytes("a\0\0b")), [bytes("a"), bytes(""), bytes("b")]);
});

Deno.test("fileLimitOf() reads the soft limit", () => {
  const limits = "Max file size             unlimited            unlimited            bytes\n" +
    "Max open files            1024                 524288               files\n";
  equal(fileLimitOf(limits), 1024);
  equal(fileLimitOf(""), 0);
});
