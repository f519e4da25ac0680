/**
 * What has to be done in the owner's folders is done as the owner: root follows no path that somebody else can bend.
 *
 * @module
 */
import type { Action, Context } from "./context.ts";
import { EXIT } from "./exit.ts";
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

/** What sudo leaves of who ran it, and what says where that person's folders are. */
const OF_ANOTHER = /^(SUDO_|XDG_|MAIL$|SHELL$)/;

/** Has a command that works in the owner's folders run as the owner, whoever types it. */
export function asOwner(action: Action): Action {
  return (context) => {
    const isOwner = Deno.uid() !== 0 || context.owner.uid === 0;
    return isOwner ? action(context) : runAgainAsOwner(context);
  };
}

/** Runs this very command once more, as the owner, on the same terminal. */
export async function runAgainAsOwner(context: Context): Promise<number> {
  const { owner } = context;
  const { processes } = await context.machine();
  const kept = Object.entries(Deno.env.toObject()).filter(([name]) => !OF_ANOTHER.test(name));
  const pid = processes.spawn({
    ...selfCommand(Deno.args),
    env: {
      ...Object.fromEntries(kept),
      ...selfEnvironment(context.env),
      HOME: owner.homeDir,
      USER: owner.name,
      LOGNAME: owner.name,
    },
    uid: owner.uid,
    gid: owner.gid,
    stdin: "inherit",
    noNewPrivileges: true,
  });
  const end = await processes.wait(pid);
  return "code" in end ? end.code : EXIT.failed;
}
