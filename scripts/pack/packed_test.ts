/** The packed form end to end: testdata/app.ts is packed and run wherever a program may find itself. */
import { deepEqual, equal, match } from "node:assert/strict";
import { buildShim } from "../shim.ts";
import { makePacked, type Program, root } from "./mod.ts";

const IS_ROOT = Deno.uid() === 0;
const COMMIT = "0123abc";

interface Run {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(
  command: string,
  args: string[],
  options: Deno.CommandOptions = {},
): Promise<Run> {
  const { code, signal, stdout, stderr } = await new Deno.Command(command, { ...options, args })
    .output();
  const text = new TextDecoder();
  return { code, signal, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Runs a line of shell with the executable's path in $APP. */
function shell(app: string, line: string, options: Deno.CommandOptions = {}): Promise<Run> {
  return run("/bin/sh", ["-c", line], { ...options, env: { ...options.env, APP: app } });
}

async function program(): Promise<Program> {
  return {
    entry: `${root}scripts/pack/testdata/app.ts`,
    shim: await buildShim(),
    commit: COMMIT,
    warm: [["version"], ["child", "x"]],
  };
}

/** Gives a test a folder with the packed program in it, as `vnet`. */
async function withApp(use: (app: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-packed-" });
  try {
    const app = `${folder}/vnet`;
    await Deno.writeFile(app, await makePacked(await program()), { mode: 0o755 });
    await use(app, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("makePacked() gives the same bytes for the same program", async () => {
  const first = await makePacked(await program());
  const second = await makePacked(await program());
  equal(first.length, second.length);
  equal(first.findIndex((byte, i) => byte !== second[i]), -1);
});

Deno.test("a packed program carries everything it needs", (t) =>
  withApp(async (app, folder) => {
    const args = ["--help", "--", "-x", "a b"];
    const { code, stdout, stderr } = await run(app, args, { cwd: folder });
    equal(stderr, "");
    equal(code, 0);
    const got = JSON.parse(stdout);
    const rows: [name: string, got: unknown, want: unknown][] = [
      ["the shim", got.abi > 0, true],
      ["the build", got.build, { form: "packed", commit: COMMIT }],
      ["its own path", [got.self, got.execPath], [app, app]],
      ["its arguments", got.args, args],
      ["its name", got.comm, "vnet"],
      ["its command line, as typed", got.cmdline, [app, ...args]],
      ["a child of itself", got.child, `7 ${JSON.stringify(["--help", "--", "-x"])}`],
      ["node:tls", got.tls, "object"],
      ["node:sqlite", got.sqlite, "42"],
      ["@peculiar/x509", got.x509, "true"],
      ["ws", got.ws, "hello ".repeat(20)],
      ["hono", got.hono, "hono"],
      ["@logtape/logtape", got.log, ["vnet", "app"]],
      ["@optique/core", got.optique, 3],
      ["otpauth", got.totp, 6],
      ["tldts", got.tldts, "example.co.uk"],
      ["yaml", got.yaml, { a: [1, 2] }],
      ["zod", got.zod, true],
    ];
    for (const [name, value, want] of rows) await t.step(name, () => deepEqual(value, want));
  }));

Deno.test("a packed program says nothing of its own on a terminal", () =>
  withApp(async (app) => {
    const terminal = ["--quiet", "--return", "--command", `${app} child`, "/dev/null"];
    const { code, stdout } = await run("script", terminal, { stdin: "null" });
    deepEqual([code, stdout], [7, "[]\r\n"]);
  }));

Deno.test("a packed program ends as it is told", (t) =>
  withApp(async (app) => {
    await t.step("with its own status", async () => equal((await run(app, ["child"])).code, 7));
    await t.step("with 1 and the reason when it throws", async () => {
      const { code, stderr } = await run(app, ["throw"]);
      equal(code, 1);
      match(stderr, /on purpose/);
    });
    for (const [signal, want] of [["SIGTERM", [9, null]], ["SIGKILL", [137, "SIGKILL"]]] as const) {
      await t.step(`on ${signal}`, async () => {
        const child = new Deno.Command(app, { args: ["wait"], stdout: "piped" }).spawn();
        const reader = child.stdout.getReader();
        equal(new TextDecoder().decode((await reader.read()).value), "ready\n");
        child.kill(signal);
        const status = await child.status;
        await reader.cancel();
        deepEqual([status.code, status.signal], want);
      });
    }
  }));

Deno.test("a packed program starts wherever it is", (t) =>
  withApp(async (app, folder) => {
    const ok = async (line: string, options: Deno.CommandOptions = {}) => {
      const { code, stdout, stderr } = await shell(app, line, options);
      deepEqual([code, stdout, stderr], [0, "app 1\n", ""]);
    };
    const step = (name: string, line: string, needs: "root" | "nothing" = "nothing") =>
      t.step({
        name: name + (needs === "root" && !IS_ROOT ? " (needs root)" : ""),
        ignore: needs === "root" && !IS_ROOT,
        fn: () => ok(line, { cwd: folder }),
      });

    await step("without any environment", `exec env -i "$APP" version`);
    await step("with 256 descriptors", `ulimit -n 256; exec "$APP" version`);
    await step(
      "with low descriptors taken",
      `exec "$APP" version 3</dev/null 4</dev/null 9</dev/null`,
    );
    await step("without stdin", `exec "$APP" version <&-`);
    await step("through a symbolic link", `ln -s "$APP" link && exec ./link version`);
    await step("beside somebody's deno.json", `echo '{"x' >deno.json; exec "$APP" version`);
    await step("beside somebody's package.json", `echo '{"x' >package.json; exec "$APP" version`);
    await step(
      "with a broken .npmrc at home",
      `echo '@x:registry=::::' >.npmrc; HOME=$PWD exec "$APP" version`,
    );
    await step("with a file for a home", `HOME=/dev/null exec "$APP" version`);
    await step("under no_new_privs", `exec setpriv --no-new-privs "$APP" version`);
    for (const mode of [1, 2]) {
      await step(
        `with vm.memfd_noexec=${mode}`,
        `exec unshare --pid --fork --mount-proc sh -c 'echo ${mode} >/proc/sys/vm/memfd_noexec && "$APP" version'`,
        "root",
      );
    }
    await step(
      "from a read-only mount",
      `exec unshare --mount sh -c 'mount --bind . . && mount -o remount,ro,bind . && "$APP" version'`,
      "root",
    );
    await step("in an empty root with only the C library and /proc", EMPTY_ROOT, "root");
  }));

/** Makes a root with nothing but what `ldd` names, and starts the program in it. */
const EMPTY_ROOT = `
  mkdir -p empty/proc && cp "$APP" empty/vnet
  for library in $(ldd "$APP" | grep -o '/[^ ]*'); do
    mkdir -p "empty\${library%/*}" && cp "$library" "empty$library"
  done
  exec unshare --mount --pid --fork sh -c 'mount -t proc proc empty/proc && exec chroot empty /vnet version'
`;

Deno.test("a packed program leaves the environment and the disk as they were", (t) =>
  withApp(async (app, folder) => {
    const home = `${folder}/home`;
    await Deno.mkdir(home);
    const environmentOf = async (env: Record<string, string>) => {
      const { stdout } = await run(app, [], { clearEnv: true, env });
      return JSON.parse(stdout).env;
    };
    await t.step("the runtime's own variables are not seen", async () => {
      deepEqual(await environmentOf({ HOME: home, A: "1" }), { HOME: home, A: "1" });
    });
    await t.step("the user's are given back", async () => {
      const env = { DENO_DIR: `${home}/cache`, DENO_NO_UPDATE_CHECK: "" };
      deepEqual(await environmentOf(env), env);
    });
    await t.step("no file appears in the home folder", () => {
      deepEqual([...Deno.readDirSync(home)], []);
    });
  }));

Deno.test("a packed program names the file to start after an upgrade took its place", () =>
  withApp(async (app) => {
    const { stdout } = await shell(app, `exec 3<"$APP"; rm "$APP"; exec /proc/self/fd/3 self`);
    equal(stdout, `${app}\n`);
  }));
