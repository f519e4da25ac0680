/** `vnet demo --shell`, as somebody types into it. */
import { equal, match } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { needing } from "../needs.ts";

const TYPED = `
echo "--- status"; vnet status; echo "status $?"
echo "--- apps"; vnet apps ls; echo "status $?"
echo "--- doctor"; vnet doctor --format json; echo "status $?"
`;

Deno.test(needing(["root", "/dev/net/tun"], "demo --shell: vnet in it is the demo's", async (t) => {
  await using demo = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      fileURLToPath(new URL("../../main.ts", import.meta.url)),
      "demo",
      "--shell",
    ],
    env: { SHELL: "/bin/sh", NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const keyboard = demo.stdin.getWriter();
  await keyboard.write(new TextEncoder().encode(TYPED));
  await keyboard.close();
  const shown = await new Response(demo.stdout).text();
  equal((await demo.status).code, 0, shown);
  const after = (name: string) => shown.split(`--- ${name}\n`)[1]?.split("\n--- ")[0] ?? "";
  await t.step("vnet status", () => {
    match(after("status"), /vnet0/);
    match(after("status"), /^status 0$/m);
  });
  await t.step("vnet apps ls", () => {
    match(after("apps"), /web\.demo\.test/);
    match(after("apps"), /^status 0$/m);
  });
  await t.step("vnet doctor finds nothing wrong", () => {
    match(after("doctor"), /"schema": "vnet.doctor/);
    match(after("doctor"), /^status 0$/m);
  });
}));
