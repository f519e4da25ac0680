import { equal, throws } from "node:assert/strict";
import { load } from "deno_tun";
import { OsError } from "../../error.ts";
import { closeFd, cString, ensure, errnoName, loadShim, shimPath, textOf } from "./shim.ts";

const shim = loadShim();

Deno.test("loadShim() loads once", () => equal(loadShim(), shim));

Deno.test("shimPath() prefers what the packed executable names", () => {
  const key = Symbol.for("vnet.shim");
  Reflect.set(globalThis, key, "/proc/self/fd/900");
  try {
    equal(shimPath(), "/proc/self/fd/900");
  } finally {
    Reflect.deleteProperty(globalThis, key);
  }
  equal(shimPath().endsWith("/ffi/build/libdeno_tun.so"), true);
});

Deno.test("loadShim() says what to do when the shim was not built", async () => {
  const script = `
    Reflect.set(globalThis, Symbol.for("vnet.shim"), "/nonexistent/shim.so");
    const { loadShim } = await import("${import.meta.resolve("./shim.ts")}");
    try { loadShim(); } catch (error) { console.log(error.code, error.hint); }
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
  }).output();
  equal(new TextDecoder().decode(stdout), "shim-missing Run `deno task shim`\n");
});

Deno.test("the library stays loaded: a thread of its own may still run in it", async () => {
  const script = `
    const { load } = await import("${import.meta.resolve("deno_tun")}");
    load("${shimPath()}").close();
    console.log(/libdeno_tun/.test(Deno.readTextFileSync("/proc/self/maps")));
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
  }).output();
  equal(new TextDecoder().decode(stdout), "true\n");
});

Deno.test("load() refuses a library that is not the shim", () => {
  throws(() => load("libc.so.6"), /vnet_/);
});

Deno.test("errnoName() names errnos", () => {
  const cases: [number: number, want: string][] = [
    [1, "EPERM"],
    [2, "ENOENT"],
    [11, "EAGAIN"],
    [98, "EADDRINUSE"],
    [125, "ECANCELED"],
    [4095, "E4095"],
  ];
  for (const [number, want] of cases) equal(errnoName(shim, number), want);
});

Deno.test("ensure() turns -errno into an OsError", () => {
  const act = {
    act: `open "x"`,
    call: "open",
    code: "open-failed",
    cases: { ENOENT: { code: "open-missing", hint: "Make it" } },
  };
  equal(ensure(shim, 7, act), 7);
  throws(() => ensure(shim, -2, act), {
    name: "OsError",
    code: "open-missing",
    message: `Cannot open "x": it does not exist (ENOENT)`,
    call: "open",
    errno: "ENOENT",
    hint: "Make it",
  });
  throws(() => ensure(shim, -5, act), { code: "open-failed", errno: "EIO", hint: null });
});

Deno.test("closeFd() fails for what is not open", () => {
  throws(() => closeFd(shim, 100_000), OsError);
});

Deno.test("cString() and textOf() agree, and a NUL inside is refused", () => {
  equal(textOf(cString("žluť")), "žluť");
  equal(textOf(new TextEncoder().encode("no end")), "no end");
  throws(() => cString("a\0b"), TypeError);
});
