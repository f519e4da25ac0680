import { equal, rejects } from "node:assert/strict";
import type { Context } from "../context.ts";
import { showLogs } from "./logs.ts";

/** A context with a home of its own that keeps what is printed. */
function contextOf(home: string, signal = new AbortController().signal) {
  const printed: string[] = [];
  const paths = {
    configDir: `${home}/config`,
    stateDir: `${home}/state`,
    runtimeDir: `${home}/run`,
  };
  const context = {
    stdout: (text: string) => void printed.push(text),
    stderr: () => {},
    signal,
    env: (name: string) => name === "VNET_HOME" ? home : undefined,
    owner: { uid: 0, gid: 0, name: "root", homeDir: home },
    paths: { ...paths, controlSocket: `${home}/run/control.sock` },
    globals: { quiet: false },
  } as unknown as Context;
  return { context, printed };
}

async function withHome(act: (home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${home}/state`);
    await act(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("showLogs() says when there is none", () =>
  withHome(async (home) => {
    const { context } = contextOf(home);
    await rejects(showLogs(context, { follow: false, lines: 9 }), { code: "log-missing" });
  }));

Deno.test("showLogs() shows the last lines", () =>
  withHome(async (home) => {
    await Deno.writeTextFile(`${home}/state/daemon.log`, "one\ntwo\nthree\n");
    const { context, printed } = contextOf(home);
    equal(await showLogs(context, { follow: false, lines: 2 }), 0);
    equal(printed.join(""), "two\nthree\n");
  }));

Deno.test("showLogs() shows what others said, and has no terminal obey it", () =>
  withHome(async (home) => {
    await Deno.writeTextFile(`${home}/state/daemon.log`, "one\x1b[2J\t\u202e\x9b1m\r\ntwo\n");
    const { context, printed } = contextOf(home);
    equal(await showLogs(context, { follow: false, lines: 2 }), 0);
    equal(printed.join(""), "one\\x1b[2J\t\\u202e\\x9b1m\\x0d\ntwo\n");
  }));

Deno.test("showLogs() follows a log, also when it is emptied", () =>
  withHome(async (home) => {
    const path = `${home}/state/daemon.log`;
    await Deno.writeTextFile(path, "one\ntwo\n");
    const stop = new AbortController();
    const { context, printed } = contextOf(home, stop.signal);
    const seen = async (text: string) => {
      while (printed.join("") !== text) await new Promise((done) => setTimeout(done, 20));
    };
    const showing = showLogs(context, { follow: true, lines: 1 });
    await seen("two\n");
    await Deno.writeTextFile(path, "three\n", { append: true });
    await seen("two\nthree\n");
    await Deno.writeTextFile(path, "four\n");
    await seen("two\nthree\nfour\n");
    stop.abort();
    equal(await showing, 0);
  }));
