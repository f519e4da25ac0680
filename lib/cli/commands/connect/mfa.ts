import { object, or } from "@optique/core/constructs";
import { message } from "@optique/core/message";
import { map, optional } from "@optique/core/modifiers";
import { argument, command, option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import type { ControlClient } from "../../../client/mod.ts";
import { UsageError } from "../../../error.ts";
import { askText } from "../../ask.ts";
import { type Action, type Context, printJson, printText, tell } from "../../context.ts";
import { EXIT } from "../../exit.ts";
import { renderTable } from "../../text/table.ts";
import { readTotpCode } from "../../totp.ts";
import { format } from "../options.ts";

const NO_CODE = "A code has 6 to 8 digits";

const id = optional(option("--id", string({ metavar: "ID" }), {
  description: message`Which one, by its number in "vnet mfa ls". Default: the oldest.`,
}));

const ls = command(
  "ls",
  map(object({ format }), (options): Action => (context) => runLs(context, options.format)),
  { brief: message`List the connections that wait for your second factor` },
);

const approve = command(
  "approve",
  map(
    object({
      code: optional(argument(string({ metavar: "CODE" }), {
        description: message`The code your authenticator shows. Asked for if left out.`,
      })),
      id,
    }),
    (options): Action => (context) => runApprove(context, options),
  ),
  { brief: message`Give your second factor, so that a waiting connection goes on` },
);

const decline = command(
  "decline",
  map(object({ id }), (options): Action => (context) => runDecline(context, options.id ?? null)),
  { brief: message`Refuse a waiting connection` },
);

export const mfa = command("mfa", or(ls, approve, decline), {
  brief: message`Answer apps that require a second factor for each session`,
});

async function runLs(context: Context, form: "text" | "json"): Promise<number> {
  using control = await open(context);
  const { schema, waiting } = await control.mfa();
  if (form === "json") printJson(context, { schema, waiting });
  else if (waiting.length === 0) tell(context, "Nothing waits for a second factor");
  else {
    const { renderMoment } = await import("../../text/moment.ts");
    const rows = waiting.map(({ id, app, cluster, port, until }) => [
      ...[id, app, cluster, String(port)],
      renderMoment(Date.parse(until), context.nowMs()),
    ]);
    printText(context, renderTable(["ID", "APP", "CLUSTER", "PORT", "REFUSED"], rows));
  }
  return EXIT.done;
}

async function runApprove(
  context: Context,
  options: { readonly code: string | undefined; readonly id: string | undefined },
): Promise<number> {
  using control = await open(context);
  const code = readTotpCode(options.code ?? await askCode(context, control));
  if (code === null) {
    throw new UsageError("usage", "Cannot use this code: a code has 6 to 8 digits");
  }
  const { app, cluster, port } = await control.approveMfa(code, options.id ?? null);
  tell(context, `Approved: "${app}" of ${cluster}, port ${port}`);
  return EXIT.done;
}

/** Asks for a code, if anything waits for one. @throws UsageError `no-terminal`, `mfa-nothing-waits` */
async function askCode(context: Context, control: ControlClient): Promise<string> {
  if (!context.stdinIsTerminal) {
    throw new UsageError("no-terminal", "Cannot ask for the code: standard input is no terminal", {
      hint: "Give the code: `vnet mfa approve CODE`",
    });
  }
  if ((await control.mfa()).waiting.length === 0) {
    throw new UsageError("mfa-nothing-waits", "Nothing waits for a second factor", {
      hint: "Connect to the app first; `vnet mfa ls` shows what waits",
    });
  }
  return await askText(
    context,
    "Code of your authenticator",
    (text) => readTotpCode(text) === null ? NO_CODE : undefined,
  );
}

async function runDecline(context: Context, which: string | null): Promise<number> {
  using control = await open(context);
  const { app, cluster, port } = await control.declineMfa(which);
  tell(context, `Declined: "${app}" of ${cluster}, port ${port}`);
  return EXIT.done;
}

async function open(context: Context) {
  const { ControlClient } = await import("../../../client/control/client.ts");
  return new ControlClient(context.paths.controlSocket);
}
