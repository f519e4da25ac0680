/**
 * Users, tokens, agents and logins: what `vnet ctl` lists, adds and removes.
 *
 * @module
 */
import { ADDR_PATTERN_WORDS, parseAddrPattern } from "../../config/mod.ts";
import { UsageError } from "../../error.ts";
import { readRefusalCode, refusalOf } from "../../refusal/mod.ts";
import type { AdminResponse } from "../../server/mod.ts";
import { readSecretFromStdin } from "../ask.ts";
import { printable } from "../../printable.ts";
import { renderTable } from "../text/table.ts";
import { type Context, printJson, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { cutWords } from "./lock.ts";
import { type Form, openAdmin, splitList } from "./open.ts";
import { minuteOf, whenWords } from "./times.ts";

/** Digits of a login's id that people are shown, and may give back. */
const SHOWN_DIGITS = 8;

export async function addUser(
  context: Context,
  options: {
    readonly name: string;
    readonly roles: readonly string[];
    readonly passwordStdin: boolean;
    readonly withTotp: boolean;
  },
): Promise<number> {
  using admin = await openAdmin(context);
  const made = await admin.call("users.add", {
    name: options.name,
    roles: options.roles.flatMap(splitList),
    ...await passwordFrom(options.passwordStdin),
    ...(options.withTotp ? { second_factor: true } : {}),
  });
  printSecrets(context, made);
  return EXIT.done;
}

export async function resetUser(
  context: Context,
  options: {
    readonly name: string;
    readonly passwordStdin: boolean;
    readonly withTotp: boolean;
  },
): Promise<number> {
  using admin = await openAdmin(context);
  const made = await admin.call("users.reset", {
    name: options.name,
    ...await passwordFrom(options.passwordStdin),
    ...(options.withTotp ? { second_factor: true } : {}),
  });
  printSecrets(context, made);
  return EXIT.done;
}

export async function listUsers(context: Context, form: Form): Promise<number> {
  using admin = await openAdmin(context);
  const { users } = await admin.call("users.list", {});
  if (form === "json") printJson(context, { schema: "vnet.ctl-users/1", users });
  else {
    const rows = users.map((user) => [
      user.name,
      user.roles.join(","),
      yesNo(user.can_log_in),
      yesNo(user.has_second_factor),
      `${user.logins}`,
      yesNo(user.locked),
    ]);
    context.stdout(
      renderTable(["NAME", "ROLES", "CAN LOG IN", "SECOND FACTOR", "LOGINS", "LOCKED"], rows),
    );
  }
  return EXIT.done;
}

export async function removeUser(context: Context, name: string): Promise<number> {
  using admin = await openAdmin(context);
  await admin.call("users.remove", { name });
  tell(context, `Removed user ${name}`);
  return EXIT.done;
}

export async function addToken(
  context: Context,
  options: {
    readonly apps: readonly string[];
    readonly labels: readonly string[];
    readonly publicAddrs: readonly string[];
    readonly kind: "app" | "trusted_cluster";
    readonly any: boolean;
    readonly ttl: number;
    readonly uses: number;
    readonly format: Form;
  },
): Promise<number> {
  const labels = Object.fromEntries(options.labels.map(parseLabel));
  if (options.kind === "app") requireLimit(options);
  else requireNoLimit(options);
  const publicAddrs = options.publicAddrs.flatMap(splitList).map(parseAddr);
  using admin = await openAdmin(context);
  const made = await admin.call("tokens.add", {
    kind: options.kind,
    labels,
    any: options.any,
    ...(publicAddrs.length === 0 ? {} : { public_addrs: publicAddrs }),
    ...(options.apps.length === 0 ? {} : { apps: options.apps.flatMap(splitList) }),
    ttl_seconds: Math.round(options.ttl / 1000),
    uses: options.uses,
  });
  if (options.format === "json") printJson(context, { schema: "vnet.ctl-token/1", ...made });
  else if (options.kind === "trusted_cluster") {
    context.stdout(`${printable(made.token)}\n`);
    tell(context, `Good until ${minuteOf(made.expires)}. On the leaf, put it into the`);
    tell(context, "trusted_cluster resource as spec.token, with");
    tell(context, `ca_pin: ${made.ca_pin}`);
  } else {
    context.stdout(`${printable(made.token)}\n`);
    tell(
      context,
      `Good until ${minuteOf(made.expires)}. On the agent's host, put it into the file that`,
    );
    tell(context, "join.token_file of the agent's file names. The agent's file also needs");
    tell(context, `ca_pin: ${made.ca_pin}`);
  }
  return EXIT.done;
}

export async function listTokens(context: Context, form: Form): Promise<number> {
  using admin = await openAdmin(context);
  const { tokens } = await admin.call("tokens.list", {});
  if (form === "json") printJson(context, { schema: "vnet.ctl-tokens/1", tokens });
  else {
    const rows = tokens.map((token) => [
      token.id,
      token.kinds.join(","),
      token.apps?.join(",") ?? "any",
      labelsText(token.labels) || "any",
      token.public_addrs === undefined ? "any" : token.public_addrs.join(",") || "default",
      minuteOf(token.expires),
      `${token.uses_left}`,
    ]);
    context.stdout(
      renderTable(["ID", "TYPE", "APPS", "LABELS", "PUBLIC ADDRS", "EXPIRES", "USES LEFT"], rows),
    );
  }
  return EXIT.done;
}

export async function removeToken(context: Context, id: string): Promise<number> {
  using admin = await openAdmin(context);
  await admin.call("tokens.remove", { id });
  tell(context, `Removed token ${id}`);
  return EXIT.done;
}

export async function listAgents(context: Context, form: Form): Promise<number> {
  using admin = await openAdmin(context);
  const { agents } = await admin.call("agents.list", {});
  if (form === "json") printJson(context, { schema: "vnet.ctl-agents/1", agents });
  else {
    const rows = agents.map((agent) => [
      agent.id,
      agent.name,
      yesNo(agent.connected),
      agent.connected ? "now" : whenWords(Date.parse(agent.last_seen), context.nowMs()),
      yesNo(agent.locked),
      agent.apps.join(","),
    ]);
    context.stdout(
      renderTable(["ID", "NAME", "CONNECTED", "LAST SEEN", "LOCKED", "APPS"], rows),
    );
    for (const { name, refused } of agents) {
      if (refused.length === 0) continue;
      tell(context, `${name} offers what it may not: \`vnet ctl apps ls\` says what and why`);
    }
  }
  return EXIT.done;
}

export async function removeAgent(context: Context, id: string): Promise<number> {
  using admin = await openAdmin(context);
  await admin.call("agents.remove", { id });
  tell(context, `Removed agent ${id}`);
  return EXIT.done;
}

export async function listApps(context: Context, form: Form): Promise<number> {
  using admin = await openAdmin(context);
  const { apps, refused } = await admin.call("apps.list", {});
  if (form === "json") {
    printJson(context, { schema: "vnet.ctl-apps/1", apps, refused });
    return EXIT.done;
  }
  const rows = apps.map(({ name, public_addrs, agents }) => [
    name,
    public_addrs.join(","),
    [...new Set(agents)].join(","),
  ]);
  context.stdout(renderTable(["APP", "PUBLIC ADDRS", "AGENTS"], rows));
  if (refused.length === 0) return EXIT.done;
  context.stdout("\nRefused:\n");
  const told = new Set(
    refused.map(({ agent, app, code, reason }) => `${agent}: ${app}: ${reason} [${code}]\n`),
  );
  for (const line of told) context.stdout(line);
  for (const code of new Set(refused.map((one) => readRefusalCode(one.code)))) {
    const hint = code === null ? undefined : refusalOf(code).hint;
    if (hint !== undefined) tell(context, `${code}: ${hint}`);
  }
  return EXIT.done;
}

export async function listSessions(context: Context, form: Form): Promise<number> {
  using admin = await openAdmin(context);
  const { sessions } = await admin.call("sessions.list", {});
  if (form === "json") printJson(context, { schema: "vnet.ctl-sessions/1", sessions });
  else {
    const rows = sessions.map((session) => [
      session.id.slice(0, SHOWN_DIGITS),
      session.user,
      session.started === undefined ? "unknown" : minuteOf(session.started),
      minuteOf(session.expires),
      session.source ?? "unknown",
      session.apps.join(",") || "none",
      `${session.flows}`,
      yesNo(session.locked),
    ]);
    context.stdout(
      renderTable(["ID", "USER", "SINCE", "EXPIRES", "FROM", "APPS", "OPEN", "LOCKED"], rows),
    );
  }
  return EXIT.done;
}

export async function removeSession(context: Context, id: string): Promise<number> {
  if (!/^[0-9a-f]{4,32}$/.test(id)) {
    throw new UsageError("usage", `Cannot read the id "${id}": an id is 4 to 32 hex digits`, {
      hint: "`vnet ctl sessions ls` shows the ids",
    });
  }
  using admin = await openAdmin(context);
  const { user, flows } = await admin.call("sessions.remove", { id });
  tell(context, `Ended the login ${id} of ${user}; ${cutWords({ logins: 0, flows })}`);
  return EXIT.done;
}

async function passwordFrom(stdin: boolean): Promise<{ readonly password?: string }> {
  if (!stdin) return {};
  const [password = ""] = await readSecretFromStdin(1);
  return { password };
}

function printSecrets(
  context: Context,
  made: AdminResponse<"users.add">,
): void {
  if (made.password !== undefined) {
    tell(context, `Password of ${made.name}, shown this once:`);
    context.stdout(`${printable(made.password)}\n`);
  }
  if (made.totp_uri !== undefined) {
    tell(context, "Second factor, for an authenticator app, shown this once:");
    context.stdout(`${printable(made.totp_uri)}\n`);
  }
}

function parseLabel(text: string): [key: string, value: string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new UsageError("usage", `Cannot read the label "${text}"`, { hint: "Use KEY=VALUE" });
}

/** A token for whatever an agent cares to serve is not made by leaving something out. */
function requireLimit(
  options: Pick<Parameters<typeof addToken>[1], "apps" | "labels" | "any">,
): void {
  const isLimited = options.apps.length + options.labels.length > 0;
  if (isLimited !== options.any) return;
  throw new UsageError(
    "usage",
    isLimited
      ? "Option --any is for a token without --apps and --label"
      : "Cannot make a token without a limit: say which apps it is for",
    {
      hint: isLimited
        ? "Leave one of them out"
        : "--apps APP[,APP] names them, --label KEY=VALUE asks for a label, --any is for any app",
    },
  );
}

/** What limits agents says nothing about a cluster. */
function requireNoLimit(
  { apps, labels, publicAddrs, any }: Pick<
    Parameters<typeof addToken>[1],
    "apps" | "labels" | "publicAddrs" | "any"
  >,
): void {
  if (apps.length + labels.length + publicAddrs.length === 0 && !any) return;
  throw new UsageError("usage", "A token for a trusted_cluster takes no limits", {
    hint:
      "Leave --apps, --label, --public-addr and --any out; the leaf's role_map says who may what",
  });
}

function parseAddr(text: string): string {
  const pattern = parseAddrPattern(text);
  if (pattern !== null) return pattern;
  throw new UsageError("usage", `Cannot read the public address "${text}"`, {
    hint: `Use ${ADDR_PATTERN_WORDS}`,
  });
}

/** The labels of a token as `--label` takes them. */
function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`).sort().join(",");
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
