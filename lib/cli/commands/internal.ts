/** Commands that vnet runs itself with; they work by hand, and help does not list them. */
import { object, or } from "@optique/core/constructs";
import { map, multiple, optional, withDefault } from "@optique/core/modifiers";
import { command, option } from "@optique/core/primitives";
import { choice, integer, string } from "@optique/core/valueparser";
import { VnetError } from "../../error.ts";
import { asOwner } from "../as_owner.ts";
import { type Action, type Context, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { harden } from "../harden.ts";
import { selfCommand, selfEnvironment } from "../self.ts";
import { containers, dns, upOptions } from "./up_options.ts";

/** What asks the service manager to start the daemon again; see `RestartForceExitStatus` of its unit. */
const RESTART_STATUS = 75;
/** What says that the user's other daemon goes on instead; see `RestartPreventExitStatus` of the user's unit. */
const ALREADY_UP_STATUS = 74;

/** Runs with logs kept from growing for ever, this process's own among them; that they cannot be is no reason not to run. */
async function keepingLogs<T>(
  context: Context,
  paths: readonly string[],
  run: () => Promise<T>,
): Promise<T> {
  const { processes } = await context.machine();
  const { getLogger } = await import("../../log.ts");
  const stop = new AbortController();
  const keeping = processes.keepLogs(paths, stop.signal).catch((thrown) => {
    getLogger("cli").warning("Cannot keep the logs from growing", { error: String(thrown) });
  });
  try {
    return await run();
  } finally {
    stop.abort();
    await keeping;
  }
}

export const helper = command(
  "helper",
  map(
    object({
      from: or(
        object({
          descriptor: option("--client", integer({ min: 3, metavar: "DESCRIPTOR" })),
          dns,
          containers,
          ranges: multiple(option("--range", string({ metavar: "CIDR" }))),
        }),
        object({ accepted: option("--accepted"), polkit: option("--polkit") }),
      ),
      journal: option("--journal", string({ metavar: "DIR" })),
      logsOf: optional(option("--logs-of", integer({ min: 0, metavar: "UID" }))),
    }),
    (options): Action => async (context) => {
      const { serveHelper } = await import("../../helper/mod.ts");
      await harden(context, { programs: true, machine: true });
      const machine = (await context.machine()).root;
      const { from } = options;
      const journal = machine.folders.own(options.journal);
      if ("accepted" in from) {
        const { acceptedClient } = await import("../service/accepted.ts");
        const place = { lockDir: journal, polkit: from.polkit };
        await serveHelper({
          machine,
          ...await acceptedClient(machine, context.env, place),
          journalDir: journal,
          repair: null, // The unit's ExecStopPost.
          signal: context.signal,
        });
        return EXIT.done;
      }
      const { DEFAULT_UP_SETTINGS, parseUpOptions } = await import("../../config/mod.ts");
      const { parsePrefix } = await import("../../ip/mod.ts");
      const { dns, containers } = from;
      const settings = { ...DEFAULT_UP_SETTINGS, ...parseUpOptions({ dns, containers }) };
      const uid = options.logsOf;
      const logs = uid === undefined
        ? []
        : ["helper", "daemon"].map((name) => `${journal}/${name}-${uid}.log`);
      await keepingLogs(context, logs, () =>
        serveHelper({
          machine,
          descriptor: from.descriptor,
          admission: null,
          journalDir: journal,
          repair: {
            ...selfCommand(["repair", "--journal", journal]),
            env: selfEnvironment(context.env),
          },
          policy: {
            dnsMode: settings.dns,
            containers: settings.containers === "allow",
            zones: null,
            ranges: from.ranges.map(parsePrefix),
          },
          signal: context.signal,
        }));
      return EXIT.done;
    },
  ),
  { hidden: true },
);

export const repair = command(
  "repair",
  map(
    object({
      journal: option("--journal", string({ metavar: "DIR" })),
      guard: option("--guard"),
    }),
    (options): Action => async (context) => {
      if (options.guard) {
        const { waitAsGuard } = await import("../../helper/mod.ts");
        if (!await waitAsGuard(Deno.stdin)) return EXIT.done;
      }
      const { journal } = (await context.machine()).root;
      for (const line of await journal.repair(options.journal)) tell(context, `Repaired: ${line}`);
      return EXIT.done;
    },
  ),
  { hidden: true },
);

/** Run as the owner, who alone may say what lies behind the names of their folders. */
export const purgeOwn = command(
  "purge-own",
  map(object({}), (): Action =>
    asOwner(async (context) => {
      const { purgeOwn } = await import("../purge.ts");
      for (const line of await purgeOwn(context.paths)) tell(context, line);
      return EXIT.done;
    })),
  { hidden: true },
);

/** Run as the owner, in whose folder they are. */
export const forgetSettings = command(
  "forget-settings",
  map(object({}), (): Action =>
    asOwner(async (context) => {
      const { forgetSettings } = await import("../../client/mod.ts");
      await forgetSettings(context.paths.stateDir);
      return EXIT.done;
    })),
  { hidden: true },
);

export const daemon = command(
  "daemon",
  map(
    object({
      helper: or(
        map(
          option("--helper", integer({ min: 3, metavar: "DESCRIPTOR" })),
          (descriptor) => ({ descriptor }),
        ),
        map(option("--helper-socket", string({ metavar: "PATH" })), (path) => ({ path })),
      ),
      waitForLogin: option("--wait-for-login"),
      up: upOptions,
      logs: multiple(option("--keep-log", string({ metavar: "FILE" }))),
    }),
    (options): Action =>
      asOwner(async (context) => {
        await harden(context, { programs: false, machine: true });
        const { DEFAULT_UP_SETTINGS, parseUpOptions } = await import("../../config/mod.ts");
        const { runDaemon } = await import("../../client/mod.ts");
        const { sharedUids } = await import("../shares.ts");
        const settings = { ...DEFAULT_UP_SETTINGS, ...parseUpOptions(options.up) };
        const sharedWith = await sharedUids(settings.share);
        const ended = await keepingLogs(context, options.logs, () =>
          runDaemon({
            paths: context.paths,
            policy: {
              ownerUid: Deno.uid() ?? 0,
              sharedWith: sharedWith === "all" ? "all" : new Set(sharedWith),
              containers: settings.containers === "allow",
            },
            helper: options.helper,
            waitForLogin: options.waitForLogin,
            link: settings.link,
            range: settings.cidr,
            dnsMode: settings.dns,
            settings,
            signal: context.signal,
            nowMs: context.nowMs,
          })).catch((thrown) => {
            const isTaken = thrown instanceof VnetError && thrown.code === "already-up";
            if (!isTaken || !options.waitForLogin) throw thrown;
            context.stderr(`${thrown.message} [${thrown.code}]\n`);
            return "already-up" as const;
          });
        if (ended === "already-up") return ALREADY_UP_STATUS;
        return ended === "restart" ? RESTART_STATUS : EXIT.done;
      }),
  ),
  { hidden: true },
);

export const demoInside = command(
  "demo-inside",
  map(
    object({
      format: withDefault(option("--format", choice(["text", "json"] as const)), "text" as const),
      apps: withDefault(option("--apps", integer({ min: 0, max: 1000 })), 0),
      after: withDefault(
        option("--after", choice(["end", "keep", "shell"] as const)),
        "end" as const,
      ),
      host: withDefault(option("--where", choice(["inside", "host"] as const)), "inside" as const),
    }),
    (options): Action => async (context) => {
      const { runDemo } = await import("../demo/run.ts");
      return await runDemo(context, {
        format: options.format,
        extraApps: options.apps,
        after: options.after,
        onHost: options.host === "host",
      });
    },
  ),
  { hidden: true },
);
