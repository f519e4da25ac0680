/**
 * What the `vnet ctl` commands do: one call of the admin API each, and a line or a table for people.
 *
 * @module
 */
import { stringify } from "yaml";
import {
  parseResources,
  parseServerFile,
  type Resource,
  RESOURCE_KINDS,
  type ResourceKind,
} from "../config/mod.ts";
import { UsageError } from "../error.ts";
import { readConfigFile } from "../io/mod.ts";
import { AdminClient, type AdminResponse } from "../server/mod.ts";
import { readSecretFromStdin } from "./ask.ts";
import { renderTable } from "./table.ts";
import { type Context, printJson, requireConfigFile, tell } from "./context.ts";
import { EXIT } from "./exit.ts";

type Form = "text" | "json";

const STDIN_MAX_BYTES = 1_048_576;

export async function status(context: Context, form: Form): Promise<number> {
  using admin = await openAdmin(context);
  const found = await admin.call("status", {});
  if (form === "json") printJson(context, { schema: "vnet.ctl-status/1", ...found });
  else {
    context.stdout(`cluster  ${found.cluster_name} (version ${found.server_version})\n`);
    context.stdout(`ca pin   ${found.ca_pin}\n`);
    context.stdout(`proxy    ${found.proxy_public_addrs.join(" ")}\n`);
    context.stdout(
      `has      ${found.users} users, ${found.sessions} logins, ${found.agents_connected} agents connected, ` +
        `${found.apps} apps, ${found.locks} locks\n`,
    );
  }
  return EXIT.done;
}

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
      user.can_log_in ? "yes" : "no",
      user.has_second_factor ? "yes" : "no",
    ]);
    context.stdout(renderTable(["NAME", "ROLES", "CAN LOG IN", "SECOND FACTOR"], rows));
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
    readonly ttl: number;
    readonly uses: number;
    readonly format: Form;
  },
): Promise<number> {
  const labels = Object.fromEntries(options.labels.map(parseLabel));
  using admin = await openAdmin(context);
  const made = await admin.call("tokens.add", {
    labels,
    ...(options.apps.length === 0 ? {} : { apps: options.apps.flatMap(splitList) }),
    ttl_seconds: Math.round(options.ttl / 1000),
    uses: options.uses,
  });
  if (options.format === "json") printJson(context, { schema: "vnet.ctl-token/1", ...made });
  else {
    context.stdout(`${made.token}\n`);
    tell(
      context,
      `Good until ${made.expires}. Put it into the file that the agent's join.token_file`,
    );
    tell(context, `names, and into the agent's file: ca_pin: ${made.ca_pin}`);
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
      token.apps?.join(",") ?? "any",
      token.expires,
      `${token.uses_left}`,
    ]);
    context.stdout(renderTable(["ID", "APPS", "EXPIRES", "USES LEFT"], rows));
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
      agent.connected ? "yes" : "no",
      agent.apps.join(","),
    ]);
    context.stdout(renderTable(["ID", "NAME", "CONNECTED", "APPS"], rows));
  }
  return EXIT.done;
}

export async function removeAgent(context: Context, id: string): Promise<number> {
  using admin = await openAdmin(context);
  await admin.call("agents.remove", { id });
  tell(context, `Removed agent ${id}`);
  return EXIT.done;
}

export async function create(
  context: Context,
  options: { readonly file: string; readonly replace: boolean },
): Promise<number> {
  const text = options.file === "-" ? await readStdin() : await readConfigFile(options.file);
  const resources: readonly Resource[] = parseResources(text, options.file);
  using admin = await openAdmin(context);
  for (const resource of resources) {
    await admin.call("resources.put", { resource, replace: options.replace });
    tell(context, `Created ${resource.kind}/${resource.metadata.name}`);
  }
  return EXIT.done;
}

export async function get(
  context: Context,
  options: { readonly what: string; readonly format: Form },
): Promise<number> {
  const { kind, name } = parseWhat(options.what);
  using admin = await openAdmin(context);
  const { resources } = await admin.call(
    "resources.get",
    name === undefined ? { kind } : { kind, name },
  );
  if (options.format === "json") {
    printJson(context, { schema: "vnet.ctl-resources/1", resources });
  } else context.stdout(resources.map((resource) => stringify(resource)).join("---\n"));
  return EXIT.done;
}

export async function remove(context: Context, what: string): Promise<number> {
  const { kind, name } = parseWhat(what);
  if (name === undefined) {
    throw new UsageError("usage", `Cannot remove "${what}": say which one`, {
      hint: `Use ${kind}/NAME`,
    });
  }
  using admin = await openAdmin(context);
  await admin.call("resources.remove", { kind, name });
  tell(context, `Removed ${kind}/${name}`);
  return EXIT.done;
}

export async function lock(
  context: Context,
  options: {
    readonly kind: "user" | "role" | "agent" | "session";
    readonly name: string;
    readonly message: string | undefined;
    readonly ttl: number | undefined;
  },
): Promise<number> {
  using admin = await openAdmin(context);
  const { resource } = await admin.call("lock", {
    target: targetOf(options.kind, options.name),
    ...(options.message === undefined ? {} : { message: options.message }),
    ...(options.ttl === undefined ? {} : { ttl_seconds: Math.round(options.ttl / 1000) }),
  });
  tell(
    context,
    `Locked ${options.kind} ${options.name} out; undo: vnet ctl rm lock/${resource.metadata.name}`,
  );
  return EXIT.done;
}

export async function audit(
  context: Context,
  options: { readonly follow: boolean; readonly limit: number },
): Promise<number> {
  using admin = await openAdmin(context);
  const { events } = await admin.call("audit.read", { limit: options.limit });
  for (const event of events) context.stdout(`${JSON.stringify(event)}\n`);
  if (!options.follow) return EXIT.done;
  const after = events.at(-1)?.seq ?? 0;
  for await (const event of admin.follow({ after, signal: context.signal })) {
    context.stdout(`${JSON.stringify(event)}\n`);
  }
  return EXIT.done;
}

/** Finds the admin socket by the server's file. */
async function openAdmin(context: Context): Promise<AdminClient> {
  const file = requireConfigFile(context, "Cannot find the server");
  const { dataDir } = parseServerFile(await readConfigFile(file), file);
  return new AdminClient(`${dataDir}/admin.sock`);
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
    context.stdout(`${made.password}\n`);
  }
  if (made.totp_uri !== undefined) {
    tell(context, "Second factor, for an authenticator app, shown this once:");
    context.stdout(`${made.totp_uri}\n`);
  }
}

function splitList(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

function parseLabel(text: string): [key: string, value: string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new UsageError("usage", `Cannot read the label "${text}"`, { hint: "Use KEY=VALUE" });
}

function parseWhat(what: string): { readonly kind: ResourceKind; readonly name?: string } {
  const [text = "", name] = what.split("/", 2);
  const kind = RESOURCE_KINDS.find((known) => known === text);
  if (kind === undefined) {
    throw new UsageError("usage", `Cannot find "${what}": there is no kind "${text}"`, {
      hint: `Use ${RESOURCE_KINDS.join(", ")}`,
    });
  }
  return name === undefined || name === "" ? { kind } : { kind, name };
}

function targetOf(kind: "user" | "role" | "agent" | "session", name: string) {
  switch (kind) {
    case "user":
      return { user: name };
    case "role":
      return { role: name };
    case "agent":
      return { agent: name };
    case "session":
      return { session: name };
    default:
      return kind satisfies never;
  }
}

async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of Deno.stdin.readable) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > STDIN_MAX_BYTES) {
      throw new UsageError("usage", "Cannot read that much from standard input");
    }
  }
  return await new Blob(chunks as BlobPart[]).text();
}
