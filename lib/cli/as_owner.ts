/**
 * What has to be done in the owner's folders is done as the owner: root follows no path that somebody else can bend.
 *
 * @module
 */
import type { Context } from "./context.ts";
import { homeArgs, selfCommand, selfEnvironment } from "./self.ts";

/** Runs one of vnet's own commands as the owner, to its end. @returns Whether it did what it was to do. */
export async function runAsOwner(context: Context, args: readonly string[]): Promise<boolean> {
  const { owner, globals } = context;
  const { processes } = await context.machine();
  const pid = processes.spawn({
    ...selfCommand([...args, ...homeArgs(context), ...(globals.quiet ? ["--quiet"] : [])]),
    env: { ...selfEnvironment(context.env), HOME: owner.homeDir, USER: owner.name },
    uid: owner.uid,
    gid: owner.gid,
    cwd: "/",
    noNewPrivileges: true,
  });
  const end = await processes.wait(pid);
  return "code" in end && end.code === 0;
}
