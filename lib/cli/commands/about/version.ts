import { object } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map } from "@optique/core/modifiers";
import { argument, command } from "@optique/core/primitives";
import { choice } from "@optique/core/valueparser";
import { VERSION } from "../../../version.ts";
import { type Action, type Context, printJson } from "../../context.ts";
import { EXIT } from "../../exit.ts";
import { buildForm, builtCommit } from "../../self.ts";
import { format } from "../options.ts";

/** The documents of lib/status, which no other command needs before it begins. */
export const DOCUMENT_NAMES = [
  "apps",
  "clusters",
  "connect",
  "connections",
  "ctl-agents",
  "ctl-apps",
  "ctl-audit",
  "ctl-resources",
  "ctl-sessions",
  "ctl-status",
  "ctl-token",
  "ctl-tokens",
  "ctl-users",
  "demo",
  "doctor",
  "mfa",
  "proxy",
  "resolve",
  "service",
  "status",
  "version",
  "zones",
] as const;

export const version = command(
  "version",
  map(object({ format }), (options): Action => (context) => printVersion(context, options.format)),
  { brief: message`Print the version, commit and build of this program` },
);

export const schema = command(
  "schema",
  map(
    object({
      name: argument(choice(DOCUMENT_NAMES, { metavar: "NAME" }), {
        description: message`The JSON output to describe.`,
      }),
    }),
    (options): Action => async (context) => {
      const { jsonSchemaOf } = await import("../../../status/mod.ts");
      printJson(context, jsonSchemaOf(options.name));
      return EXIT.done;
    },
  ),
  { brief: message`Print the JSON Schema of a command's JSON output` },
);

function printVersion(context: Context, form: "text" | "json"): Promise<number> {
  const commit = builtCommit();
  const build = buildForm();
  const runtime = `deno ${Deno.version.deno}`;
  if (form === "json") {
    printJson(context, {
      schema: "vnet.version/1",
      version: VERSION,
      ...(commit === null ? {} : { commit }),
      runtime,
      build,
      target: Deno.build.target,
    });
  } else {
    context.stdout(
      `vnet ${VERSION}${
        commit === null ? "" : ` (${commit.slice(0, 12)})`
      }, ${build}, ${runtime}\n`,
    );
  }
  return Promise.resolve(EXIT.done);
}
