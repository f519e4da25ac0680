import { type Context, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { UsageError } from "../../error.ts";
import { openAdmin } from "./open.ts";
import { splitWhat } from "./what.ts";

/** What a lock can be for. */
const KINDS = ["user", "role", "agent", "session"] as const;
type LockKind = (typeof KINDS)[number];

export async function lock(
  context: Context,
  options: {
    readonly what: string;
    readonly name: string | undefined;
    readonly message: string | undefined;
    readonly ttl: number | undefined;
    readonly force: boolean;
  },
): Promise<number> {
  const { kind, name } = parseTarget(options.what, options.name);
  using admin = await openAdmin(context);
  const { resource, cut } = await admin.call("lock", {
    target: targetOf(kind, name),
    force: options.force,
    ...(options.message === undefined ? {} : { message: options.message }),
    ...(options.ttl === undefined ? {} : { ttl_seconds: Math.round(options.ttl / 1000) }),
  });
  const until = options.ttl === undefined
    ? "until the lock is removed"
    : `until ${new Date(context.nowMs() + options.ttl).toISOString()}`;
  tell(context, `Locked ${kind} ${name} out, ${until}; ${cutWords(cut)}`);
  tell(context, `Undo it with: vnet ctl rm lock/${resource.metadata.name}`);
  return EXIT.done;
}

/** Says what is cut, in words. */
export function cutWords(
  { logins, flows }: { readonly logins: number; readonly flows: number },
): string {
  if (logins + flows === 0) return "nothing was open";
  const parts = [
    ...(logins === 0 ? [] : [`${logins} ${logins === 1 ? "login" : "logins"}`]),
    ...(flows === 0 ? [] : [`${flows} open ${flows === 1 ? "connection" : "connections"}`]),
  ];
  return `it cuts ${parts.join(" and ")}`;
}

function parseTarget(
  what: string,
  more: string | undefined,
): { readonly kind: LockKind; readonly name: string } {
  const { kind: text, name } = splitWhat(what.replace("=", "/"), more);
  const kind = KINDS.find((known) => known === text || `${known}s` === text);
  if (kind === undefined) {
    throw new UsageError(
      "usage",
      `Cannot lock "${text}": a lock is for a user, role, agent or session`,
      {
        hint: "For example `vnet ctl lock user alice`",
      },
    );
  }
  if (name !== undefined) return { kind, name };
  throw new UsageError("usage", `Missing argument NAME: which ${kind} to lock out`, {
    hint: `For example \`vnet ctl lock ${kind} ${EXAMPLES[kind]}\``,
  });
}

const EXAMPLES: Readonly<Record<LockKind, string>> = {
  user: "alice",
  role: "dev",
  agent: "rack-7",
  session: "3f2a90c1",
};

function targetOf(kind: LockKind, name: string) {
  switch (kind) {
    case "user":
      return { user: name };
    case "role":
      return { role: name };
    case "agent":
      return { agent: name };
    case "session":
      return { session: name };
  }
}
