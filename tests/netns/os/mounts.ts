/**
 * Mounts, in a mount namespace of their own. Run by tests/netns/os_test.ts.
 *
 * @module
 */
import { equal, rejects, throws } from "node:assert/strict";
import { machine } from "../../machine.ts";

const { mounts } = machine;

Deno.test("Mounts put folders and files in place", async () => {
  mounts.separate();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/below`, "hidden");
  mounts.tmpfs(folder, "mode=700,size=1m");
  await rejects(Deno.readTextFile(`${folder}/below`), Deno.errors.NotFound);
  equal((await Deno.stat(folder)).mode! & 0o777, 0o700);
  await Deno.writeTextFile(`${folder}/resolv.conf`, "nameserver 127.0.53.1\n");
  mounts.bind(`${folder}/resolv.conf`, "/etc/resolv.conf", { readOnly: true });
  equal(await Deno.readTextFile("/etc/resolv.conf"), "nameserver 127.0.53.1\n");
  await rejects(Deno.writeTextFile("/etc/resolv.conf", "x"));
  throws(() => mounts.bind(folder, `${folder}/nowhere`), {
    code: "mount-failed",
    errno: "ENOENT",
  });
});
