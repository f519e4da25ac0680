import { deepEqual, equal, rejects } from "node:assert/strict";
import { needing } from "../../tests/needs.ts";
import { BuildError } from "./build_error.ts";
import { compileStub, encodeStub, type StubSettings, stubSize } from "./stub.ts";

const SETTINGS: StubSettings = {
  entryDelta: -7,
  environDelta: -9,
  boot: { offset: 4096, size: 1 },
  shim: { offset: 8192, size: 2 },
  args: ["run", "-A"],
  env: ["A=1"],
};

Deno.test("encodeStub() writes the header stub.c reads, then the strings", () => {
  const stub = { code: new Uint8Array(96).fill(0xcc, 80), entryOffset: 80 };
  const blob = encodeStub(stub, SETTINGS);
  const words = new BigInt64Array(blob.slice(0, 80).buffer);
  deepEqual([...words].map(Number), [-7, -9, 4096, 1, 8192, 2, 96, 2, 103, 1]);
  deepEqual(blob.slice(80, 96), stub.code.slice(80));
  equal(new TextDecoder().decode(blob.slice(96)), "run\0-A\0A=1\0");
  equal(blob.length, stubSize(stub, SETTINGS));
});

Deno.test("compileStub() gives code that starts inside itself, with every compiler there is", async (t) => {
  for (const compiler of ["gcc", "clang"]) {
    await t.step(needing([compiler], compiler, async () => {
      const stub = await compileStub([compiler]);
      equal(stub.entryOffset >= 80 && stub.entryOffset < stub.code.length, true);
      deepEqual(stub.code.slice(0, 80), new Uint8Array(80));
      deepEqual(await compileStub([compiler]), stub);
    }));
  }
});

Deno.test("compileStub() names the package when there is no compiler", async () => {
  await rejects(
    compileStub(["no-such-cc"]),
    (e: BuildError) =>
      e.code === "compiler-missing" && e.hint === "Run `apt install gcc libc6-dev`",
  );
});
