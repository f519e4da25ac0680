/** What a hostile cluster says is shown by every command, and obeyed by no terminal. */
import { match, ok } from "node:assert/strict";
import { serveControl } from "../../lib/client/control/server.ts";
import { NetworkError } from "../../lib/error.ts";
import { until, withDaemon } from "../doubles/memory_client.ts";
import { memoryApp } from "../doubles/memory_cluster.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** Names the window, clears the screen, begins a line of its own, turns the direction, and does it by one byte too. */
const EVIL = "\x1b]0;owned\x07\x1b[2J\r\n  login  \u202e\u2066\x9b31m\u2028";
const SHOWN = "\\x1b]0;owned\\x07\\x1b[2J\\x0d\\x0a  login  \\u202e\\u2066\\x9b31m\\u2028";
const RAW = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const APPS = [
  memoryApp(`db${EVIL}`, {
    description: EVIL,
    labels: { protocol: EVIL, [EVIL]: EVIL },
    publicAddrs: ["db.memory.test", `db${EVIL}.memory.test`],
  }),
  memoryApp("web", { cluster: `leaf${EVIL}`, description: EVIL }),
];

async function vnet(home: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${ROOT}main.ts`, ...args],
    env: {
      VNET_HOME: home,
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      LC_ALL: "C.UTF-8",
      COLUMNS: "80",
    },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

Deno.test("what a hostile cluster says is shown, and obeyed by no terminal", async (t) => {
  const home = await Deno.makeTempDir();
  await Deno.mkdir(`${home}/run`);
  await withDaemon({
    apps: APPS,
    profiles: (cluster) => [cluster.profile({ user: `alice${EVIL}` })],
  }, async ({ daemon, cluster, connect }) => {
    cluster.refusals.set(`db${EVIL}`, "access-denied");
    await connect("db.memory.test", 5432);
    cluster.failure = new NetworkError("proxy-unreachable", EVIL);
    cluster.wake();
    await until(() => daemon.status().profiles.some(({ error }) => error !== undefined));
    await using stack = new AsyncDisposableStack();
    const control = await serveControl(`${home}/run/control.sock`, daemon);
    stack.defer(() => control.shutdown());

    const commands: [args: string[], shows: boolean][] = [
      [["status"], true],
      [["apps", "ls"], true],
      [["apps", "ls", "--copy", "nothing"], true], // the hint has every app
      [["resolve", `db${EVIL}.memory.test`], false],
      [["--debug", "doctor", "--verbose", "--name", "db.memory.test:5432"], false],
    ];
    for (const [args, shows] of commands) {
      await t.step(JSON.stringify(args), async () => {
        const { stdout, stderr } = await vnet(home, ...args);
        ok(stdout + stderr !== "");
        for (const text of [stdout, stderr]) ok(!RAW.test(text), JSON.stringify(text));
        ok(!/^ {2}login {2}\\u202e/m.test(stdout));
        if (shows) ok((stdout + stderr).includes(SHOWN), stdout + stderr);
      });
    }
    await t.step("JSON has it as it is, in its own escapes", async () => {
      const { stdout } = await vnet(home, "apps", "ls", "--format", "json");
      const { apps } = JSON.parse(stdout) as { apps: readonly { name: string }[] };
      ok(apps.some(({ name }) => name === `db${EVIL}`));
      match(stdout, /\\u001b\]0;owned/);
    });
  });
  await Deno.remove(home, { recursive: true });
});
