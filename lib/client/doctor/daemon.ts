/**
 * Is there a daemon, what does it say, and which processes stand beside it?
 *
 * @module
 */
import { z } from "zod";
import { describeError, VnetError } from "../../error.ts";
import type { DaemonFacts, DaemonStatus, ProcessFacts } from "../../health/mod.ts";
import { parseEndpoint, parseIp, parsePrefix } from "../../ip/mod.ts";
import type { HostFacts } from "../../os/mod.ts";
import type { StatusV1 } from "../../status/mod.ts";
import { ControlClient } from "../control/client.ts";
import type { Paths } from "../paths.ts";
import { codeOf } from "./ask.ts";

const StartErrorSchema = z.object({ message: z.string() });

/** Asks the daemon for its status; whether its socket is there tells a crash from an end. */
export async function findDaemon(paths: Paths): Promise<DaemonFacts> {
  const { controlSocket } = paths;
  try {
    await Deno.lstat(controlSocket);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) {
      return { kind: "down", crashed: false, lastError: await findLastError(paths) };
    }
    return { kind: "silent", reason: `${controlSocket}: ${codeOf(thrown)}` };
  }
  try {
    using control = new ControlClient(controlSocket);
    return { kind: "running", status: readStatus(await control.status()) };
  } catch (thrown) {
    if (!(thrown instanceof VnetError) || thrown.code !== "daemon-not-running") {
      return { kind: "silent", reason: describeError(thrown) };
    }
    return await whySilent(controlSocket);
  }
}

/**
 * Reads why the daemon ended. What it left before it last wrote its address book is of an earlier day: every
 * daemon that gets ready writes the book.
 */
async function findLastError({ runtimeDir, stateDir }: Paths): Promise<string | null> {
  try {
    const path = `${runtimeDir}/start-error.json`;
    const [left, wrote] = await Promise.all([timeOf(path), timeOf(`${stateDir}/leases.json`)]);
    if (left === null || (wrote !== null && left < wrote)) return null;
    return StartErrorSchema.parse(JSON.parse(await Deno.readTextFile(path))).message;
  } catch {
    return null; // a hint is nothing to fail for
  }
}

async function timeOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).mtime?.getTime() ?? null;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return null;
    throw thrown;
  }
}

async function whySilent(path: string): Promise<DaemonFacts> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return { kind: "silent", reason: "it accepts connections and answers nothing" };
  } catch (thrown) {
    if (thrown instanceof Deno.errors.ConnectionRefused) {
      return { kind: "down", crashed: true, lastError: null };
    }
    return { kind: "silent", reason: `${path}: ${codeOf(thrown)}` };
  }
}

/** Reads the public status into values. */
function readStatus(status: StatusV1): DaemonStatus {
  const { link, dns, access, connections } = status;
  return {
    state: status.state,
    version: status.version,
    pid: status.pid,
    uid: status.uid,
    uptimeMs: status.uptime_ms,
    link: link === undefined ? null : {
      name: link.name,
      ipv4: parseIp(link.ipv4),
      ipv6: link.ipv6 === undefined ? null : parseIp(link.ipv6),
      ranges: link.ranges.map(parsePrefix),
    },
    dns: dns === undefined ? null : {
      backend: dns.backend,
      why: dns.why,
      server: parseEndpoint(dns.server),
      zones: dns.zones,
      upstreams: dns.upstreams.map(parseEndpoint),
    },
    sessions: status.profiles.map(({ proxy, state, reason, error }) => ({
      profile: proxy,
      state,
      reason: reason ?? null,
      error: error ?? null,
    })),
    findings: status.findings.map(({ code, message, hint }) => ({
      code,
      message,
      hint: hint ?? null,
    })),
    access: access === undefined
      ? null
      : { sharedWith: access.shared_with, containers: access.containers },
    refusedOwners: (connections.refused_owners ?? []).map(({ uid, total }) => ({
      uid: uid ?? null,
      total,
    })),
    refusals: connections.recent_failures,
  };
}

/** Looks for helpers that keep this journal, for their guards, and for repairs under way. */
export function findProcesses(
  facts: Pick<HostFacts, "commandLines" | "isStopped">,
  journalDir: string,
): ProcessFacts {
  const found = facts.commandLines().map(({ pid, words }) => ({
    pid,
    role: roleOf(words, journalDir),
  }));
  const inRole = (...roles: readonly Role[]) =>
    found.filter(({ role }) => role !== null && roles.includes(role)).map(({ pid }) => pid);
  const helpers = inRole("helper", "serviced");
  return {
    helpers,
    stoppedHelpers: helpers.filter((pid) => facts.isStopped(pid)),
    guards: inRole("guard"),
    serviced: inRole("serviced"),
    repairs: inRole("repair"),
  };
}

/** What a process of vnet's is there for. */
type Role = "helper" | "serviced" | "guard" | "repair";

/** Reads it from the words a process was started with; `null` if they are not about this journal. */
function roleOf(words: readonly string[], journalDir: string): Role | null {
  const at = words.indexOf("--journal");
  if (at < 0 || words[at + 1] !== journalDir) return null;
  if (words.includes("vnet-guard")) return "guard";
  if (words.includes("repair")) return "repair";
  if (!words.includes("helper")) return null;
  if (words.includes("--accepted")) return "serviced";
  return words.includes("--client") ? "helper" : null;
}
