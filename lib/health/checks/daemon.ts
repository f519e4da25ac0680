/** The two processes of the client, and what the daemon itself complains about. */
import { formatMs } from "../duration.ts";
import type { DaemonFacts, DaemonStatus, Facts, ProcessFacts } from "../facts.ts";
import {
  advice,
  type Check,
  command,
  fail,
  judged,
  type Judgement,
  ok,
  seen,
  skip,
  warn,
} from "../finding.ts";
import { whenUp } from "../running.ts";

const RESTART = command("sudo vnet restart");

const alive: Check = {
  id: "daemon.alive",
  title: "Daemon",
  severity: "error",
  dependsOn: ["auth.profile"],
  judge: ({ daemon }) => judged(daemon, judgeAlive),
};

function judgeAlive(daemon: DaemonFacts): readonly Judgement[] {
  switch (daemon.kind) {
    case "silent":
      return fail("running, but it does not answer", {
        evidence: [seen("asking", daemon.reason)],
        fix: RESTART,
      });
    case "down": {
      const { lastError, crashed } = daemon;
      const detail = { fix: command("sudo vnet up --detach"), blocks: true };
      if (lastError !== null) {
        return fail("vnet stopped because of an error", { ...detail, cause: lastError });
      }
      if (!crashed) return warn("vnet is not up", detail);
      const cause = "the daemon was killed, or it crashed; its socket is still there";
      return fail("vnet is not up any more", { ...detail, cause });
    }
    case "running":
      return judgeState(daemon.status);
    default:
      return daemon satisfies never;
  }
}

function judgeState(status: DaemonStatus): readonly Judgement[] {
  const since = `pid ${status.pid}, up ${formatMs(status.uptimeMs)}`;
  switch (status.state) {
    case "ready":
    case "degraded":
      return ok(`runs, ${since}`);
    case "starting":
      return warn(`still starting, ${since}`, { fix: command("vnet wait"), blocks: true });
    case "stopping":
      return warn(`stopping, ${since}`, { fix: RESTART, blocks: true });
    default:
      return status.state satisfies never;
  }
}

const version: Check = {
  id: "daemon.version",
  title: "Version",
  severity: "warning",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, (status) => {
      const own = facts.program.version;
      if (status.version === own) return ok(`the daemon has this program's version, ${own}`);
      return warn("the daemon is of another version", {
        evidence: [seen("daemon", status.version), seen("program", own)],
        cause: "vnet was updated while it was up",
        fix: RESTART,
      });
    }),
};

const helper: Check = {
  id: "helper.alive",
  title: "Helper",
  severity: "error",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, (status) => {
      const lost = status.findings.find(({ code }) => code === "helper-lost");
      if (lost !== undefined) {
        return fail("the privileged helper is gone", {
          evidence: [seen("daemon says", lost.message)],
          cause: "it was killed, or it crashed",
          fix: RESTART,
        });
      }
      return judged(facts.processes, judgeHelpers);
    }),
};

function judgeHelpers({ helpers, stoppedHelpers }: ProcessFacts): readonly Judgement[] {
  if (helpers.length === 0) return ok("connected; its process cannot be seen from here");
  if (helpers.every((pid) => stoppedHelpers.includes(pid))) {
    return fail("the privileged helper is stopped", {
      evidence: [seen("process", `${helpers.join(", ")}: state T`)],
      cause:
        "it was suspended (SIGSTOP): it neither follows changes of the network nor repairs DNS",
      fix: command(`sudo kill -CONT ${helpers.join(" ")}`),
    });
  }
  return ok(`connected, pid ${helpers.join(", ")}`);
}

const guard: Check = {
  id: "helper.guard",
  title: "Guard",
  severity: "warning",
  dependsOn: ["daemon.alive", "helper.alive"],
  judge: (facts) =>
    whenUp(facts, () =>
      judged(facts.processes, ({ helpers, guards, serviced }) => {
        if (guards.length > 0) return ok(`ready to repair, pid ${guards.join(", ")}`);
        if (serviced.length > 0) return ok("not needed: systemd repairs after the helper");
        if (helpers.length === 0) return skip("processes of root cannot be seen from here");
        return warn("DNS would stay broken if the helper were killed", {
          cause: "the guard process that repairs DNS then was killed, or could not start",
          fix: RESTART,
        });
      })),
};

const session: Check = {
  id: "auth.session",
  title: "Session",
  severity: "error",
  dependsOn: ["daemon.alive", "net.proxy", "auth.profile"],
  isFamily: true,
  judge: (facts) =>
    whenUp(facts, ({ sessions }) =>
      sessions.flatMap(({ profile, state, reason, error }) => {
        const evidence = error === null ? [] : [seen("daemon says", error)];
        switch (state) {
          case "active":
            return ok("the cluster accepts the login", { of: profile });
          case "expired":
            if (reason === "access-locked") {
              return fail("a lock is in force for you", {
                of: profile,
                evidence,
                cause: "an administrator of the cluster locked you, your role or this login",
                fix: advice("Ask an administrator of the cluster; a new login does not help"),
                blocks: false,
              });
            }
            return fail("the cluster does not accept the login any more", {
              of: profile,
              evidence,
              cause: "it expired, it was locked, or the account is gone",
              fix: command(`vnet login --proxy ${profile}`),
              blocks: false,
            });
          case "unreachable":
            return warn("the cluster did not answer the last question", {
              of: profile,
              evidence,
              cause: isDead(facts, profile)
                ? "its proxy cannot be reached; what was last known is used"
                : "its proxy answers now: the daemon asks again within a minute",
              fix: advice("Wait a minute, then run `vnet doctor --only auth.session`"),
            });
          default:
            return state satisfies never;
        }
      })),
};

function isDead({ proxies }: Facts, profile: string): boolean {
  return proxies.kind === "measured" &&
    proxies.value.some((proxy) => proxy.profile === profile && proxy.reached.kind === "failed");
}

/** Findings of the daemon that another check has by itself. */
const JUDGED_ELSEWHERE =
  /^(helper-lost|range-(full|moved|shadowed|unasked|forbidden)|ipv6-off|link-restored|link-contested|link-unlimited|dns-.*)$/;

const config: Check = {
  id: "cluster.config",
  title: "Configuration",
  severity: "warning",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, ({ findings }) => {
      const own = findings.filter(({ code }) => !JUDGED_ELSEWHERE.test(code));
      if (own.length === 0) return ok("the configuration of every cluster is in force");
      const hint = own.find(({ hint }) => hint !== null)?.hint;
      return warn(
        own.length === 1 ? own[0]?.message ?? "" : `${own.length} configuration warnings`,
        {
          evidence: own.map(({ code, message }) => seen(code, message)),
          fix: advice(hint ?? "Ask the cluster's administrator to correct the configuration"),
        },
      );
    }),
};

const owner: Check = {
  id: "sec.owner",
  title: "Same-user guard",
  severity: "warning",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, ({ uid, access, refusedOwners }) => {
      const evidence = refusedOwners.map(({ uid, total }) =>
        seen("refused", `${total} of ${uid === null ? "containers and other hosts" : `uid ${uid}`}`)
      );
      const sharedWith = access?.sharedWith ?? [];
      if (sharedWith === "all") {
        return warn("every user of this machine may connect as you", {
          evidence,
          cause: "vnet was brought up with --share all",
          fix: command("sudo vnet down && sudo vnet up --detach"),
        });
      }
      const uids = [uid, ...sharedWith, ...(uid === 0 ? [] : [0])].join(", ");
      const others = access?.containers === "allow" ? ", and containers" : "";
      return ok(`on: only programs of uid ${uids}${others} may connect`, { evidence });
    }),
};

const bounds: Check = {
  id: "sec.link",
  title: "Device in bounds",
  severity: "warning",
  dependsOn: ["daemon.alive"],
  judge: (facts) =>
    whenUp(facts, ({ findings }) => {
      const told = findings.find(({ code }) => code === "link-unlimited");
      if (told === undefined) return ok("packets out of it come from vnet's own addresses");
      return warn("packets out of the device may come from any address", {
        evidence: [seen("daemon says", told.message)],
        cause: "this kernel lacks sch_ingress or cls_bpf",
        fix: advice(told.hint ?? "Run a kernel that has both"),
      });
    }),
};

/** Daemon, helper, sessions, and who may connect. */
export const DAEMON_CHECKS: readonly Check[] = [
  alive,
  version,
  helper,
  guard,
  session,
  config,
  owner,
  bounds,
];
