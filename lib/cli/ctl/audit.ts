import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import { openAdmin } from "./open.ts";

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
