import { deepEqual, equal, match } from "node:assert/strict";
import { saveViews } from "../../lib/client/cluster/saved_views.ts";
import { loadSettings, saveSettings } from "../../lib/client/saved_settings.ts";
import { DEFAULT_UP_SETTINGS } from "../../lib/config/mod.ts";
import { parsePrefix } from "../../lib/ip/mod.ts";
import { type AppsV1, StatusV1Schema, VersionV1Schema } from "../../lib/status/mod.ts";
import { memoryApp, MemoryCluster } from "../doubles/memory_cluster.ts";
import { ControlDaemon } from "../doubles/control_daemon.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `vnet` with a home of its own, as a program would. */
function vnet(home: string, ...args: string[]): Promise<Ran> {
  return vnetWith({}, home, ...args);
}

async function vnetWith(
  env: Readonly<Record<string, string>>,
  home: string,
  ...args: string[]
): Promise<Ran> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${ROOT}main.ts`, ...args],
    env: {
      VNET_HOME: home,
      NO_COLOR: "1",
      DENO_NO_UPDATE_CHECK: "1",
      LC_ALL: "C.UTF-8",
      COLUMNS: "80",
      ...env,
    },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}

async function withHome(act: (home: string) => Promise<void>): Promise<void> {
  const home = await Deno.makeTempDir();
  try {
    await act(home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("vnet, vnet -h, vnet --help and vnet help are the same", () =>
  withHome(async (home) => {
    const { code, stdout, stderr } = await vnet(home);
    deepEqual([code, stderr], [0, ""]);
    for (const args of [["-h"], ["--help"], ["help"]]) {
      equal((await vnet(home, ...args)).stdout, stdout);
    }
    const up = await vnet(home, "help", "up");
    equal((await vnet(home, "up", "--detach", "-h")).stdout, up.stdout);
    match(up.stdout, /^Bring vnet up/);
  }));

Deno.test("vnet help is as wide as the terminal, and ASCII where the locale is", () =>
  withHome(async (home) => {
    const { stdout } = await vnetWith({ COLUMNS: "60" }, home, "doctor", "-h");
    equal(Math.max(...stdout.split("\n").map((line) => line.length)) <= 60, true);
    match(stdout, /ID,…/);
    const { stdout: ascii } = await vnetWith({ LC_ALL: "C" }, home, "doctor", "-h");
    match(ascii, /^[\0-\x7f]+$/);
    match(ascii, /ID,\.\.\./);
  }));

Deno.test("vnet --json is --format json", () =>
  withHome(async (home) => {
    const json = await vnet(home, "version", "--json");
    equal(json.stdout, (await vnet(home, "version", "--format", "json")).stdout);
    equal(JSON.parse(json.stdout).schema, "vnet.version/1");
  }));

Deno.test("vnet ends with the documented status and one line with a code and a hint", (t) =>
  withHome(async (home) => {
    const cases: [args: string[], code: number, stderr: RegExp][] = [
      [["qqqqqq"], 2, /^error: There is no command "qqqqqq" \[usage\]\nhint: Run `vnet help`\n$/],
      [
        ["qqqqqq", "-h"],
        2,
        /^error: There is no command "qqqqqq" \[usage\]\nhint: Run `vnet help`\n$/,
      ],
      [
        ["stats"],
        2,
        /^error: There is no command "stats" .*\nhint: Did you mean "status".*\? Run /,
      ],
      [["apps"], 2, /^error: "apps" needs a command after it: ls \[usage\]\nhint: /],
      [
        ["up", "--share", "bob"],
        2,
        /^error: Cannot share with "bob": it is not user:NAME, group:NAME or all \[usage\]\nhint: /,
      ],
      [
        ["up", "--cidr", "banana"],
        2,
        /^error: Cannot take addresses from "banana": .*\nhint: Use /,
      ],
      [["up", "--detach", "--cidr", "10.0.0.1/24"], 2, /: host bits are set, 10\.0\.0\.0\/24 is/],
      [["up", "--dry-run", "--cidr", "8.8.8.0/24"], 2, /: it is public address space \[usage\]/],
      [["up", "--cidr", ""], 2, /^error: Cannot take addresses from ""/],
      [["restart", "--cidr", "10.0.0.0/30"], 2, /: a range is from \/8 to \/27 \[usage\]\nhint: /],
      [["up", "--link", "tun0"], 2, /^error: Cannot name the device "tun0": .* \[usage\]\nhint: /],
      [["up", "--dns", "magic"], 2, /"auto", "resolved", "direct", and "none"/],
      [["up", "--dtach"], 2, /^error: .* \[usage\]\nhint: Did you mean "--detach"\? .*\n$/],
      [["-v"], 2, /^error: No command was given \[usage\]\nhint: Run `vnet help`\n$/],
      [["help", "nope"], 2, /^error: There is no command "nope" \[usage\]\nhint: /],
      [["ctl", "users"], 2, /^error: .* \[usage\]\nhint: Run `vnet help ctl users`\n$/],
      [["status", "--bogus"], 2, /^error: .* \[usage\]\nhint: Run `vnet help status`\n$/],
      [["login"], 2, /^error: Cannot log in: no proxy was named \[usage\]\nhint: Run `vnet login /],
      [["login", "a.test", "--proxy", "b.test"], 2, /^error: Cannot log in to "a\.test" and to /],
      [
        ["login", "a.test", "--ttl", "30s"],
        2,
        /^error: .*: --ttl must be at least 1m .* \[usage\]/,
      ],
      [["login", "http://a.test"], 2, /^error: Cannot read the proxy "http:\/\/a\.test" \[usage\]/],
      [["login", "--proxy", "a:b:c"], 2, /^error: Cannot read the proxy "a:b:c" \[usage\]\nhint: /],
      [
        ["login", "--proxy", "localhost:1", "--ca-pin", "x", "--password-stdin"],
        2,
        /^error: Cannot read the CA pin "x" \[usage\]\nhint: /,
      ],
      [
        ["wait", "--timeout", "soon"],
        2,
        /"soon" is not a duration: use a number and a unit, such as 30s/,
      ],
      [
        ["status", "--json"],
        5,
        /^error: .* \[daemon-not-running\]\nhint: Run `sudo vnet up`\n$/,
      ],
      [["wait", "--timeout", "1s"], 5, /\[daemon-not-running\]/],
      [["apps", "ls"], 4, /^error: .* \[login-needed\]\nhint: Run `vnet login/],
      [["resolve", "a..b"], 2, /^error: Cannot ask for "a\.\.b": it is no domain name \[usage\]\n/],
      [["resolve", "a.test", "--type", "NOPE"], 2, /type "NOPE".* \[usage\]\nhint: /],
      [["resolve", "a.test"], 1, /\[nothing-known\]\nhint: /],
      [["logout", "elsewhere"], 2, /\[profile-unknown\]/],
      [["logout", "one", "--all"], 2, /\[usage\]\nhint: Run `vnet help logout`\n$/],
      [
        ["ctl", "status"],
        2,
        /^error: Cannot find the server: there is no file "\/etc\/vnet\/server.yaml" \[file-missing\]\n/,
      ],
      [
        ["server", "start"],
        2,
        /^error: Cannot start the server: there is no file "\/etc\/vnet\/server.yaml" \[file-missing\]\nhint: .*--config/,
      ],
      [
        ["agent", "start"],
        2,
        /^error: Cannot start the agent: there is no file "\/etc\/vnet\/agent.yaml" \[file-missing\]\nhint: .*--config/,
      ],
      [["server", "start", "--config", "/nonexistent"], 2, /\[file-missing\]\n/],
      [["demo", "--keep", "--shell"], 2, /\[usage\]/],
    ];
    for (const [args, code, stderr] of cases) {
      await t.step(args.join(" "), async () => {
        const ran = await vnet(home, ...args);
        match(ran.stderr, stderr);
        deepEqual([ran.code, ran.stdout], [code, ""]);
      });
    }
  }));

Deno.test("vnet up while it is up does nothing, and says so when it is up otherwise", (t) =>
  withHome(async (home) => {
    await using daemon = await ControlDaemon.open(home);
    daemon.settings = { ...DEFAULT_UP_SETTINGS, cidr: parsePrefix("100.96.0.0/12") };
    const is = "vnet is up already";
    const cases: [args: string[], code: number, stderr: RegExp][] = [
      [["up"], 0, new RegExp(`^${is}\n$`)],
      [["up", "--detach", "--cidr", "100.96.0.0/12", "--dns", "auto"], 0, new RegExp(`^${is}\n$`)],
      [
        ["up", "--cidr", "10.9.0.0/24"],
        1,
        new RegExp(
          `^error: ${is} with --cidr 100\\.96\\.0\\.0/12 \\[already-up\\]\n` +
            "hint: Run `vnet restart --cidr 10\\.9\\.0\\.0/24` to change that\n$",
        ),
      ],
      [["up", "--share", "all"], 1, new RegExp(`^error: ${is} without --share \\[already-up\\]`)],
    ];
    for (const [args, code, stderr] of cases) {
      await t.step(args.join(" "), async () => {
        const ran = await vnet(home, ...args);
        match(ran.stderr, stderr);
        deepEqual([ran.code, ran.stdout], [code, ""]);
      });
    }
    deepEqual(daemon.downs, []);
  }));

Deno.test("vnet status names the logins while vnet is down", () =>
  withHome(async (home) => {
    const none = await vnet(home, "status");
    deepEqual([none.code, none.stdout], [
      5,
      "vnet is down\nYou are not logged in to any cluster: run `vnet login HOST`\n",
    ]);
    await saveProfile(home);
    const one = await vnet(home, "status");
    equal(one.code, 5);
    match(
      one.stdout,
      /^vnet is down\n {2}login {5}alice in example through a\.test: ended .* ago /,
    );
    match(one.stderr, /^error: .* \[daemon-not-running\]\nhint: Run `sudo vnet up`\n$/);
  }));

Deno.test("vnet status --connections lists what the daemon knows, and obeys nobody's letters", () =>
  withHome(async (home) => {
    equal((await vnet(home, "status", "--connections")).code, 5);
    await using daemon = await ControlDaemon.open(home);
    const none = await vnet(home, "status", "--connections");
    deepEqual([none.code, none.stdout], [
      0,
      "No program has connected to an app since vnet started\n",
    ]);
    const place = { cluster: "example", app: "db" };
    const bytes = { sent_bytes: 3, received_bytes: 4096 };
    daemon.connections = {
      apps: [{
        ...place,
        ...bytes,
        active: 1,
        opened_total: 1,
        failed_total: 0,
        cancelled_total: 0,
      }],
      connections: [{
        ...{ id: 1, ...place, ...bytes, name: "db.example", port: 5432, way: "device" },
        ...{ state: "open", started: "2026-01-31T12:00:00Z", pid: 7, program: "/bin/e\x1b[2Jvil" },
      }],
    };
    const some = await vnet(home, "status", "--connections");
    match(some.stdout, /^db +1 +1 +0 +3 B +4\.0 KiB$/m);
    match(some.stdout, /^db:5432 +open .* e\\x1b\[2Jvil \(7\)$/m);
    const json = JSON.parse((await vnet(home, "status", "--connections", "--json")).stdout);
    deepEqual(json, { schema: "vnet.connections/1", ...daemon.connections });
  }));

/** A login that is over, as `vnet login` leaves it. */
async function saveProfile(home: string): Promise<void> {
  await Deno.mkdir(`${home}/config/profiles`, { recursive: true });
  await Deno.writeTextFile(
    `${home}/config/profiles/a.test_443.json`,
    JSON.stringify({
      schema: "vnet.profile/2",
      kind: "vnet",
      proxy: { host: "a.test", port: 443 },
      cluster: "example",
      user: "alice",
      expires: "2026-01-31T12:00:00Z",
      credentials: {},
    }),
  );
}

const APPS: AppsV1["apps"] = [{
  name: "db",
  kind: "tcp",
  cluster: "example",
  proxy: "a.test",
  public_addrs: ["db.company.test"],
  addresses: [{ name: "db.company.test", ipv4: "100.64.0.2", grant: "own" }],
  ports: ["5432"],
  labels: {},
}];

Deno.test("vnet apps ls says what to type, and knows its clusters and apps", () =>
  withHome(async (home) => {
    await using daemon = await ControlDaemon.open(home);
    daemon.apps = APPS;
    equal(
      (await vnet(home, "apps", "ls")).stdout,
      "APP  KIND  NAME             ADDRESS     PORTS  GRANT  USE\n" +
        "db   tcp   db.company.test  100.64.0.2  5432   own    psql -h db.company.test -p 5432\n",
    );
    const cluster = await vnet(home, "apps", "ls", "--cluster", "nope");
    deepEqual([cluster.code, cluster.stderr], [
      2,
      'error: There is no cluster "nope" [usage]\nhint: Your clusters are: example\n',
    ]);
    const app = await vnet(home, "apps", "ls", "--copy", "nope");
    deepEqual([app.code, app.stderr], [
      2,
      'error: There is no app "nope" [usage]\nhint: Your apps are: db\n',
    ]);
    match((await vnet(home, "apps", "ls", "--copy", "db")).stderr, /\[clipboard-missing\]\nhint: /);
  }));

Deno.test("vnet apps ls --copy gives the line to the program that has the clipboard", () =>
  withHome(async (home) => {
    await using daemon = await ControlDaemon.open(home);
    daemon.apps = APPS;
    await Deno.writeTextFile(`${home}/xclip`, `#!/bin/sh\nexec cat > ${home}/clipboard\n`);
    await Deno.chmod(`${home}/xclip`, 0o755);
    const env = { PATH: `${home}:/usr/bin:/bin`, DISPLAY: ":0" };
    const ran = await vnetWith(env, home, "apps", "ls", "--copy", "DB.company.test");
    deepEqual([ran.code, ran.stderr], [
      0,
      'Copied "psql -h db.company.test -p 5432" by xclip\n',
    ]);
    equal(await Deno.readTextFile(`${home}/clipboard`), "psql -h db.company.test -p 5432");
  }));

Deno.test("vnet completions complete what there is, and are silent where nothing is known", (t) =>
  withHome(async (home) => {
    const complete = async (...words: string[]) => {
      const { code, stdout, stderr } = await vnet(home, "completions", "bash", ...words);
      deepEqual([code, stderr], [0, ""]);
      return stdout.split("\n").filter((line) => line !== "");
    };
    await t.step("nothing is known", async () => {
      deepEqual(await complete("logout", ""), []);
      deepEqual(await complete("apps", "ls", "--cluster", ""), []);
    });
    await saveProfile(home);
    await Deno.mkdir(`${home}/state`);
    const cluster = new MemoryCluster({
      nowMs: Date.now,
      apps: [memoryApp("db", { cluster: "leaf", publicAddrs: ["db.a.test"] })],
    });
    await saveViews(`${home}/state`, new Map([["a.test", cluster.published]]));
    const cases: [words: string[], want: string[]][] = [
      [["logout", "a"], ["a.test"]],
      [["apps", "ls", "--cluster", ""], ["example", "leaf"]],
      [["apps", "ls", "--copy", "d"], ["db", "db.a.test"]],
      [["resolve", "d"], ["db.a.test"]],
      [["doctor", "--only", "sys.tun,sys.c"], ["sys.tun,sys.clock"]],
      [["up", "--dns", "r"], ["resolved"]],
      [["ctl", "get", "r"], ["remote_cluster", "role"]],
      [["res"], ["restart", "resolve"]],
    ];
    for (const [words, want] of cases) {
      await t.step(words.join(" "), async () => deepEqual(await complete(...words), want));
    }
  }));

Deno.test("vnet down forgets what a killed daemon was told", () =>
  withHome(async (home) => {
    await Deno.mkdir(`${home}/state`);
    await saveSettings(`${home}/state`, { ...DEFAULT_UP_SETTINGS, dns: "none" });
    const { code, stderr } = await vnet(home, "down");
    deepEqual([code, stderr], [0, "vnet was not up\n"]);
    equal(await loadSettings(`${home}/state`), null);
  }));

Deno.test("vnet daemon of a service ends with a status of its own where another daemon is up", () =>
  withHome(async (home) => {
    await Deno.mkdir(`${home}/run`, { recursive: true, mode: 0o700 });
    using lock = await Deno.open(`${home}/run/daemon.lock`, { create: true, write: true });
    await lock.lock(true);
    const args = ["daemon", "--helper-socket", `${home}/none`];
    const byHand = await vnet(home, ...args);
    deepEqual([byHand.code, /\[already-up\]/.test(byHand.stderr)], [1, true]);
    const service = await vnet(home, ...args, "--wait-for-login");
    deepEqual([service.code, /\[already-up\]/.test(service.stderr)], [74, true]);
  }));

Deno.test("vnet version and schema print what their schemas say", () =>
  withHome(async (home) => {
    const version = await vnet(home, "version", "--format", "json");
    equal(VersionV1Schema.parse(JSON.parse(version.stdout)).build, "source");
    const schema = await vnet(home, "schema", "status");
    const printed = JSON.parse(schema.stdout);
    equal(printed.$schema, "https://json-schema.org/draft/2020-12/schema");
    deepEqual(Object.keys(printed.properties), Object.keys(StatusV1Schema.shape));
  }));

Deno.test("vnet completions are scripts that the shells accept", (t) =>
  withHome(async (home) => {
    for (const shell of ["bash", "zsh", "fish"]) {
      await t.step(shell, async () => {
        const { code, stdout } = await vnet(home, "completions", shell);
        equal(code, 0);
        match(stdout, /vnet/);
      });
    }
  }));

Deno.test("vnet lists every mistake of a file at once, with file, key, found and expected", () =>
  withHome(async (home) => {
    const file = `${home}/server.yaml`;
    await Deno.writeTextFile(
      file,
      "version: v2\ncluster_name: c.example.com\ndata_dir: relative\nproxy_service: { listen_addr: x }\n",
    );
    const { code, stderr } = await vnet(home, "server", "start", "--config", file);
    equal(code, 1);
    for (
      const key of ["version", "data_dir", "proxy_service.public_addr", "proxy_service.listen_addr"]
    ) {
      match(stderr, new RegExp(`${key.replaceAll(".", "\\.")}.*found .*, expected `));
    }
    match(stderr, new RegExp(`"${file}"`));
  }));

Deno.test("vnet down --purge removes what vnet kept, with vnet down, and says so once", () =>
  withHome(async (home) => {
    for (const folder of ["config/profiles", "state", "run"]) {
      await Deno.mkdir(`${home}/${folder}`, { recursive: true });
    }
    await Deno.writeTextFile(`${home}/config/profiles/a.json`, "{}");
    await Deno.writeTextFile(`${home}/state/clusters.json`, "{}");
    const stays = "Your logins stay; `vnet logout --all` forgets them\n";
    const first = await vnet(home, "down", "--purge");
    deepEqual([first.code, first.stdout], [0, ""]);
    equal(
      first.stderr,
      `vnet was not up\nRemoved ${home}/state/clusters.json\nRemoved ${home}/state\n` +
        `Removed ${home}/run\n${stays}`,
    );
    const second = await vnet(home, "down", "--purge");
    deepEqual([second.code, second.stderr], [0, `vnet was not up\n${stays}`]);
  }));
