/**
 * The newcomer's walk (`deno task walk`, root): a machine with nothing but Debian's minimum and Node, a clone, the
 * commands of README.md as they stand there, and then the pages for an admin and a user line by line, until psql
 * reaches a database through vnet. Everything is in memory and in namespaces; this machine is not touched.
 *
 *   deno task walk            what CI does: of README's second command the setup and the unit tests
 *   deno task walk --lab      README's second command as it stands there, every test
 *
 * CI runs the whole of the second command itself, so its walk does not repeat the lab. The first time it fetches
 * Debian packages, some 500 MB, into ~/.cache/vnet-walk.
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
const TEST_COMMAND = `${DENO.join(" ")} task test`;
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
  await typeReadme(machine);
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

/** Types what README says to do in a clone, its two commands first; what developers do there, the lab types. */
async function typeReadme(machine: Host): Promise<void> {
  const place = { host: machine, directory: CLONE };
  const player = new GuidePlayer(
    { machine: place, clone: place },
    () => "/dev/null",
    () => Promise.reject(new Error("Nothing stays")),
    10 * MINUTE_MS,
  );
  const blocks = (await readPages()).flatMap(markedBlocks);
  const beganMs = performance.now();
  for (const block of blocks) {
    if (block.page !== "README.md") continue;
    const where = `README.md:${block.line}`;
    if (block.text.includes(`$ ${TEST_COMMAND}\n`)) {
      await step(`${where}, the second command`, () => runTests(machine));
      const tookS = (performance.now() - beganMs) / 1000;
      say(`The two commands took ${tookS.toFixed(0)} s`);
    } else if (block.mark?.kind === "run" && block.mark.place === "clone") {
      await step(where, () => player.play(block));
    }
  }
  for (const block of blocks) {
    if (block.mark?.kind !== "run" || block.mark.place !== "machine") continue;
    await step(`${block.page}:${block.line}`, () => player.play(block));
  }
}

/** Runs README's second command: all of it, or what is before the lab. */
async function runTests(machine: Host): Promise<void> {
  const command = Deno.args.includes("--lab") ? TEST_COMMAND : `${TEST_COMMAND} unit`;
  say(`root@newcomer$ ${command}`);
  const { stdout, code } = await machine.run(["sh", "-c", `cd ${CLONE}; ${command} 2>&1`], {
    timeoutMs: 30 * MINUTE_MS,
    expect: "any",
    quiet: true,
  });
  const lines = stdout.trimEnd().split("\n");
  say(lines.filter((line) => /^setup: /.test(line)).join("\n"));
  say(lines.slice(code === 0 ? -2 : -200).join("\n"));
  equal(code, 0);
  match(lines.at(-1) ?? "", /^ok \| [1-9]\d* passed .*\| 0 failed/);
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
