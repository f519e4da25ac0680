/** `vnet run`: an ordinary user's command has the apps by name, and is the command and nothing else. */
import { deepEqual, equal, match } from "node:assert/strict";
import { story } from "../host/needs.ts";
import { demandSecondFactor } from "../check/second_factor.ts";
import { Keyboard } from "../check/keyboard.ts";
import { killQuietly } from "../host/process.ts";
import type { HostProcess } from "../host/host.ts";
import { addPerson } from "../world/people.ts";
import { installPacked } from "../world/packed.ts";
import { until } from "../host/wait.ts";
import { USER, World } from "../world/world.ts";

const UID = 12_345;
const ALONE = ["--network", "none"];
const URI = `postgres://${USER}@pg.vnet.example.com/postgres`;
const CURL = ["curl", "-sS", "--max-time", "10", "http://web.vnet.example.com/"];
/** What only the rest of the network has: the proxy itself. */
const OUTSIDE = ["curl", "-sSk", "--max-time", "20", "-o", "/dev/null", "https://203.0.113.10/"];

story(
  "run: a command in namespaces of its own",
  async (step, lab) => {
    const world = await World.open(lab, "postgres", "nginx");
    const { client } = world;
    const command = await installPacked(client);
    const alice = await addPerson(client, "alice", UID, command);
    await addPerson(client, "bob", UID + 1, command);
    // As most systems have it; the lab's is the machine's own, and root's.
    await client.script(`
    mount -t tmpfs -o mode=755 devices /dev/net
    mknod -m 666 /dev/net/tun c 10 200
  `);
    await world.login(alice.vnet);
    const env = { HOME: "/home/alice", USER: "alice", XDG_RUNTIME_DIR: alice.runtimeDir };
    const run = (words: readonly string[], ...options: readonly string[]) =>
      alice.vnet.run(["run", ...options, "--", ...words], { expect: "any" });
    const says = async (words: readonly string[], ...options: readonly string[]) => {
      const { stdout, stderr, code } = await run(words, ...options);
      equal(code, 0, stderr);
      return stdout.trim();
    };
    const shell = (script: string) => ["sh", "-c", script];
    const left = () =>
      client.processes().filter(({ command }) => /run-|pasta|slirp/.test(command.join(" ")));
    const sleeping = () =>
      client.processes().find(({ command }) => command[0] === "sleep" && command[1] === "100") ??
        null;
    const mounts = () => client.output(["cat", "/proc/self/mounts"], { quiet: true });
    const before = await mounts();
    const vnet = command.join(" ");
    const own = { user: "alice", env };
    const nothingLeft = () => until("no process is left", 30_000, () => left().length === 0);

    await step(
      "psql, curl and getent know the apps, and the rest of the network is there",
      async () => {
        const answers = await says(shell(EVERYTHING));
        const [psql, curl, address4 = "", address6 = "", outside] = answers.split("\n");
        deepEqual([psql, curl, outside], ["1", "port 80", "outside 0"]);
        match(address4, /^100\.100\./);
        match(address6, /^fd/);
        equal((await run(OUTSIDE, "--network", "slirp4netns")).code, 0);
      },
    );

    await step("nobody else knows them, and the host is as it was", async () => {
      const getent = ["getent", "hosts", "web.vnet.example.com"];
      equal((await client.run(getent, { expect: "any" })).code, 2);
      equal(await client.output(["ip", "-o", "link", "show", "type", "tun"]), "");
      await nothingLeft();
    });

    await step(
      "without pasta and slirp4netns there are the apps, and a line that says so",
      async () => {
        const programs = ["/usr/bin/pasta", "/usr/bin/slirp4netns"];
        await client.script(programs.map((path) => `mount --bind /dev/null ${path}`).join("\n"));
        const { stdout, stderr } = await run(shell(EVERYTHING));
        await client.script(`umount ${programs.join(" ")}`);
        match(stdout, /^1\nport 80\n100\..*\nfd.*\noutside 7\n$/);
        const note = stderr.split("\n").filter((line) => !line.startsWith("curl: "));
        equal(note.length, 2);
        match(
          note[0]!,
          /^Only your apps are reachable.*neither pasta nor slirp4netns.*package passt$/,
        );
      },
    );

    await step("it goes on knowing them when the host gets another resolver file", async () => {
      const place = `${lab.directory}/resolver`;
      await client.run(["mkdir", "-m", "777", place]);
      const inner = `touch ${place}/begun; until [ -e ${place}/replaced ]; do sleep 0.1; done; ` +
        "for i in $(seq 100); do getent hosts web.vnet.example.com && exit; sleep 0.2; done; exit 9";
      const running = run(shell(inner), ...ALONE);
      await until("it has begun", 30_000, async () => {
        return (await client.run(["test", "-e", `${place}/begun`], { expect: "any" })).code === 0;
      });
      await client.script(`
        target=$(readlink -f /etc/resolv.conf)
        cp $target $target.new
        mv $target.new $target
        touch ${place}/replaced
      `);
      const { stdout, code } = await running;
      deepEqual([code, /web\.vnet\.example\.com/.test(stdout)], [0, true]);
    });

    await step(
      "it is the user's own command: words, folder, variables, descriptors, limits",
      async () => {
        const script = 'cd "$1" && shift && ulimit -Sn 500 && ' +
          'env ODD="a  b" LD_ODD=c "$@"';
        const inner = 'printf "%s|" "$@"; pwd; echo "$ODD $LD_ODD"; ulimit -Sn; cat <&5';
        // deno-fmt-ignore
        const { stdout } = await client.run(["bash", "-c", `exec 5<<<five; ${script}`, "bash", "/usr/share",
      ...command, "run", "--network", "none", "--", "sh", "-c", inner, "sh", "--help", "", "a b", "--"],
      own);
        equal(stdout, "--help||a b|--|/usr/share\na  b c\n500\nfive\n");
      },
    );

    await step("it has no privilege, and can get none; its status is ours", async () => {
      const script =
        "grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Uid):' /proc/self/status; id -un; " +
        "ip link add type dummy || mount -t tmpfs x /mnt || sudo -n true || exit 7";
      const { stdout, code } = await run(shell(script), ...ALONE);
      deepEqual(stdout.trim().split("\n"), [
        `Uid:\t${[UID, UID, UID, UID].join("\t")}`,
        ...["Inh", "Prm", "Eff", "Amb"].map((set) => `Cap${set}:\t0000000000000000`),
        "NoNewPrivs:\t1",
        "alice",
      ]);
      equal(code, 7);
      equal((await run(["no-such-command"])).code, 127);
    });

    await step("signals are its own", async () => {
      const { stdout } = await client.run(["bash", "-c", SIGNALS, "bash", ...command], own);
      equal(stdout, "same\n9\ncaught\n138\n0\n");
      await nothingLeft();
    });

    await step("on a terminal it is as if it stood there alone", async () => {
      const inner =
        "trap 'echo INT; exit 3' INT; stty size; echo begun; while :; do sleep 0.1; done";
      const line = `${vnet} run --network none -- sh -c ${quoted(inner)}`;
      const direct = await Keyboard.open(client, `${lab.directory}/direct`, line, own);
      await direct.sees(/40 100\r\nbegun/);
      await direct.type("\\003");
      await direct.sees(/INT/);
      equal(await direct.status(), 3);
    });

    await step("a shell stops it, and has it go on", async () => {
      const shell = "bash --norc --noprofile -i";
      const typed = await Keyboard.open(client, `${lab.directory}/jobs`, shell, own);
      const inner = "echo be''gun; read x; curl -sS http://web.vnet.example.com/; exit 5";
      await typed.type(`${vnet} run --network none -- sh -c "${inner}"\\r`);
      await typed.sees(/begun/);
      await typed.type("\\032");
      await typed.sees(/Stopped/);
      await typed.type("fg\\r");
      await typed.sees(/vnet run/);
      await typed.type("\\r");
      await typed.sees(/port 80/);
      await typed.type("echo status $?\\r");
      await typed.sees(/status 5/);
      await typed.type(`${vnet} run --network none -- sleep 100\\r`);
      await until("it sleeps", 30_000, () => sleeping() !== null);
      await typed.type("\\003");
      await typed.type("echo status $?\\r");
      await typed.sees(/status 130/);
      await typed.type("exit 0\\r");
      equal(await typed.status(), 0);
      await nothingLeft();
    });

    await step("strangers stay out, and whoever is killed, nothing is left", async () => {
      for (const victim of ["run-helper", "run-daemon", "sleep"]) {
        const running = client.spawn([...command, "run", "--", "sleep", "100"], own);
        await until("it sleeps", 30_000, () => sleeping() !== null);
        const sleep = sleeping()!;
        if (victim === "sleep") {
          const facts = Deno.readTextFileSync(`/proc/${sleep.pid}/status`);
          const inHost = facts.match(/^NSpid:.*\t(\d+)$/m)![1]!;
          const enter = [
            "nsenter",
            `--target=${inHost}`,
            "--user",
            "--net",
            "--preserve-credentials",
          ];
          equal((await client.run([...enter, "true"], { user: "bob", expect: "any" })).code, 1);
        }
        const isVictim = ({ command }: HostProcess) => command.join(" ").includes(victim);
        killQuietly([...left(), sleep].find(isVictim)!.pid, "SIGKILL");
        await nothingLeft();
        killQuietly(sleep.pid, "SIGKILL");
        await running.status;
        await until("it is gone", 30_000, () => sleeping() === null);
      }
      equal(await mounts(), before);
    });

    await step("where namespaces are forbidden, one line says so", async () => {
      const forbid = "echo 0 >/proc/sys/user/max_user_namespaces; " +
        'exec setpriv --bounding-set=-all --inh-caps=-all "$@"';
      // deno-fmt-ignore
      const { stderr, code } = await client.run(["unshare", "--user", "--map-root-user", "sh", "-euc", forbid, "sh",
      ...command, "run", "--", "true"], { ...own, expect: "any" });
      match(
        stderr,
        /user\.max_user_namespaces is 0\) \[namespaces-denied\]\n.*sysctl user\.max_user/,
      );
      equal(stderr.trim().split("\n").length, 2);
      equal(code, 1);
      await client.script("chmod 600 /dev/net/tun");
      const denied = await run(["true"]);
      await client.script("chmod 666 /dev/net/tun");
      match(denied.stderr, /\[tun-open-denied\]\n.*chmod 666 \/dev\/net\/tun/);
      equal(denied.code, 5);
    });

    await step("Chromium shows a page of an app", async () => {
      // deno-fmt-ignore
      const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync", "--timeout=20000"];
      const page = ["--user-data-dir=/tmp/chromium", "--dump-dom", "http://web.vnet.example.com/"];
      const { stdout, stderr } = await run(["chromium", ...flags, ...page], ...ALONE);
      match(stdout, /port 80/, stderr);
    });

    await step("two at a time, beside the user's vnet up", async () => {
      await alice.sudo.run(["up", "--detach"]);
      await alice.vnet.run(["wait"]);
      const both = await Promise.all([says(CURL), says(CURL, ...ALONE), client.output(CURL, own)]);
      deepEqual(both, ["port 80", "port 80", "port 80"]);
      const seen = await client.output(["getent", "ahostsv4", "web.vnet.example.com"], own);
      equal(await says(["getent", "ahostsv4", "web.vnet.example.com"]), seen);
      await alice.sudo.run(["down"]);
    });

    await step("a second factor is asked for on the command's terminal", async () => {
      const totp = await demandSecondFactor(world, alice.vnet);
      const line = `${vnet} run --network none -- ${CURL.join(" ").replace("10", "30")}`;
      const typed = await Keyboard.open(client, `${lab.directory}/code`, line, own);
      await typed.sees(/Code of your authenticator for "web"/);
      await typed.type(`${totp.generate()}\\r`);
      await typed.sees(/approved[^]*port 80/);
      equal(await typed.status(), 0);
      // With nobody to ask it does not wait for them.
      const { stderr, code } = await run(CURL, ...ALONE);
      match(stderr, /^vnet: web\.vnet\.example\.com:80: .*\[mfa-required\]\n/);
      equal(code, 7);
      await nothingLeft();
    });
  },
  null,
  ["pasta", "slirp4netns", "chromium"],
);

const EVERYTHING = `
  psql -Atqc 'select 1' ${URI}
  ${CURL.join(" ")}
  getent ahostsv4 pg.vnet.example.com | head -1
  getent ahostsv6 pg.vnet.example.com | head -1
  ${OUTSIDE.join(" ")}
  echo outside $?
`;

/** The command is the process that was started; what a shell has ignored in the background stays so. */
const SIGNALS = `
  "$@" run --network none -- sh -c 'trap "echo caught; exit 9" TERM; echo $$; while :; do sleep 0.1; done' >/tmp/said &
  pid=$!
  until grep -q . /tmp/said; do sleep 0.1; done
  [ $(head -1 /tmp/said) = $pid ] && echo same
  kill -TERM $pid; wait $pid; echo $?; tail -1 /tmp/said
  "$@" run --network none -- sleep 100 & pid=$!
  until [ "$(cat /proc/$pid/comm)" = sleep ]; do sleep 0.1; done
  kill -USR1 $pid; wait $pid; echo $?
  "$@" run --network none -- sh -c 'kill -INT $$; exit 0' & wait $!; echo $?
`;

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
