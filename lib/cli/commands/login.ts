import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, optional, withDefault } from "@optique/core/modifiers";
import { argument, command, flag, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { UsageError } from "../../error.ts";
import type { Connection } from "../../os/mod.ts";
import { asOwner } from "../as_owner.ts";
import { type Action, type Context, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { askSecret, askText, readSecretFromStdin } from "../ask.ts";
import { known } from "../grammar/known_values.ts";
import { readTotpCode } from "../totp.ts";
import { duration } from "./options.ts";

/** What the cluster's API takes. */
const MIN_TTL_MS = 60_000;
const MAX_TTL_MS = 365 * 86_400_000;

const NO_CODE = "a code has 6 to 8 digits";

interface LoginOptions {
  readonly host: string | undefined;
  readonly proxy: string | undefined;
  readonly user: string | undefined;
  readonly ttl: number | undefined;
  readonly caPin: string | undefined;
  readonly caFile: string | undefined;
  readonly passwordStdin: boolean;
  readonly auth: string | undefined;
  readonly noBrowser: boolean;
}

export const login = command(
  "login",
  map(
    object({
      host: optional(argument(known("profile", "HOST[:PORT]"), {
        description:
          message`The cluster's proxy: a host name or its https:// URL. Default port: 443.`,
      })),
      proxy: optional(option("--proxy", known("profile", "HOST[:PORT]"), {
        description: message`The same as the argument.`,
      })),
      user: optional(option("--user", string({ metavar: "NAME" }), {
        description:
          message`Your user name in the cluster, for a login with a password. Default: your local user name.`,
      })),
      auth: optional(option("--auth", string({ metavar: "NAME" }), {
        description:
          message`How to log in: an identity provider of the cluster by its name, or "local" for a password. Default: as before; else with a password if --user is given or the cluster has no provider, else with its first.`,
      })),
      noBrowser: withDefault(
        flag("--no-browser", {
          description:
            message`Open no browser: show a code to log in with on another machine, or else the address. So it is where there is no display.`,
        }),
        false,
      ),
      ttl: optional(option("--ttl", duration(), {
        description:
          message`How long the login should last, at least 1m; the cluster may shorten it.`,
      })),
      caPin: optional(option("--ca-pin", string({ metavar: "sha256:HEX" }), {
        description:
          message`Trust this CA of the cluster, as "vnet ctl status" prints it, instead of the public root certificates.`,
      })),
      caFile: optional(option("--ca-file", string({ metavar: "FILE" }), {
        description:
          message`Trust the authorities in this PEM file as well, a company's own say; remembered with the login.`,
      })),
      passwordStdin: withDefault(
        flag("--password-stdin", {
          description:
            message`Read the password from the first line of standard input and the TOTP code from the second.`,
        }),
        false,
      ),
    }),
    (options): Action => asOwner((context) => runLogin(context, options)),
  ),
  { brief: message`Log in to a cluster and save a short-lived certificate` },
);

export const logout = command(
  "logout",
  map(
    object({
      profile: optional(argument(known("profile", "PROFILE"), {
        description: message`The login to remove, by its proxy. Not needed if there is only one.`,
      })),
      all: withDefault(flag("--all", { description: message`Remove all logins.` }), false),
    }),
    (options): Action => asOwner((context) => runLogout(context, options.profile, options.all)),
  ),
  { brief: message`Log out: remove a login and its key` },
);

async function runLogin(context: Context, options: LoginOptions): Promise<number> {
  const { ControlClient, login, parseProxy, profileName } = await import("../../client/mod.ts");
  const { readProxyVariables } = await import("../../config/mod.ts");
  requireTtl(options.ttl);
  requireOneWay(options);
  const address = proxyOf(options);
  const proxy = parseProxy(address);
  const { renderMoment } = await import("../text/moment.ts");
  const { hasDisplay, showLogin } = await import("../prompt/browser.ts");
  const authorityPems = options.caFile === undefined
    ? null
    : await (await import("../../io/mod.ts")).readAuthorityFile(options.caFile);
  const lines = options.passwordStdin ? await readSecretFromStdin(2) : null;
  const user = options.user ?? context.owner.name;
  const hasBrowser = !options.noBrowser && hasDisplay(context.env);
  const profile = await login({
    proxy,
    user,
    isUserNamed: options.user !== undefined,
    auth: options.auth ?? (options.passwordStdin ? "local" : null),
    caPin: options.caPin ?? null,
    ...(authorityPems === null ? {} : { authorityPems }),
    proxies: readProxyVariables(context.env),
    ttlMs: options.ttl ?? null,
    configDir: context.paths.configDir,
    signal: context.signal,
    ask: {
      password: () =>
        lines === null
          ? askSecret(context, `Password of ${user} at ${profileName(proxy)}`)
          : Promise.resolve(lines[0] ?? ""),
      totp: (optional) => askCode(context, lines, optional),
      visit: (visit) => showLogin(context, visit, hasBrowser),
      isRemote: !hasBrowser,
      loopbackGuard: () => guardLoopback(context),
    },
  });
  tell(
    context,
    `Logged in to ${profile.cluster} as ${profile.user} through ${profileName(profile.proxy)}; ` +
      `the login ends ${renderMoment(profile.expiresMs, context.nowMs())}`,
  );
  using control = new ControlClient(context.paths.controlSocket);
  // A daemon that is down reads the profile when it starts.
  const status = await control.refresh().then(() => control.status(), () => null);
  if (status !== null) {
    const { askRanges } = await import("../supervise/ask_ranges.ts");
    await askRanges(context, status);
    await (await import("../supervise/zone_questions.ts")).askAboutZones(context);
  }
  return EXIT.done;
}

function uidOf(machine: Awaited<ReturnType<Context["machine"]>> | null, connection: Connection) {
  try {
    return machine?.sockets.ownerOf(connection)?.uid ?? null;
  } catch {
    return null; // what the browser must bring is asked for all the same
  }
}

/** Keeps other users' programs from answering for the browser, as far as the machine says whose they are. */
async function guardLoopback(context: Context): Promise<(connection: Connection) => boolean> {
  const { decideLocal } = await import("../../identity/mod.ts");
  const machine = await context.machine().catch(() => null);
  const policy = { ownerUid: context.owner.uid, sharedWith: new Set<number>(), containers: true };
  return (connection) => {
    const uid = uidOf(machine, connection);
    return decideLocal(policy, uid) === "allowed";
  };
}

/** @throws UsageError when what was piped is no code; at a terminal it is asked for again. */
async function askCode(
  context: Context,
  lines: readonly string[] | null,
  optional: boolean,
): Promise<string> {
  const isGood = (text: string) => text.trim() === "" ? optional : readTotpCode(text) !== null;
  const answer = lines === null
    ? await askText(
      context,
      `Code of your authenticator${optional ? " (empty if you have none)" : ""}`,
      (text) => isGood(text) ? undefined : NO_CODE,
    )
    : lines[1] ?? "";
  if (isGood(answer)) return readTotpCode(answer) ?? "";
  throw new UsageError("usage", `Cannot use the code of your authenticator: ${NO_CODE}`, {
    hint: "Put the code on the second line of standard input, below the password",
  });
}

/** @throws UsageError for a duration that no cluster takes. */
function requireTtl(ttlMs: number | undefined): void {
  if (ttlMs === undefined || (ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS)) return;
  throw new UsageError("usage", "Cannot log in: --ttl must be at least 1m and at most 365d", {
    hint: "Use a duration such as --ttl 8h",
  });
}

/** @throws UsageError for a password that an identity provider has no use for. */
function requireOneWay({ auth, user, passwordStdin }: LoginOptions): void {
  if (auth === undefined || auth === "local" || (user === undefined && !passwordStdin)) return;
  const option = passwordStdin ? "--password-stdin" : "--user";
  throw new UsageError("usage", `Cannot log in with --auth ${auth} and ${option} at once`, {
    hint: `An identity provider says who you are: leave ${option} out`,
  });
}

/** @throws UsageError when no proxy is named, or two. */
function proxyOf({ host, proxy }: LoginOptions): string {
  if (host !== undefined && proxy !== undefined && host !== proxy) {
    throw new UsageError("usage", `Cannot log in to "${host}" and to "${proxy}" at once`, {
      hint: "Name one of them: `vnet login HOST`",
    });
  }
  const address = host ?? proxy;
  if (address !== undefined) return address;
  throw new UsageError("usage", "Cannot log in: no proxy was named", {
    hint: "Run `vnet login HOST`; `vnet help login` says more",
  });
}

async function runLogout(
  context: Context,
  profile: string | undefined,
  all: boolean,
): Promise<number> {
  if (profile !== undefined && all) {
    throw new UsageError("usage", `Name a login or use "--all", not both`);
  }
  const { ControlClient, logout } = await import("../../client/mod.ts");
  const removed = await logout({
    configDir: context.paths.configDir,
    which: all ? null : profile ?? "",
    nowMs: context.nowMs(),
    signal: context.signal,
  });
  for (const name of removed) tell(context, `Logged out of ${name}`);
  if (removed.length === 0) tell(context, "You are not logged in");
  using control = new ControlClient(context.paths.controlSocket);
  await control.refresh().catch(() => {});
  return EXIT.done;
}
