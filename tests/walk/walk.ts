/**
 * The newcomer's walk (`deno task walk`, root): a machine with nothing but Debian's minimum and Node, a clone, the
 * commands of README.md as they stand there, and then the pages for an admin and a user line by line, until psql
 * reaches a database through vnet. Everything is in memory and in namespaces; this machine is not touched.
 *
 *   deno task walk            what CI does
 *   deno task walk --all      README's second command too, every test
 *
 * The first time it fetches Debian packages, some 400 MB, into ~/.cache/vnet-walk.
 *
 * @module
 */
import { equal, match, notEqual } from "node:assert/strict";
import { markedBlocks } from "../docs/marks.ts";
import { readPages } from "../docs/pages.ts";
import { GuidePlayer } from "../lab/check/guide_player.ts";
import { Host } from "../lab/host/host.ts";
import { here } from "../lab/host/paths.ts";
import { say } from "../lab/host/say.ts";

const CACHE = `${
  Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`
}/vnet-walk`;
const HOME = "/root";
const CLONE = `${HOME}/vnet`;
const DENO = ["npx", "-y", "deno@2.9.5"];
const MINUTE_MS = 60_000;

const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME,
  USER: "root",
  LANG: "C.UTF-8",
  TERM: "dumb",
  NO_COLOR: "1",
  CI: "1",
  DENO_NO_UPDATE_CHECK: "1",
  // Where the network has an authority of its own, root.sh has put it here.
  NODE_EXTRA_CA_CERTS: "/etc/ssl/certs/ca-certificates.crt",
  DENO_TLS_CA_STORE: "mozilla,system",
};

async function walk(machine: Host): Promise<void> {
  await step("nothing is there but Node", async () => {
    for (const program of ["gcc", "deno", "psql", "vnet", "nginx"]) {
      const found = await machine.run(["sh", "-c", `command -v ${program}`], { expect: "any" });
      notEqual(found.code, 0, `${program} is there`);
    }
    const find = ["find", HOME, "/home", "-mindepth", "1", "!", "-name", ".*rc"];
    equal(await machine.output([...find, "!", "-name", ".profile"]), "");
    match(await machine.output(["node", "--version"]), /^v2/);
  });
  await step("git clone", async () => {
    await machine.run(["git", "clone", "--quiet", "/srv/vnet.git", CLONE]);
  });
  await step("README's first command says in one line what is missing", async () => {
    const { code, stderr } = await machine.run([
      "sh",
      "-c",
      `cd ${CLONE}; ${DENO.join(" ")} task demo`,
    ], {
      expect: "any",
      timeoutMs: 5 * MINUTE_MS,
    });
    say(stderr.trimEnd());
    equal(code, 1);
    const own = stderr.split("\n").filter((line) => !/^(Task|Download|Initialize|npm) /.test(line));
    equal(own.filter((line) => line !== "").length, 1, stderr);
    match(stderr, /^Cannot build the shim: gcc or clang not found \(apt install gcc libc6-dev\)$/m);
  });
  await typePages(machine);
  if (Deno.args.includes("--all")) {
    await step("README's second command", async () => {
      const command = `cd ${CLONE}; ${DENO.join(" ")} task test`;
      const { stdout } = await machine.run(["sh", "-c", command], { timeoutMs: 30 * MINUTE_MS });
      say(stdout.trimEnd().split("\n").slice(-3).join("\n"));
    });
  }
  await step("the pages for an admin, an agent and a user, line by line", async () => {
    const story = [
      ...DENO,
      "test",
      "-A",
      "tests/lab/install/guides_test.ts",
      "--filter",
      "an admin",
    ];
    const command = `cd ${CLONE}; VNET_BIN=/usr/local/bin/vnet exec ${
      story.map((word) => `'${word}'`).join(" ")
    } 2>&1`;
    const { stdout, code } = await machine.run(["sh", "-c", command], {
      timeoutMs: 5 * MINUTE_MS,
      expect: "any",
    });
    say(stdout.trimEnd());
    equal(code, 0);
    match(stdout, /^alice@client\$ psql postgres:\/\/.*\nhello$/m);
    match(stdout, /^ok \| 1 passed /m);
  });
}

/** Types the setup, and then what README says to do in a clone; what developers do there, the lab types. */
async function typePages(machine: Host): Promise<void> {
  const blocks = (await readPages()).flatMap(markedBlocks);
  const place = { host: machine, directory: CLONE };
  const player = new GuidePlayer(
    { machine: place, clone: place },
    () => "/dev/null",
    () => Promise.reject(new Error("Nothing stays")),
    10 * MINUTE_MS,
  );
  for (const name of ["machine", "clone"]) {
    for (const block of blocks) {
      if (block.mark?.kind !== "run" || block.mark.place !== name) continue;
      if (name === "clone" && block.page !== "README.md") continue;
      await step(`${block.page}:${block.line}`, () => player.play(block));
    }
  }
}

async function step(name: string, run: () => Promise<void>): Promise<void> {
  say(`\n=== ${name}`);
  const beganMs = performance.now();
  await run();
  say(`=== ok (${((performance.now() - beganMs) / 1000).toFixed(1)} s)`);
}

/** Runs a program of this machine to its end. */
async function sh(...command: readonly string[]): Promise<string> {
  const [program = "", ...args] = command;
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command.join(" ")}: ${text.decode(stderr)}`);
  return text.decode(stdout).trim();
}

/** The machine's own Node: the program and npm's folder. */
async function findNode(): Promise<readonly [node: string, npm: string]> {
  const node = await sh("sh", "-c", 'realpath "$(command -v node)"');
  const cli = await sh("sh", "-c", 'realpath "$(command -v npm)"');
  return [node, cli.replace(/\/bin\/npm-cli\.js$/, "")];
}

if (Deno.uid() !== 0) {
  say("walk: not root: run `sudo deno task walk`");
  Deno.exit(1);
}
const beganMs = performance.now();
const repository = await Deno.makeTempDir({ prefix: "vnet-walk-" });
let failed = true;
try {
  await step("Debian's minimum", async () => {
    await sh("bash", here("../walk/base.sh"), CACHE);
    await sh("git", "clone", "--quiet", "--bare", here("../.."), repository);
  });
  const machine = await Host.open(
    "newcomer",
    [CACHE, repository, ...await findNode()],
    ENVIRONMENT,
    {
      script: here("../walk/root.sh"),
      ownNetwork: false,
      readyMs: MINUTE_MS,
    },
  );
  try {
    await walk(machine);
    failed = false;
  } finally {
    await machine.close();
  }
} finally {
  await Deno.remove(repository, { recursive: true });
}
say(`\nThe walk took ${((performance.now() - beganMs) / 1000).toFixed(0)} s`);
if (failed) Deno.exit(1);
