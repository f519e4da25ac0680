import { equal, match, rejects } from "node:assert/strict";
import { story } from "./needs.ts";
import { until } from "./wait.ts";

story("Lab starts hosts, wires them, and leaves nothing behind", async (step, lab) => {
  const [left, right] = await lab.hosts("left", "right");

  await step("hosts have names, /etc, /home and /run of their own", async () => {
    equal(await left.output(["hostname"]), "left");
    await left.script("echo left >/etc/only-here; echo left >/run/only-here");
    equal((await right.run(["cat", "/etc/only-here"], { expect: "any" })).code, 1);
    match(await right.output(["cat", "/etc/resolv.conf"]), /^nameserver 203\.0\.113\.53$/m);
    equal(
      await right.output(["sh", "-c", "echo $$; ls /home"]).then((s) => s.split("\n")[1]),
      "root",
    );
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
