/** Download and run: the one file works where there is nothing else, and leaves nothing there. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { BareRoot, PLACE, VNET } from "../host/bare_root.ts";
import { story } from "../host/needs.ts";
import { killQuietly } from "../host/process.ts";
import { Vnet } from "../world/vnet.ts";
import { until } from "../host/wait.ts";
import { World } from "../world/world.ts";

story("bare root: doctor and demo where there is nothing", async (step, lab) => {
  const host = await lab.host("bare");
  await host.script("ip link set lo up");
  const root = await BareRoot.open(host);
  const held = /^All \d+ claims held/m;

  await step("vnet version names its form", async () => {
    const { stdout } = await root.vnet(["version", "--format", "json"]);
    const { schema, build, commit, runtime } = JSON.parse(stdout);
    deepEqual([schema, build], ["vnet.version/1", "packed"]);
    match(commit, /^[0-9a-f]{40}(-dirty)?$/);
    match(runtime, /^deno \d+\.\d+\.\d+$/);
  });

  await step(
    "vnet doctor finds that nobody is logged in, and changes nothing",
    () =>
      root.unchangedBy(async () => {
        const { stdout, code } = await root.vnet(["doctor", "--format", "json"], { expect: "any" });
        equal(code, 1);
        const { checks: found } = JSON.parse(stdout) as {
          checks: { id: string; status: string }[];
        };
        deepEqual(found.filter((f) => f.status === "fail").map((f) => f.id), ["auth.profile"]);
      }),
  );

  await step(
    "vnet demo holds what it claims, and changes nothing",
    () => root.unchangedBy(async () => void match((await root.vnet(["demo"])).stdout, held)),
  );

  await step("from a read-only mount, with no_new_privs, 256 descriptors and no HOME", async () => {
    await host.script(`
      mount --bind ${PLACE}/opt ${PLACE}/opt
      mount -o remount,bind,ro ${PLACE}/opt
    `);
    const under = ["setpriv", "--no-new-privs", "prlimit", "--nofile=256"];
    match((await root.vnet(["demo"], {}, under)).stdout, held);
    await host.script(`umount ${PLACE}/opt`);
  });

  for (const mode of [1, 2]) {
    await step(`with vm.memfd_noexec=${mode}`, async () => {
      const enter =
        `mount -t proc proc ${PLACE}/proc; echo ${mode} >${PLACE}/proc/sys/vm/memfd_noexec; exec "$@"`;
      const under = ["unshare", "--mount", "--pid", "--fork", "sh", "-euc", enter, "sh"];
      match((await root.vnet(["demo"], {}, under)).stdout, held);
    });
  }
});

story("bare root: up and down, and the signals", async (step, lab) => {
  const world = await World.open(lab, "nginx");
  const { client } = world;
  const root = await BareRoot.open(client);
  // Somebody has to say whom to ask for names; the host's own programs ask the same.
  await client.script(`
    mkdir ${PLACE}/etc
    touch ${PLACE}/etc/resolv.conf
    mount --bind /etc/resolv.conf ${PLACE}/etc/resolv.conf
  `);
  const vnet = new Vnet(client, { command: root.command });
  const resolvConf = () => client.output(["cat", "/etc/resolv.conf"], { quiet: true });
  const ready = () =>
    until(
      "vnet is ready",
      20_000,
      async () => (await vnet.run(["wait"], { expect: "any" })).code === 0,
    );
  const original = await resolvConf();
  const vnets = (role: string) =>
    client.processes().filter(({ command }) => command[0]?.endsWith(VNET) && command[1] === role);
  await world.login(vnet);

  await step("up, a connection by name, ps, down", async () => {
    await vnet.run(["up", "--detach"]);
    await vnet.run(["wait"]);
    equal(await client.output(["curl", "-sS", "http://web.vnet.example.com/"]), "port 80");
    const programs = client.processes().filter(({ command }) => command[0]?.endsWith(VNET));
    ok(programs.length >= 2, "helper and daemon");
    for (const { pid } of programs) equal(Deno.readTextFileSync(`/proc/${pid}/comm`), "vnet\n");
    await vnet.run(["down"]);
    equal(await resolvConf(), original);
  });

  await step("run: a command of root's has the app, and nothing of it is left", async () => {
    // Somebody has to connect: a shell can.
    await client.script(`
      install -D -m 755 /bin/bash ${PLACE}/bin/bash
      for library in $(ldd /bin/bash | grep -o '/[^ ]*'); do
        mkdir -p ${PLACE}$(dirname $library) && cp $library ${PLACE}$library
      done
    `);
    const ask = "cd / && exec 3<>/dev/tcp/web.vnet.example.com/80 && " +
      "printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && while read -r line; do echo $line; done <&3; pwd; exit 4";
    const words = ["run", "--network", "none", "--", "/bin/bash", "-c", ask];
    const { stdout } = await vnet.run(words, { expect: [4] });
    match(stdout, /^HTTP\/1\.1 200 OK\r?\n[^]*port 80\n\/\n$/);
    equal(await resolvConf(), original);
    await until("no vnet runs", 30_000, () => vnets("run-daemon").length === 0);
  });

  await step("strace: up and down write nothing but their own state", async () => {
    const trace = lab.log("strace");
    const calls =
      "open,openat,creat,mkdir,mkdirat,rename,renameat2,link,linkat,symlink,symlinkat,truncate,mknodat,chmod,fchmodat,fchownat,unlink,unlinkat";
    const traced = [
      "strace",
      "-f",
      "--seccomp-bpf",
      "-qq",
      "-e",
      `trace=${calls}`,
      "-e",
      "signal=none",
      "-o",
      trace,
    ];
    const tracing = client.spawn([...traced, ...root.command, "up"]);
    await ready();
    await client.run(["curl", "-sS", "http://web.vnet.example.com/"]);
    await vnet.run(["down"]);
    await tracing.status;
    const written = writtenPaths(await Deno.readTextFile(trace));
    ok(written.length > 0);
    deepEqual(written.filter((path) => !OWN.some((own) => own.test(path))), []);
  });

  const kill = (role: string, signal: Deno.Signal) => {
    const found = vnets(role);
    equal(found.length, 1, role);
    killQuietly(found[0]!.pid, signal);
  };
  const untouched = async () => {
    await until("the device is gone", 5_000, () => !linkExists(client.pid, "vnet0"));
    await until("resolv.conf is back", 5_000, async () => await resolvConf() === original);
    await until(
      "no vnet runs",
      5_000,
      () => !client.processes().some(({ command }) => command[0]?.endsWith(VNET)),
    );
  };

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await step(`${signal} to \`vnet up\`: it ends with 0, and the host is as it was`, async () => {
      const running = client.spawn([...root.command, "up"]);
      await ready();
      ok(linkExists(client.pid, "vnet0"));
      kill("up", signal);
      equal((await running.status).code, 0);
      await untouched();
    });
  }

  await step("SIGKILL to `vnet up`: helper and daemon go on, as with --detach", async () => {
    const running = client.spawn([...root.command, "up"]);
    await ready();
    kill("up", "SIGKILL");
    await running.status;
    equal(await client.output(["curl", "-sS", "http://web.vnet.example.com/"]), "port 80");
    await vnet.run(["down"]);
    await untouched();
  });

  await step("SIGKILL to helper and daemon: the guard repairs, without a shell", async () => {
    await vnet.run(["up", "--detach"]);
    await ready();
    kill("helper", "SIGKILL");
    kill("daemon", "SIGKILL");
    await untouched();
  });
});

/** Where vnet keeps what is its own, and what it is there to change. */
const OWN = [
  /^\/(\.config|\.local)(\/|$)/,
  /^\/(run|var\/lib)\/vnet(\/|$)/,
  /^\/(run|var|var\/lib)$/,
  /^\/etc\/resolv\.conf$/,
  /^\/dev\/(net\/tun|null)$/,
  /^\/proc\//,
];

/** @returns What was opened for writing, made or removed, without what failed; sorted, each once. */
function writtenPaths(trace: string): string[] {
  const paths = new Set<string>();
  for (const line of trace.split("\n")) {
    if (!/\) += \d/.test(line)) continue;
    const isOpen = /^\d+ +open(at)?\(/.test(line);
    if (isOpen && !/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(line)) continue;
    for (const [, path] of line.matchAll(/"((?:[^"\\]|\\.)*)"/g)) {
      paths.add(path!.replace(/^\/+/, "/"));
    }
  }
  return [...paths].sort();
}

function linkExists(pid: number, name: string): boolean {
  return Deno.readTextFileSync(`/proc/${pid}/net/dev`).includes(`${name}:`);
}
