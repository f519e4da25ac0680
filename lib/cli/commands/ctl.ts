import { object, or } from "@optique/core/constructs";
import { type Message, message } from "@optique/core/message";
import { map, multiple, optional, withDefault } from "@optique/core/modifiers";
import { argument, command, flag, option } from "@optique/core/primitives";
import { choice, integer, string } from "@optique/core/valueparser";
import type { Action } from "../context.ts";
import { known } from "../grammar/known_values.ts";
import { duration, format } from "./options.ts";

const name = (metavar: "NAME" | "ID", what: Message) =>
  argument(string({ metavar }), { description: what });

const passwordStdin = withDefault(
  flag("--password-stdin", {
    description: message`Read the password from standard input instead of making one.`,
  }),
  false,
);
const withTotp = withDefault(
  flag("--totp", { description: message`Enrol a second factor too; its URI is printed once.` }),
  false,
);
const roles = multiple(
  option("--roles", string({ metavar: "ROLE[,ROLE]" }), {
    description: message`What the user may do; may be given again.`,
  }),
  { min: 1 },
);

const FILE_WORDS = message`YAML or JSON, one resource or several; "-" reads standard input.`;
const DAY_MS = 86_400_000;

/** `KIND/NAME`, or `KIND NAME`. */
function oneResource(what: Message) {
  return {
    what: argument(known("kind", "KIND/NAME"), { description: what }),
    name: optional(argument(known("resource", "NAME"), {
      description: message`Its name, if it is not behind a slash.`,
    })),
  };
}

/** Each command becomes one call of the admin API; what they do is in ../ctl. */
function action(
  run: (ctl: typeof import("../ctl/mod.ts"), context: Parameters<Action>[0]) => Promise<number>,
): Action {
  return async (context) => await run(await import("../ctl/mod.ts"), context);
}

const status = command(
  "status",
  map(object({ format }), (o) => action((ctl, c) => ctl.status(c, o.format))),
  { brief: message`Name, CA pin, what is connected` },
);

const users = command(
  "users",
  or(
    command(
      "add",
      map(
        object({ name: name("NAME", message`The new user.`), roles, passwordStdin, withTotp }),
        (o) => action((ctl, c) => ctl.addUser(c, o)),
      ),
      { brief: message`Add a user; prints the password once unless it is read` },
    ),
    command("ls", map(object({ format }), (o) => action((ctl, c) => ctl.listUsers(c, o.format))), {
      brief: message`List users`,
    }),
    command(
      "reset",
      map(
        object({
          name: name("NAME", message`Whose password to replace.`),
          passwordStdin,
          withTotp,
        }),
        (o) => action((ctl, c) => ctl.resetUser(c, o)),
      ),
      { brief: message`Give a user another password and end the logins there are` },
    ),
    command(
      "rm",
      map(
        object({ name: name("NAME", message`The user.`) }),
        (o) => action((ctl, c) => ctl.removeUser(c, o.name)),
      ),
      { brief: message`Remove a user` },
    ),
  ),
  { brief: message`Users` },
);

const tokens = command(
  "tokens",
  or(
    command(
      "add",
      map(
        object({
          apps: multiple(option("--apps", string({ metavar: "APP[,APP]" }), {
            description: message`The only apps the agent may serve.`,
          })),
          labels: multiple(option("--label", string({ metavar: "KEY=VALUE" }), {
            description: message`A label every app of the agent must have.`,
          })),
          publicAddrs: multiple(option("--public-addr", string({ metavar: "NAME[,NAME]" }), {
            description:
              message`A public address that apps of the agent may take if nobody has it; *.example.com is all names below one, * any. Without it: their names below the proxy's, and what an administrator gave them; with --any, any.`,
          })),
          kind: withDefault(
            option("--type", choice(["app", "trusted_cluster"]), {
              description:
                message`Who joins with it: an agent, or another cluster that becomes a leaf of this one and takes no limits.`,
            }),
            "app" as const,
          ),
          any: withDefault(
            flag("--any", {
              description: message`For any app, where neither --apps nor --label limits it.`,
            }),
            false,
          ),
          ttl: withDefault(
            option("--ttl", duration({ minMs: 60_000, maxMs: 7 * DAY_MS }), {
              description: message`How long it lasts: 1m to 7d.`,
            }),
            1_800_000,
          ),
          uses: withDefault(
            option("--uses", integer({ min: 1, max: 10_000 }), {
              description: message`How often it can be used.`,
            }),
            1,
          ),
          format,
        }),
        (o) => action((ctl, c) => ctl.addToken(c, o)),
      ),
      { brief: message`Make a join token for an agent, or for a leaf; printed once` },
    ),
    command("ls", map(object({ format }), (o) => action((ctl, c) => ctl.listTokens(c, o.format))), {
      brief: message`List join tokens`,
    }),
    command(
      "rm",
      map(
        object({ id: name("ID", message`The token's id, as ls shows it.`) }),
        (o) => action((ctl, c) => ctl.removeToken(c, o.id)),
      ),
      { brief: message`Remove a join token` },
    ),
  ),
  { brief: message`Join tokens of agents` },
);

const agents = command(
  "agents",
  or(
    command("ls", map(object({ format }), (o) => action((ctl, c) => ctl.listAgents(c, o.format))), {
      brief: message`List agents`,
    }),
    command(
      "rm",
      map(
        object({ id: name("ID", message`The agent's id, or its name if no other has it.`) }),
        (o) => action((ctl, c) => ctl.removeAgent(c, o.id)),
      ),
      { brief: message`Remove an agent; it must join again` },
    ),
  ),
  { brief: message`Agents that joined` },
);

const apps = command(
  "apps",
  command("ls", map(object({ format }), (o) => action((ctl, c) => ctl.listApps(c, o.format))), {
    brief: message`List what agents serve, and what they offer and may not`,
    description:
      message`Names that nobody may take from an app are public_addr resources: get, edit, rm and create show, change, release and give them.`,
  }),
  { brief: message`Apps of connected agents` },
);

const sessions = command(
  "sessions",
  or(
    command(
      "ls",
      map(object({ format }), (o) => action((ctl, c) => ctl.listSessions(c, o.format))),
      { brief: message`List logins: whose, since when, until when, from where` },
    ),
    command(
      "rm",
      map(
        object({ id: name("ID", message`The login's id, as ls shows it, or its beginning.`) }),
        (o) => action((ctl, c) => ctl.removeSession(c, o.id)),
      ),
      { brief: message`End a login and cut what is open; the user can log in again` },
    ),
  ),
  { brief: message`Logins of users` },
);

const create = command(
  "create",
  map(
    object({
      file: or(
        option("-f", "--file", string({ metavar: "FILE" }), { description: FILE_WORDS }),
        argument(string({ metavar: "FILE" }), { description: FILE_WORDS }),
      ),
      replace: withDefault(
        flag("--force", { description: message`Replace what is there and differs.` }),
        false,
      ),
    }),
    (o) => action((ctl, c) => ctl.create(c, o)),
  ),
  {
    brief:
      message`Create roles, users, locks, public addresses, trusted clusters or the vnet_config from a file`,
    description:
      message`All documents of the file are checked before the first is written; with a mistake in one, none is. Prints what became of each: created, replaced or unchanged.`,
  },
);

const edit = command(
  "edit",
  map(
    object(oneResource(message`The resource to open.`)),
    (o) => action((ctl, c) => ctl.edit(c, o)),
  ),
  {
    brief: message`Change a resource in your editor`,
    description:
      message`Opens it in $VISUAL, or $EDITOR, or vi. With mistakes it is opened again, with them at the top; left empty or unchanged, nothing is written.`,
  },
);

const get = command(
  "get",
  map(
    object({
      what: argument(known("kind", "KIND[/NAME]"), {
        description:
          message`role, user, lock, public_addr, trusted_cluster, remote_cluster or vnet_config; roles, users and so on are the same.`,
      }),
      name: optional(argument(known("resource", "NAME"), {
        description: message`Which one, if it is not behind a slash; without any, all of the kind.`,
      })),
      format,
    }),
    (o) => action((ctl, c) => ctl.get(c, o)),
  ),
  { brief: message`Print resources` },
);

const rm = command(
  "rm",
  map(object(oneResource(message`The resource.`)), (o) => action((ctl, c) => ctl.remove(c, o))),
  { brief: message`Remove a resource` },
);

const lock = command(
  "lock",
  map(
    object({
      what: argument(known("kind", "KIND[/NAME]"), {
        description: message`What kind of thing to lock out: user, role, agent or session.`,
      }),
      name: optional(argument(string({ metavar: "NAME" }), {
        description: message`Which one; of a session its id, or the beginning of it.`,
      })),
      message: optional(option("--message", string({ metavar: "TEXT" }), {
        description: message`Why; kept with the lock and in the audit log.`,
      })),
      ttl: optional(
        option("--ttl", duration({ minMs: 1000, maxMs: 366 * DAY_MS }), {
          description: message`For how long; without it until the lock is removed.`,
        }),
      ),
      force: withDefault(
        flag("--force", { description: message`Also somebody who is not there.` }),
        false,
      ),
    }),
    (o) => action((ctl, c) => ctl.lock(c, o)),
  ),
  {
    brief: message`Lock a user, role, agent or session out, at once`,
    description: message`Says which logins and connections it cuts, and how to undo it.`,
  },
);

const audit = command(
  "audit",
  map(
    object({
      follow: withDefault(
        flag("--follow", { description: message`Go on with what happens.` }),
        false,
      ),
      limit: withDefault(
        option("--limit", integer({ min: 1, max: 1000 }), {
          description: message`How many of the latest events.`,
        }),
        100,
      ),
      sinceMs: optional(
        option("--since", duration({ minMs: 1000, maxMs: 3660 * DAY_MS }), {
          description: message`Only those of the last 30m, 12h, 7d.`,
        }),
      ),
      user: optional(option("--user", string({ metavar: "NAME" }), {
        description: message`Only those of a user.`,
      })),
      app: optional(option("--app", string({ metavar: "NAME" }), {
        description: message`Only those of an app.`,
      })),
      event: optional(option("--event", string({ metavar: "EVENT" }), {
        description:
          message`Only those of a name, such as login.failed, or app.* for all that begin so.`,
      })),
    }),
    (o) => action((ctl, c) => ctl.audit(c, o)),
  ),
  { brief: message`Print the audit log, one JSON line an event` },
);

const backup = command(
  "backup",
  map(
    object({
      file: argument(string({ metavar: "FILE" }), {
        description: message`The file to write, for its owner only.`,
      }),
      replace: withDefault(
        flag("--force", { description: message`Replace a file that is there.` }),
        false,
      ),
    }),
    (o) => action((ctl, c) => ctl.backup(c, o)),
  ),
  {
    brief: message`Copy the server's store into a file, while it runs`,
    description:
      message`The copy is whole, looked through, and of mode 0600: it has the cluster's private keys. vnet server restore puts it back.`,
  },
);

export const ctl = command(
  "ctl",
  or(
    or(status, users, sessions, tokens, agents, apps),
    or(create, get, edit, rm, lock, audit, backup),
  ),
  {
    brief: message`Administer a running server: users, logins, tokens, resources, locks, audit`,
    description:
      message`Talks to the admin socket of the server on this machine, so run it as root or as the server's user. Finds it by /etc/vnet/server.yaml, or the file of --config.`,
  },
);
