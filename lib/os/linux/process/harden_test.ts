import { deepEqual } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { loadShim } from "../shim.ts";
import { spawn, waitProcess } from "./process.ts";

const shim = loadShim();

/** A program that hardens itself while threads of it run already, then says what it still can. */
function trial(programs: boolean): string {
  const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  return `
import { harden } from ${at("./harden.ts")};
import { errnoName, loadShim } from ${at("../shim.ts")};
const libc = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
  unshare: { parameters: ["i32"], result: "i32" },
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  ptrace: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  poll: { parameters: ["buffer", "usize", "i32"], result: "i32", nonblocking: true },
});
const shim = loadShim();
const errno = () =>
  errnoName(shim, new Deno.UnsafePointerView(libc.symbols.__errno_location()).getInt32());
const said = (result) => Number(result) < 0 ? errno() : "done";
const text = (value) => new TextEncoder().encode(value + "\\0");
await libc.symbols.poll(new Uint8Array(8), 0n, 1);
harden(shim, { programs: ${programs} });
const core = new BigUint64Array(2);
libc.symbols.getrlimit(4, core);
const tasks = [...Deno.readDirSync("/proc/self/task")].map(({ name }) =>
  Deno.readTextFileSync("/proc/self/task/" + name + "/status")
);
const sets = (name) =>
  [...new Set(tasks.map((task) => new RegExp("^" + name + ":\\\\s*(\\\\d+)$", "m").exec(task)?.[1]))];
const run = () => {
  try {
    return new Deno.Command("/bin/sh", { args: ["-c", "echo $((6 * 7))"] }).outputSync().code;
  } catch (error) {
    return error.name;
  }
};
const worker = new Worker("data:text/javascript,postMessage('thread')", { type: "module" });
console.log(JSON.stringify({
  threads: tasks.length > 1,
  seccomp: sets("Seccomp"),
  noNewPrivileges: sets("NoNewPrivs"),
  core: [...core].join(),
  owner: Deno.statSync("/proc/self/status").uid,
  packet: said(libc.symbols.socket(17, 3, 0)),
  netlink: said(libc.symbols.socket(16, 3, 0)),
  internet: said(libc.symbols.socket(2, 1, 0)),
  unshare: said(libc.symbols.unshare(0x10000000)),
  mount: said(libc.symbols.mount(text("none"), text("/tmp"), text("tmpfs"), 0n, null)),
  ptrace: said(libc.symbols.ptrace(0n, 0n, 0n, 0n)),
  run: run(),
  worker: await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data)),
  later: await libc.symbols.poll(new Uint8Array(8), 0n, 1),
}));
Deno.exit(0);
`;
}

/** Runs a program text, and reads what it printed. */
async function run(program: string): Promise<unknown> {
  const [file, output] = await Promise.all([
    Deno.makeTempFile({ suffix: ".ts" }),
    Deno.makeTempFile(),
  ]);
  try {
    await Deno.writeTextFile(file, program);
    const config = fileURLToPath(new URL("../../../../deno.json", import.meta.url));
    const pid = spawn(shim, {
      command: Deno.execPath(),
      args: ["run", "-A", "--no-check", "--quiet", "--config", config, file],
      env: { ...Deno.env.toObject(), NO_COLOR: "1" },
      stdout: { append: output },
      stderr: { append: output },
    });
    const exit = await waitProcess(shim, pid);
    const text = await Deno.readTextFile(output);
    deepEqual(exit, { code: 0 }, text);
    return JSON.parse(text);
  } finally {
    await Promise.all([file, output].map((path) => Deno.remove(path)));
  }
}

const HARDENED = {
  threads: true,
  seccomp: ["2"],
  noNewPrivileges: ["1"],
  core: "0,0",
  owner: 0,
  packet: "EAFNOSUPPORT",
  netlink: "done",
  internet: "done",
  unshare: "EPERM",
  mount: "EPERM",
  ptrace: "EPERM",
  worker: "thread",
  later: 0,
};

for (const programs of [true, false]) {
  const what = programs ? "but programs" : "programs too";
  Deno.test(`harden() takes from every thread what is dangerous, ${what}`, async () => {
    deepEqual(await run(trial(programs)), {
      ...HARDENED,
      run: programs ? 0 : "PermissionDenied",
    });
  });
}
