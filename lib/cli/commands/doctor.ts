import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, optional, withDefault } from "@optique/core/modifiers";
import { command, flag, option } from "@optique/core/primitives";
import type { RepairStep, Target } from "../../client/doctor/mod.ts";
import { UsageError } from "../../error.ts";
import type { DoctorV1 } from "../../status/mod.ts";
import { type Action, type Context, printJson, printText, tell } from "../context.ts";
import { EXIT } from "../exit.ts";
import { journalDir } from "../journal.ts";
import { known } from "../grammar/known_values.ts";
import { format } from "./options.ts";

interface Options {
  readonly only: string | undefined;
  readonly skip: string | undefined;
  readonly name: string | undefined;
  readonly fix: boolean;
  readonly list: boolean;
  readonly strict: boolean;
  readonly format: "text" | "json";
}

export const doctor = command(
  "doctor",
  map(
    object({
      only: optional(option("--only", known("check", "ID,…"), {
        description: message`Run only these checks, and those they depend on.`,
      })),
      skip: optional(option("--skip", known("check", "ID,…"), {
        description: message`Run all checks except these.`,
      })),
      name: optional(option("--name", known("name", "HOST[:PORT]"), {
        description: message`Also check the path to one app, step by step.`,
      })),
      fix: withDefault(
        flag("--fix", {
          description: message`Repair what a killed vnet left behind (needs root), then check.`,
        }),
        false,
      ),
      list: withDefault(flag("--list", { description: message`List the checks and exit.` }), false),
      strict: withDefault(
        flag("--strict", { description: message`Exit with status 3 if there are warnings.` }),
        false,
      ),
      format,
    }),
    (options): Action => (context) => run(context, options),
  ),
  {
    brief: message`Diagnose this machine: what is wrong, why, and what to do about it`,
    description:
      message`Read-only unless --fix is given. Needs no root, takes at most three seconds, and works whether vnet is up or down. Exits with status 1 if a check failed.`,
  },
);

async function run(context: Context, options: Options): Promise<number> {
  if (options.list) return await printList(context);
  const { isKnownPattern, examine } = await import("../../health/mod.ts");
  const { describeHost, gather, renderReport, repairLeftovers } = await import(
    "../../client/doctor/mod.ts"
  );
  const selection = { only: readIds(options.only), skip: readIds(options.skip) };
  const unknown = [...selection.only, ...selection.skip].find((id) => !isKnownPattern(id));
  if (unknown !== undefined) {
    throw new UsageError("usage", `There is no check "${unknown}"`, {
      hint: "Run `vnet doctor --list`",
    });
  }
  const startedMs = context.nowMs();
  const { paths, owner, nowMs, signal } = context;
  const machine = await context.machine();
  const place = { paths, journalDir: journalDir(context) };
  const target = await readTarget(options.name);
  const measure = () => gather({ ...place, machine, owner, target, nowMs, signal });
  let gathered = await measure();
  let repaired: readonly RepairStep[] | null = null;
  if (options.fix) {
    repaired = await repairLeftovers({ ...place, machine: machine.root, facts: gathered.facts });
    if (repaired.some(({ done }) => done)) gathered = await measure();
  }
  const report = renderReport({
    host: await describeHost(machine.facts),
    startedMs,
    durationMs: context.nowMs() - startedMs,
    findings: examine(gathered.facts, selection),
    attempts: gathered.attempts,
    repaired,
  });
  await print(context, options, report);
  return exitStatus(report, options.strict);
}

async function print(context: Context, options: Options, report: DoctorV1): Promise<void> {
  for (const { done, text } of report.repaired ?? []) {
    tell(context, done ? `Repaired: ${text}` : `Not repaired: ${text}`);
  }
  if (report.repaired?.length === 0) tell(context, "Nothing to repair");
  if (options.format === "json") return printJson(context, report);
  const { renderDoctor } = await import("../text/doctor_text.ts");
  const { color, globals } = context;
  printText(context, renderDoctor(report, { color, verbose: globals.verbose }));
}

function exitStatus({ summary }: DoctorV1, strict: boolean): number {
  if (summary.fail > 0) return EXIT.failed;
  return strict && summary.warn > 0 ? EXIT.warnings : EXIT.done;
}

async function printList(context: Context): Promise<number> {
  const { CHECKS } = await import("../../health/mod.ts");
  const { renderTable } = await import("../text/table.ts");
  const rows = CHECKS.map(({ id, title, severity, isFamily, needsTarget, dependsOn }) => [
    isFamily === true ? `${id}.*` : id,
    severity,
    needsTarget === true ? `${title} (with --name)` : title,
    dependsOn.join(", "),
  ]);
  printText(context, renderTable(["ID", "SEVERITY", "CHECK", "DEPENDS ON"], rows));
  return EXIT.done;
}

function readIds(text: string | undefined): readonly string[] {
  return (text ?? "").split(",").map((id) => id.trim()).filter((id) => id !== "");
}

/** Reads `--name`. @throws UsageError */
async function readTarget(text: string | undefined): Promise<Target | null> {
  if (text === undefined) return null;
  const { parseHostPort } = await import("../../config/mod.ts");
  const { isDomainName } = await import("../../dns/mod.ts");
  const plain = text.replace(/\.(?=$|:)/, "");
  const hasPort = /:[0-9]+$/.test(plain);
  const found = parseHostPort(hasPort ? plain : `${plain}:1`, null);
  if (found === null || !isDomainName(found.host) || /^[0-9.]+$/.test(found.host)) {
    throw new UsageError("usage", `Cannot check "${text}": it is not a DNS name`, {
      hint: "Use the name of an app, for example --name db.example.com:5432",
    });
  }
  return { host: found.host, port: hasPort ? found.port : null };
}
