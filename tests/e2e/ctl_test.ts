import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { z } from "zod";
import { parseServerFile } from "../../lib/config/mod.ts";
import { EXAMPLES } from "../../lib/cli/grammar/examples.ts";
import { type RunningServer, serveCluster } from "../../lib/server/mod.ts";
import {
  CtlAgentsV1Schema,
  CtlAppsV1Schema,
  CtlAuditV1Schema,
  CtlResourcesV1Schema,
  CtlSessionsV1Schema,
  CtlStatusV1Schema,
  CtlTokensV1Schema,
  CtlTokenV1Schema,
  CtlUsersV1Schema,
} from "../../lib/status/mod.ts";
import { complaintOf } from "../docs/command_lines.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command finds. */
interface Surroundings {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A cluster in this process, and the commands that administer it. */
class Cluster implements AsyncDisposable {
  readonly directory: string;
  server: RunningServer;

  private constructor(directory: string, server: RunningServer) {
    this.directory = directory;
    this.server = server;
  }

  static async start(): Promise<Cluster> {
    const directory = await Deno.makeTempDir({ prefix: "vnet-ctl-" });
    const text = `version: v1
cluster_name: test.example
data_dir: ${directory}/data
proxy_service: { public_addr: proxy.test.example, listen_addr: "127.0.0.1:0" }
`;
    await Deno.writeTextFile(`${directory}/server.yaml`, text);
    return new Cluster(directory, await serve(text));
  }

  /** Starts the server again, after it was stopped. */
  async start(): Promise<void> {
    this.server = await serve(await Deno.readTextFile(`${this.directory}/server.yaml`));
  }

  ctl(args: readonly string[], options: Surroundings = {}): Promise<Ran> {
    return this.vnet(["ctl", ...args], options);
  }

  async vnet(
    args: readonly string[],
    { stdin = "", env = {} }: Surroundings = {},
  ): Promise<Ran> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", `${ROOT}main.ts`, ...args],
      env: {
        VNET_CONFIG: `${this.directory}/server.yaml`,
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
        TMPDIR: this.directory,
        VISUAL: "",
        ...env,
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  async write(name: string, text: string, mode = 0o644): Promise<string> {
    const path = `${this.directory}/${name}`;
    await Deno.writeTextFile(path, text, { mode });
    return path;
  }

  /** What is in the temporary folder beside what the test made. */
  async leftovers(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.directory)) {
      if (name.startsWith("vnet-edit-")) names.push(name);
    }
    return names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

function serve(text: string): Promise<RunningServer> {
  return serveCluster(parseServerFile(text, "server.yaml"), {
    nowMs: Date.now,
    passwordCost: { logN: 4, r: 8, p: 1 },
  });
}

const FILE = `kind: user
version: v1
metadata: { name: alice }
spec: { roles: [dev] }
---
kind: role
version: v1
metadata: { name: dev }
spec: { allow: { app_labels: { env: dev } } }
`;

Deno.test("vnet ctl create writes all documents of a file or none, and says what became of each", async (t) => {
  await using cluster = await Cluster.start();
  const file = await cluster.write("resources.yaml", FILE);

  await t.step("created, from the argument", async () => {
    const ran = await cluster.ctl(["create", file]);
    deepEqual([ran.code, ran.stdout, ran.stderr], [
      0,
      "user/alice created\nrole/dev created\n",
      "",
    ]);
  });

  await t.step("unchanged, from -f; replaced, from standard input", async () => {
    const same = await cluster.ctl(["create", "-f", file]);
    deepEqual([same.code, same.stdout], [0, "user/alice unchanged\nrole/dev unchanged\n"]);
    const other = FILE.replace("env: dev", "env: prod");
    const refused = await cluster.ctl(["create", "-"], { stdin: other });
    deepEqual([refused.code, refused.stdout], [1, ""]);
    equal(
      refused.stderr,
      `error: Cannot use "standard input" [resource-exists]
  (document 2).metadata.name: found "dev", which is another role already (line 8), expected a name that is free, or --force to replace what is there
hint: Nothing was written. Correct the file; docs/configuration.md has every key
`,
    );
    const forced = await cluster.ctl(["create", "--force", "-"], { stdin: other });
    deepEqual([forced.code, forced.stdout], [0, "user/alice unchanged\nrole/dev replaced\n"]);
  });

  await t.step("every mistake is told, of each document and between them", async () => {
    const stdin = `kind: role
version: v1
metadata: { name: ops }
spec: { allow: { app_labels: { env: ops } }, optins: {} }
---
kind: user
version: v1
metadata: { name: bob }
spec: { roles: [ops, nope] }
---
kind: role
version: v1
metadata: { name: fine }
spec: {}
`;
    const ran = await cluster.ctl(["create", "-"], { stdin });
    equal(ran.code, 1);
    equal(
      ran.stderr,
      `error: Cannot use "standard input" [config-invalid]
  (document 1).spec.optins: found unknown key "optins" (line 4), expected one of allow, deny, options
  (document 2).spec.roles[1]: found "nope" (line 9), expected a role that exists: access, dev, fine, ops
hint: Nothing was written. Correct the file; docs/configuration.md has every key
`,
    );
    equal((await cluster.ctl(["get", "role/fine"])).code, 1);
  });

  await t.step("no YAML at all", async () => {
    const ran = await cluster.ctl(["create", "-"], { stdin: "kind: [" });
    match(ran.stderr, /^error: Cannot use "standard input" \[config-invalid\]\n.*broken YAML/);
  });
});

Deno.test("vnet ctl get, rm and edit take KIND/NAME, KIND NAME and plural kinds", async (t) => {
  await using cluster = await Cluster.start();
  await cluster.ctl(["create", "-"], { stdin: FILE });
  const one = (await cluster.ctl(["get", "role/dev"])).stdout;
  match(one, /^kind: role\n/);
  const cases: [args: string[], want: RegExp][] = [
    [["get", "role", "dev"], /^kind: role\n.*name: dev/s],
    [["get", "roles/dev"], /^kind: role\n.*name: dev/s],
    [["get", "roles"], /name: access.*---\n.*name: dev/s],
    [["get", "users"], /^kind: user\n/],
    [["get", "vnet_configs"], /^kind: vnet_config\n/],
    [["get", "vnet-config"], /^kind: vnet_config\n/],
  ];
  for (const [args, want] of cases) {
    await t.step(args.join(" "), async () => {
      const ran = await cluster.ctl(args);
      equal(ran.code, 0);
      match(ran.stdout, want);
    });
  }
  await t.step("get locks, when there is none", async () => {
    const ran = await cluster.ctl(["get", "locks"]);
    deepEqual([ran.code, ran.stdout, ran.stderr], [0, "", "There is no lock\n"]);
  });
  await t.step("rm user alice", async () => {
    equal((await cluster.ctl(["rm", "user", "alice"])).stderr, "Removed user/alice\n");
  });
});

Deno.test("vnet ctl edit opens a resource in an editor, until it is right", async (t) => {
  await using cluster = await Cluster.start();
  await cluster.ctl(["create", "-"], { stdin: FILE });
  /** A program that edits as it is told each time it is opened, and notes what it saw. */
  const editor = async (...scripts: string[]) => {
    await Deno.remove(`${cluster.directory}/count`).catch(() => {});
    const cases = scripts.map((script, i) => `${i + 1}) ${script} ;;`).join("\n");
    return await cluster.write(
      "editor",
      `#!/bin/sh
n=$(($(cat "${cluster.directory}/count" 2>/dev/null || echo 0) + 1))
echo $n > "${cluster.directory}/count"
stat -c %a "$1" > "${cluster.directory}/mode"
cp "$1" "${cluster.directory}/saw-$n"
case $n in
${cases}
esac
`,
      0o755,
    );
  };
  const edit = async (...scripts: string[]) =>
    await cluster.ctl(["edit", "role/dev"], { env: { EDITOR: await editor(...scripts) } });
  const saw = (n: number) => Deno.readTextFile(`${cluster.directory}/saw-${n}`);

  await t.step("a change is saved, and the file is private and gone", async () => {
    const ran = await edit('sed -i "s/env: dev/env: prod/" "$1"');
    deepEqual([ran.code, ran.stdout, ran.stderr], [0, "role/dev replaced\n", ""]);
    match(await saw(1), /revision: 1/);
    equal(await Deno.readTextFile(`${cluster.directory}/mode`), "600\n");
    deepEqual(await cluster.leftovers(), []);
    match((await cluster.ctl(["get", "role/dev"])).stdout, /env: prod/);
  });

  await t.step("nothing changed, or nothing left: unchanged", async () => {
    for (const script of [":", ': > "$1"']) {
      const ran = await edit(script);
      deepEqual([ran.code, ran.stdout], [0, "role/dev unchanged\n"]);
    }
    deepEqual(await cluster.leftovers(), []);
  });

  await t.step("mistakes stand at the top of the file when it is opened again", async () => {
    const ran = await edit(
      'sed -i "s/allow:/alow:/" "$1"',
      'sed -i "s/alow:/allow:/; s/env: prod/env: test/" "$1"',
    );
    deepEqual([ran.code, ran.stdout], [0, "role/dev replaced\n"]);
    const text = await saw(2);
    match(
      text,
      /^#! Nothing was written\..*\n#! spec\.alow: found unknown key "alow" \(line (\d+)\), expected one of allow, deny, options\n/,
    );
    const line = Number(/\(line (\d+)\)/.exec(text)?.[1]);
    match(text.split("\n")[line - 1] ?? "", /alow|app_labels/, "the line is the editor's");
  });

  await t.step("left with its mistakes: the text is kept, and named", async () => {
    const ran = await edit('sed -i "s/allow:/alow:/" "$1"', ":");
    equal(ran.code, 1);
    const [, path = ""] = /in (\S+role-dev\.yaml) \[cancelled\]/.exec(ran.stderr) ?? [];
    match(await Deno.readTextFile(path), /alow:/);
    equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    await Deno.remove(path.replace(/\/[^/]*$/, ""), { recursive: true });
  });

  await t.step("another name is a mistake, not another resource", async () => {
    const ran = await edit('sed -i "s/name: dev/name: ops/" "$1"', ': > "$1"');
    deepEqual([ran.code, ran.stdout], [0, "role/dev unchanged\n"]);
    match(await saw(2), /metadata\.name: found "ops".*edit does not rename/);
  });

  await t.step("somebody else was faster: told, and the text is kept", async () => {
    const before = await cluster.server.auth.admin.getResources({ kind: "role", name: "dev" });
    const other = await cluster.write(
      "other.yaml",
      FILE.split("---\n")[1]!.replace("env: dev", "env: x"),
    );
    const ran = await edit(
      `sed -i "s/env: test/env: mine/" "$1"; "${Deno.execPath()}" run -A --no-check ${ROOT}main.ts ctl create --force ${other} >/dev/null`,
    );
    equal(ran.code, 1);
    const [, path = ""] =
      /Somebody else changed or removed role\/dev meanwhile; your text is in (\S+) \[resource-changed\]/
        .exec(ran.stderr) ?? [];
    match(await Deno.readTextFile(path), /env: mine/);
    match((await cluster.ctl(["get", "role/dev"])).stdout, /env: x/);
    equal(before.resources.length, 1);
    await Deno.remove(path.replace(/\/[^/]*$/, ""), { recursive: true });
  });

  await t.step("an editor that fails: cancelled", async () => {
    const ran = await edit("exit 3");
    equal(ran.code, 1);
    match(ran.stderr, /^error: Cancelled: the editor ".*" ended with status 3 \[cancelled\]\n/);
    deepEqual(await cluster.leftovers(), []);
  });

  await t.step("an editor that is not there", async () => {
    const ran = await cluster.ctl(["edit", "role/dev"], { env: { EDITOR: "/nonexistent/ed" } });
    match(ran.stderr, /\[cancelled\]\nhint: Set VISUAL or EDITOR/);
  });

  await t.step("a resource that is not there", async () => {
    const ran = await cluster.ctl(["edit", "role/none"], { env: { EDITOR: "true" } });
    match(ran.stderr, /^error: There is no role "none" \[not-found\]/);
  });
});

Deno.test("vnet ctl lists logins, users, tokens and agents with all there is to know", async (t) => {
  await using cluster = await Cluster.start();
  const { admin } = cluster.server.auth;
  await admin.addUser({ name: "alice", roles: ["access"] });
  await cluster.server.auth.admin.addToken({
    kind: "app",
    apps: ["db"],
    labels: { team: "a", env: "dev" },
    public_addrs: ["*.company.test"],
    any: false,
    ttl_seconds: 600,
    uses: 2,
  });

  await t.step("tokens ls shows the limits", async () => {
    const { stdout } = await cluster.ctl(["tokens", "ls"]);
    match(
      stdout,
      /^ID +TYPE +APPS +LABELS +PUBLIC ADDRS +EXPIRES +USES LEFT\n\w+ +app +db +env=dev,team=a +\*\.company\.test +\d{4}-.* UTC +2\n$/,
    );
  });

  await t.step("users add of one who is there says what to do instead", async () => {
    const ran = await cluster.ctl(["users", "add", "alice", "--roles", "access"]);
    equal(
      ran.stderr,
      'error: There is a user "alice" already [resource-exists]\n' +
        "hint: `vnet ctl users reset alice` gives another password, `vnet ctl edit user/alice` changes the roles\n",
    );
  });

  await t.step("users ls shows logins and locks", async () => {
    const { stdout } = await cluster.ctl(["users", "ls"]);
    match(stdout, /^NAME .*LOGINS +LOCKED\nalice +access +yes +no +0 +no\n$/);
  });

  await t.step("sessions ls, with nobody logged in", async () => {
    const { stdout } = await cluster.ctl(["sessions", "ls"]);
    equal(stdout, "ID  USER  SINCE  EXPIRES  FROM  APPS  OPEN  LOCKED\n");
    const json = JSON.parse((await cluster.ctl(["sessions", "ls", "--format", "json"])).stdout);
    deepEqual(json, { schema: "vnet.ctl-sessions/1", sessions: [] });
    const ran = await cluster.ctl(["sessions", "rm", "0123abcd"]);
    match(ran.stderr, /^error: There is no login whose id begins with "0123abcd" \[not-found\]/);
  });

  await t.step("lock, of nobody and of somebody", async () => {
    const nobody = await cluster.ctl(["lock", "user", "alcie"]);
    equal(nobody.code, 1);
    match(nobody.stderr, /^error: There is no user "alcie" \[resource-invalid\]\nhint: .*--force/);
    const forced = await cluster.ctl(["lock", "user/alcie", "--force"]);
    equal(forced.code, 0);
    const ran = await cluster.ctl(["lock", "user", "alice", "--ttl", "1h"]);
    match(
      ran.stderr,
      /^Locked user alice out, until \S+Z; nothing was open\nUndo it with: vnet ctl rm lock\/lock-\w+\n$/,
    );
    match((await cluster.ctl(["users", "ls"])).stdout, /alice .* yes\n$/);
  });
});

Deno.test("vnet ctl shows, gives, moves and releases public addresses", async (t) => {
  await using cluster = await Cluster.start();
  const file = `${cluster.directory}/addr.yaml`;
  const written = (app: string) =>
    `kind: public_addr\nversion: v1\nmetadata: { name: db.company.test }\nspec: { app: ${app} }\n`;

  await t.step("create gives one", async () => {
    await Deno.writeTextFile(file, written("db"));
    const ran = await cluster.ctl(["create", file]);
    equal(ran.stdout, "public_addr/db.company.test created\n");
  });
  await t.step("another app does not get it by the way", async () => {
    await Deno.writeTextFile(file, written("web"));
    match((await cluster.ctl(["create", file])).stderr, /\[resource-exists\]/);
  });
  await t.step("edit gives it to another", async () => {
    const ran = await cluster.ctl(["edit", "public_addr/db.company.test"], {
      env: { EDITOR: "sed -i 's/app: db/app: web/'" },
    });
    equal(ran.stdout, "public_addr/db.company.test replaced\n");
    match((await cluster.ctl(["get", "public_addrs"])).stdout, /\n {2}app: web\n/);
  });
  await t.step("rm releases it", async () => {
    const ran = await cluster.ctl(["rm", "public_addr/db.company.test"]);
    equal(ran.stderr, "Removed public_addr/db.company.test\n");
    equal((await cluster.ctl(["get", "public_addrs"])).stderr, "There is no public_addr\n");
  });
  await t.step("the proxy's own name is nobody's", async () => {
    const own = written("web").replace("db.company.test", "proxy.test.example");
    await Deno.writeTextFile(file, own);
    match((await cluster.ctl(["create", file])).stderr, /the proxy's own/);
  });
  await t.step("the audit log says for which app", async () => {
    const { stdout } = await cluster.ctl(["audit"]);
    match(
      stdout,
      /"event":"resource.put".*"name":"db.company.test","app":"db"/,
    );
  });
});

Deno.test("vnet ctl apps ls shows what is served, and what is refused and why", async () => {
  await using cluster = await Cluster.start();
  const { auth } = cluster.server;
  const scope = { kinds: ["app"], apps: ["db", "web"], labels: {}, publicAddrs: [] };
  const agent = {
    agentId: "a1",
    name: "edge",
    apps: ["db", "web"],
    scope,
    certificateExpiresMs: 0,
  };
  await auth.greet({
    agent,
    instance: Symbol(),
    apps: [
      { name: "db", labels: {}, public_addrs: [] },
      { name: "web", labels: {}, public_addrs: ["db.proxy.test.example"] },
    ],
  });
  const ran = await cluster.ctl(["apps", "ls"]);
  equal(
    ran.stdout,
    "APP  PUBLIC ADDRS           AGENTS\ndb   db.proxy.test.example  edge\n\nRefused:\n" +
      'edge: web: its public address db.proxy.test.example belongs to the app "db" [public-addr-taken]\n',
  );
  match(ran.stderr, /^public-addr-taken: Take another public_addr, or /);
  const json = JSON.parse((await cluster.ctl(["apps", "ls", "--json"])).stdout);
  equal(json.schema, "vnet.ctl-apps/1");
  equal(json.refused[0].code, "public-addr-taken");
});

Deno.test("vnet ctl says whether the server is down or not to be asked", async () => {
  const cluster = await Cluster.start();
  try {
    await cluster.server[Symbol.asyncDispose]();
    const ran = await cluster.ctl(["status"]);
    equal(
      ran.stderr,
      `error: Cannot ask the server: nobody answers at "${cluster.directory}/data/admin.sock" [server-not-running]\n` +
        "hint: Start it with `vnet server start`\n",
    );
  } finally {
    await Deno.remove(cluster.directory, { recursive: true });
  }
});

Deno.test("vnet ctl status says what runs, since when, and until when certificates hold", async () => {
  await using cluster = await Cluster.start();
  const { stdout } = await cluster.ctl(["status"]);
  const moment = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC";
  const lines = [
    "cluster  test\\.example \\(version \\S+\\)",
    "ca pin   sha256:[0-9a-f]{64}",
    "proxy    proxy\\.test\\.example:443",
    `running  for \\d+ seconds?, since ${moment}`,
    "web      certificate for proxy\\.test\\.example, issued by the cluster, renewed by itself",
    `         good until ${moment} \\(23 hours left\\)`,
    `cas      good until ${moment} \\(\\d+ days left\\)`,
    "agents   0 of 0 connected",
    "apps     0",
    "users    0, with no logins and no open connections",
    "locks    0",
  ];
  const found = stdout.split("\n");
  deepEqual(found.length, lines.length + 1);
  lines.forEach((line, i) => match(found[i]!, new RegExp(`^${line}$`)));
  const json = JSON.parse((await cluster.ctl(["status", "--format", "json"])).stdout);
  equal(json.schema, "vnet.ctl-status/1");
  equal(json.web_certificate.source, "cluster");
});

Deno.test("vnet ctl prints JSON as vnet schema describes it", async (t) => {
  await using cluster = await Cluster.start();
  await cluster.ctl(["create", await cluster.write("resources.yaml", FILE)]);
  await cluster.ctl(["lock", "user", "alice"]);
  const cases: [args: string, schema: z.ZodObject, filled: string | null][] = [
    ["status", CtlStatusV1Schema, "authorities"],
    ["users ls", CtlUsersV1Schema, "users"],
    ["sessions ls", CtlSessionsV1Schema, null],
    ["tokens add --any", CtlTokenV1Schema, null],
    ["tokens ls", CtlTokensV1Schema, "tokens"],
    ["agents ls", CtlAgentsV1Schema, null],
    ["apps ls", CtlAppsV1Schema, null],
    ["get roles", CtlResourcesV1Schema, "resources"],
    ["get lock", CtlResourcesV1Schema, "resources"],
  ];
  for (const [args, schema, filled] of cases) {
    await t.step(args, async () => {
      const { code, stdout, stderr } = await cluster.ctl([...args.split(" "), "--json"]);
      equal(code, 0, stderr);
      const printed = JSON.parse(stdout);
      schema.strict().parse(printed);
      if (filled !== null) ok(printed[filled].length > 0);
    });
  }
  await t.step("audit, line by line", async () => {
    const lines = (await cluster.ctl(["audit"])).stdout.trimEnd().split("\n");
    ok(lines.length > 1);
    for (const line of lines) CtlAuditV1Schema.parse(JSON.parse(line));
  });
});

Deno.test("vnet completions know the names of resources, where the server can be asked", async (t) => {
  await using cluster = await Cluster.start();
  const complete = async (...words: string[]) => {
    const { code, stdout, stderr } = await cluster.vnet(["completions", "bash", ...words]);
    deepEqual([code, stderr], [0, ""]);
    return stdout.split("\n").filter((line) => line !== "");
  };
  await cluster.ctl(["create", await cluster.write("resources.yaml", FILE)]);
  const rows: [words: string[], want: string[]][] = [
    [["ctl", "get", "us"], ["user"]],
    [["ctl", "get", "user/"], ["user/alice"]],
    [["ctl", "edit", "roles/d"], ["roles/dev"]],
    [["ctl", "rm", "role", ""], ["access", "dev"]],
    [["ctl", "rm", "role/x"], []],
    [["ctl", "get", "weather/"], []],
    [["ctl", "get", "user", "alice", ""], []],
    [["--config", `${cluster.directory}/none.yaml`, "ctl", "get", "user/"], []],
  ];
  for (const [words, want] of rows) {
    await t.step(words.join(" "), async () => deepEqual(await complete(...words), want));
  }
  await t.step("silent once the server is down", async () => {
    await cluster.server[Symbol.asyncDispose]();
    deepEqual(await complete("ctl", "get", "user/"), []);
    deepEqual(await complete("ctl", "get", "us"), ["user"]);
  });
});

Deno.test("an argument that is missing is named, with an example that the program understands", async (t) => {
  await using cluster = await Cluster.start();
  for (const [command, example] of Object.entries(EXAMPLES)) {
    await t.step(command, async () => {
      equal(complaintOf(example.split(" ").slice(1)), null);
      const words = command.split(" ");
      if (words[0] !== "ctl") return; // run by the tests of that command
      const ran = await cluster.ctl(words.slice(1));
      equal(ran.code, 2);
      match(ran.stderr, /^error: Missing argument [A-Z/[\]]+: .{6,} \[usage\]\n/);
      ok(ran.stderr.includes(`for example \`${example}\`\n`), ran.stderr);
    });
  }
  const cases: [args: string[], stderr: RegExp][] = [
    [
      ["tokens", "add", "--ttl", "5s"],
      /^error: Option --ttl must be at least 1m, not "5s" \[usage\]/,
    ],
    [
      ["tokens", "add", "--ttl", "8d"],
      /^error: Option --ttl must be at most 7d, not "8d" \[usage\]/,
    ],
    [
      ["tokens", "add"],
      /^error: Cannot make a token without a limit: say which apps it is for \[usage\]\nhint: .*--apps.*--label.*--any/,
    ],
    [
      ["tokens", "add", "--any", "--apps", "db"],
      /^error: Option --any is for a token without --apps and --label \[usage\]/,
    ],
    [
      ["tokens", "add", "--apps", "db", "--public-addr", "*db.test"],
      /^error: Cannot read the public address "\*db\.test" \[usage\]\nhint: Use a DNS name/,
    ],
    [["audit", "--limit", "0"], /^error: Option --limit must be at least 1, not "0" \[usage\]/],
    [["users", "add", "bob"], /^error: Missing option --roles ROLE\[,ROLE\]: what the user may do/],
    [
      ["get", "tokens"],
      /^error: There is no kind of resource "tokens" \[usage\]\nhint: .*tokens ls/,
    ],
    [["rm", "role"], /^error: Missing argument NAME: which role to remove \[usage\]/],
    [
      ["lock", "usr", "x"],
      /^error: Cannot lock "usr": a lock is for a user, role, agent or session/,
    ],
    [["sessions", "rm", "xx"], /^error: Cannot read the id "xx": an id is 4 to 32 hex digits/],
  ];
  for (const [args, stderr] of cases) {
    await t.step(args.join(" "), async () => {
      const ran = await cluster.ctl(args);
      match(ran.stderr, stderr);
      equal(ran.code, 2);
    });
  }
});

Deno.test("vnet ctl backup copies a running server's store, vnet server restore puts it back", async () => {
  await using cluster = await Cluster.start();
  const file = await cluster.write("resources.yaml", FILE);
  const copy = `${cluster.directory}/copy.db`;
  equal((await cluster.ctl(["create", file])).code, 0);
  const made = await cluster.ctl(["backup", copy]);
  deepEqual([made.code, made.stdout], [0, ""]);
  match(made.stderr, /^Wrote .*copy\.db: 1 user, \d+ KiB\. It has the cluster's private keys/);
  equal((await Deno.stat(copy)).mode! & 0o777, 0o600);
  const again = await cluster.ctl(["backup", copy]);
  equal(again.code, 2);
  match(again.stderr, /there is a file ".*copy\.db" \[backup-exists\]\nhint: .*--force/);
  equal((await cluster.ctl(["rm", "user/alice"])).code, 0);

  const running = await cluster.vnet(["server", "restore", "--force", copy]);
  equal(running.code, 1);
  match(running.stderr, /the server is running \[server-running\]/);
  await cluster.server[Symbol.asyncDispose]();
  const restored = await cluster.vnet(["server", "restore", "--force", copy]);
  deepEqual([restored.code, restored.stdout], [0, ""], restored.stderr);
  match(restored.stderr, /^Restored test\.example in .*: 1 user\. Start the server/);
  await cluster.start();
  const users = await cluster.ctl(["users", "ls"]);
  match(users.stdout, /^alice /m);
});
