import { isWanted } from "../../server/mod.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import { openAdmin } from "./open.ts";

export async function audit(
  context: Context,
  options: {
    readonly follow: boolean;
    readonly limit: number;
    readonly sinceMs: number | undefined;
    readonly user: string | undefined;
    readonly app: string | undefined;
    readonly event: string | undefined;
  },
): Promise<number> {
  const { follow, limit, sinceMs, user, app, event } = options;
  const filter = {
    ...(sinceMs === undefined ? {} : { since: new Date(context.nowMs() - sinceMs).toISOString() }),
    ...(user === undefined ? {} : { user }),
    ...(app === undefined ? {} : { app }),
    ...(event === undefined ? {} : { event }),
  };
  using admin = await openAdmin(context);
  const { events } = await admin.call("audit.read", { limit, ...filter });
  for (const event of events) context.stdout(`${JSON.stringify(event)}\n`);
  if (!follow) return EXIT.done;
  const last = events.at(-1)?.seq;
  const from = { ...(last === undefined ? {} : { after: last }), signal: context.signal };
  for await (const event of admin.follow(from)) {
    if (isWanted(event, filter)) context.stdout(`${JSON.stringify(event)}\n`);
  }
  return EXIT.done;
}
