/**
 * The status for people: one fact a line, the state first, what hurts last.
 *
 * @module
 */
import { loginCommand } from "../../client/mod.ts";
import { formatMs } from "../../health/mod.ts";
import type { StatusV1 } from "../../status/mod.ts";
import { printableDocument } from "../../printable.ts";
import { counted } from "./plural.ts";
import { renderMoment } from "./moment.ts";

type Login = StatusV1["profiles"][number];
type Failure = StatusV1["connections"]["recent_failures"][number];

interface RenderOptions {
  readonly nowMs: number;
  /** That of this machine, if not given. */
  readonly timeZone?: string;
  /** The name of an account of this machine, its number if it has none. */
  readonly userName: (uid: number) => string;
}

/** Writes a status as text. */
export function renderStatus(given: StatusV1, options: RenderOptions): string {
  const status = printableDocument(given);
  const lines = [
    `vnet is ${status.state} (version ${status.version}, pid ${status.pid}, up ${
      formatMs(Math.max(1000, status.uptime_ms))
    })`,
    ...whatToRun(status.profiles),
    ...status.profiles.map((login) => `  login     ${renderLogin(login, options)}`),
    ...renderPlaces(status),
    ...renderAccess(status, options),
    ...renderWaiting(status, options),
    ...renderConnections(status, options),
  ];
  for (const { message, code, hint } of status.findings) {
    lines.push(`  warning   ${message} [${code}]`);
    if (hint !== undefined) lines.push(`            ${hint}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Writes the logins that there are while vnet is down. */
export function renderSavedLogins(
  logins: readonly Pick<Login, "proxy" | "cluster" | "user" | "expires">[],
  options: Omit<RenderOptions, "userName">,
): string {
  if (logins.length === 0) return "You are not logged in to any cluster: run `vnet login HOST`\n";
  return printableDocument(logins).map((login) => {
    const isOver = Date.parse(login.expires) <= options.nowMs;
    return `  login     ${
      renderLogin({ ...login, state: isOver ? "expired" : "active" }, options)
    }\n`;
  }).join("");
}

/** What helps when no login is good any more. */
function whatToRun(logins: readonly Login[]): readonly string[] {
  if (logins.length === 0 || logins.some(({ state }) => state !== "expired")) return [];
  if (logins.every(isLocked)) {
    return ["No login can be used: a lock is in force for you; ask an administrator"];
  }
  const commands = logins.filter((login) => !isLocked(login)).map(loginAgain);
  return [`Every login is over: run ${commands.join(" or ")}`];
}

function renderLogin(login: Login, { nowMs, timeZone }: Omit<RenderOptions, "userName">): string {
  const { cluster, user, proxy } = login;
  const who = `${user} in ${cluster}${proxy === cluster ? "" : ` through ${proxy}`}`;
  const end = renderMoment(Date.parse(login.expires), nowMs, timeZone);
  const isPast = Date.parse(login.expires) <= nowMs;
  switch (login.state) {
    case "active":
      return `${who}: good, ends ${end}`;
    case "unreachable":
      return `${who}: the cluster does not answer (${
        login.error ?? "no reason given"
      }); ends ${end}`;
    case "expired":
      if (isLocked(login)) {
        return `${who}: a lock is in force for you: ask an administrator of the cluster`;
      }
      return isPast
        ? `${who}: ended ${end}; run ${loginAgain(login)}${waitingFor(login)}`
        : `${who}: refused (${login.error ?? login.reason ?? "no reason given"}); run ${
          loginAgain(login)
        }${waitingFor(login)}`;
    default:
      return login.state satisfies never;
  }
}

function isLocked({ reason, error }: Login): boolean {
  return reason === "access-locked" || (error?.endsWith("[access-locked]") ?? false);
}

/** Connections that are held until the next login. */
function waitingFor({ waiting = 0 }: Login): string {
  if (waiting === 0) return "";
  return `; ${counted(waiting, "connection")} ${waiting === 1 ? "waits" : "wait"} for it`;
}

function loginAgain(login: Login): string {
  return `\`${loginCommand(login)}\``;
}

function renderPlaces({ link, dns, zones: standings = [] }: StatusV1): readonly string[] {
  const lines: string[] = [];
  if (link !== undefined) {
    const addresses = [link.ipv4, ...(link.ipv6 === undefined ? [] : [link.ipv6])].join(" ");
    lines.push(`  link      ${link.name} ${addresses}, ${link.ranges.join(" ")}`);
  }
  if (dns !== undefined) {
    const { backend, server, zones, upstreams } = dns;
    lines.push(
      `  dns       ${backend}, server ${server}, upstream ${upstreams.join(" ") || "none"}`,
      `  zones     ${zones.join(" ") || "none"}`,
    );
  }
  lines.push(...renderZones(standings));
  return lines;
}

/** Whose the zones are that are not their proxies' own, and which clusters do not have what they ask for. */
function renderZones(zones: NonNullable<StatusV1["zones"]>): readonly string[] {
  return zones.filter(({ grant, kind, state }) =>
    grant !== "own" && (kind === "custom" || state === "served")
  ).map(({ suffix, cluster, proxy, state, grant, why }) => {
    const who = cluster === proxy ? cluster : `${cluster} (${proxy})`;
    return `            ${suffix}: ${
      state === "served" ? `${who} by ${grant}` : `not ${who}, ${state}`
    }, ${why}`;
  });
}

/** Who else may connect; nothing where that is nobody. */
function renderAccess({ access }: StatusV1, { userName }: RenderOptions): readonly string[] {
  if (access === undefined) return [];
  const { shared_with, containers } = access;
  const users = shared_with === "all"
    ? ["every user of this machine"]
    : shared_with.map((uid) => userName(uid));
  const who = [...users, ...(containers === "allow" ? ["containers"] : [])];
  return who.length === 0 ? [] : [`  shared    with ${who.join(", ")}`];
}

/** What waits for a second factor. */
function renderWaiting(
  { mfa_waiting = [] }: StatusV1,
  { nowMs, timeZone }: RenderOptions,
): readonly string[] {
  return mfa_waiting.map(({ id, app, cluster, port, until }) =>
    `  waits     ${app} of ${cluster}, port ${port}, for your second factor until ${
      renderMoment(Date.parse(until), nowMs, timeZone)
    }: run \`vnet mfa approve --id ${id}\``
  );
}

function renderConnections(status: StatusV1, options: RenderOptions): readonly string[] {
  const { active, opened_total, refused_total, flows, recent_failures, refused_owners = [] } =
    status.connections;
  return [
    `  apps      ${status.apps_total}`,
    `  flows     ${active} open, ${opened_total} so far, ${refused_total} refused`,
    ...flows.map(({ name, port, state }) => `            ${name}:${port} ${state}`),
    ...refused_owners.map(({ uid, total }) =>
      `            ${total} refused of ${
        uid === undefined ? "containers" : `user ${options.userName(uid)}`
      }`
    ),
    ...recent_failures.map((failure) => {
      const { at, name, port, message, code } = failure;
      const when = renderMoment(Date.parse(at), options.nowMs, options.timeZone);
      return `  refused   ${name}:${port} ${when}: ${message}${
        renderWho(failure, options)
      } [${code}]`;
    }),
  ];
}

/** Says who it was and how often, as far as there is something to say. */
function renderWho(failure: Failure, { userName }: RenderOptions): string {
  const isForeign = failure.code === "owner-refused" && failure.uid !== undefined;
  const parts = [
    ...(isForeign ? [`user ${userName(failure.uid ?? 0)}`] : []),
    ...(failure.program === undefined ? [] : [failure.program]),
    ...(failure.count === undefined || failure.count < 2 ? [] : [counted(failure.count, "time")]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}
