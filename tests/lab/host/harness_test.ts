import { equal, match, rejects } from "node:assert/strict";
import { story } from "./needs.ts";
import { here } from "./paths.ts";
import {
  SPEAKS_FIRST_BYTES,
  startNginx,
  startPostgres,
  startRedis,
  startResolver,
  startSockets,
} from "../world/services.ts";
import { until } from "./wait.ts";
import { openHosts } from "../world/world.ts";

story("Lab starts hosts, wires them, and leaves nothing behind", async (step, lab) => {
  const [left, right] = await lab.hosts("left", "right");

  await step("hosts have names, /etc, /home and /run of their own", async () => {
    equal(await left.output(["hostname"]), "left");
    await left.script("echo left >/etc/only-here; echo left >/run/only-here");
    equal((await right.run(["cat", "/etc/only-here"], { expect: "any" })).code, 1);
    match(await right.output(["cat", "/etc/resolv.conf"]), /^nameserver 203\.0\.113\.53$/m);
    equal(await right.output(["ls", "/home"]), "root");
    match(await right.output(["getent", "passwd", "root"]), /:\/home\/root:/);
  });

  await step("a wire carries both address families", async () => {
    await lab.wire(left, "eth0", right, "eth0");
    await left.script(
      "ip address add 192.0.2.1/24 dev eth0\nip address add 2001:db8::1/64 dev eth0",
    );
    await right.script(
      "ip address add 192.0.2.2/24 dev eth0\nip address add 2001:db8::2/64 dev eth0",
    );
    const server = right.spawn(["socat", "TCP6-LISTEN:7,fork,reuseaddr", "EXEC:cat"]);
    await right.listening(7);
    equal(
      await left.output(["socat", "-t5", "-", "TCP4:192.0.2.2:7"], { stdin: "four\n" }),
      "four",
    );
    equal(
      await left.output(["socat", "-t5", "-", "TCP6:[2001:db8::2]:7"], { stdin: "six\n" }),
      "six",
    );
    await server.stop();
  });

  await step("a late command is killed and its host goes on", async () => {
    await rejects(left.run(["sleep", "1000"], { timeoutMs: 100 }), /Not within 100 ms/);
    equal(left.processes().filter((process) => process.command[0] === "sleep").length, 0);
  });

  await step("an orphan is reaped", async () => {
    await left.script("setsid sleep 0.01 >/dev/null 2>&1 &");
    await until("the orphan is gone, not a zombie", 5_000, async () => {
      const names = await left.output(["ps", "-eo", "comm="], { quiet: true });
      return !names.includes("sleep");
    });
  });

  await step("a program is waited for by what it says", async () => {
    const program = right.spawn(["sh", "-c", "echo one; read word; echo got $word; exec cat"]);
    await program.line(/^one$/, 2_000);
    await program.write("two\n");
    equal((await program.line(/^got (.*)$/, 2_000))[1], "two");
    await program.stop();
    equal(right.processes().filter((process) => process.command[0] === "cat").length, 0);
  });
  right.spawn(["sleep", "1000"]);
});

story("the lab's world works without vnet", async (step, lab) => {
  const { client, lan, resolver, proxy, agent } = await openHosts(lab);
  await startResolver(lab, resolver);

  await step("everybody resolves what is public and nothing else", async () => {
    for (const host of [client, lan, proxy, agent]) {
      match(await host.output(["getent", "ahosts", "vnet.example.com"]), /203\.0\.113\.10/);
    }
    match(await client.output(["dig", "pg.vnet.example.com"]), /status: NXDOMAIN/);
    equal(await client.output(["dig", "+short", "AAAA", "vnet.example.com"]), "2001:db8:113::10");
  });

  await step("the agent reaches the proxy, and nobody reaches the agent", async () => {
    proxy.spawn(["socat", "TCP6-LISTEN:443,fork,reuseaddr", "EXEC:cat"]);
    await proxy.listening(443);
    for (const address of ["203.0.113.10:443", "[2001:db8:113::10]:443"]) {
      equal(await agent.output(["socat", "-t5", "-", `TCP:${address}`], { stdin: "x\n" }), "x");
    }
    agent.spawn(["socat", "TCP6-LISTEN:443,fork,reuseaddr", "EXEC:cat"]);
    await agent.listening(443);
    for (const address of ["10.20.0.10:443", "[2001:db8:20::10]:443"]) {
      const command = ["socat", "-", `TCP:${address},connect-timeout=0.3`];
      equal((await client.run(command, { expect: [1] })).code, 1);
    }
  });

  await step("every server answers on the agent's host", async () => {
    const [sockets] = await Promise.all([
      startSockets(lab, agent),
      startPostgres(lab, agent),
      startNginx(lab, agent),
      startRedis(lab, agent),
    ]);
    equal(
      await agent.output([
        "psql",
        "-Atqh",
        "127.0.0.1",
        "-U",
        "alice",
        "-c",
        "select 6 * 7",
        "postgres",
      ]),
      "42",
    );
    equal(await agent.output(["curl", "-s", "http://[::1]/"]), "port 80");
    equal(await agent.output(["redis-cli", "ping"]), "PONG");
    const tool = ["deno", "run", "-A", here("tools/client.ts")];
    match(await agent.output([...tool, "digest", "::1", "7001", "100000"]), /^same 100000 /);
    match(
      await agent.output([...tool, "listen-first", "127.0.0.1", "7002", `${SPEAKS_FIRST_BYTES}`]),
      /^same /,
    );
    await sockets.line(/^received 1000003 /, 2_000);
    match(await agent.output([...tool, "connect", "127.0.0.1", "9", "500"]), /"result":"refused"/);
    const held = agent.spawn([...tool, "hold", "::1", "7003", "active"]);
    await held.line(/^open$/, 5_000);
    await sockets.stop("SIGKILL");
    await held.line(/^ended /, 2_000);
  });
});
