/**
 * Mounts, in a mount namespace of their own. Run by tests/netns/os_test.ts.
 *
 * @module
 */
import { equal, rejects, throws } from "node:assert/strict";
import { loadShim, makePrivate, mountBind, mountTmpfs } from "../../../lib/os/mod.ts";

const shim = loadShim();

Deno.test("mountTmpfs() and mountBind() put folders and files in place", async () => {
  makePrivate(shim);
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/below`, "hidden");
  mountTmpfs(shim, folder, "mode=700,size=1m");
  await rejects(Deno.readTextFile(`${folder}/below`), Deno.errors.NotFound);
  equal((await Deno.stat(folder)).mode! & 0o777, 0o700);
  await Deno.writeTextFile(`${folder}/resolv.conf`, "nameserver 127.0.53.1\n");
  mountBind(shim, `${folder}/resolv.conf`, "/etc/resolv.conf", true);
  equal(await Deno.readTextFile("/etc/resolv.conf"), "nameserver 127.0.53.1\n");
  await rejects(Deno.writeTextFile("/etc/resolv.conf", "x"));
  throws(() => mountBind(shim, folder, `${folder}/nowhere`), {
    code: "mount-failed",
    errno: "ENOENT",
  });
});
