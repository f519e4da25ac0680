import type { AppsV1 } from "../../status/mod.ts";
import { renderMoment } from "./moment.ts";
import { renderPaste } from "./paste.ts";
import { renderTable } from "./table.ts";

type App = AppsV1["apps"][number];

/** Writes the apps as text, a line for each name; their cluster only where there are several. */
export function renderApps({ apps }: AppsV1, nowMs: number): string {
  const several = new Set(apps.map(({ cluster }) => cluster)).size > 1;
  const rows = apps.flatMap((app) =>
    app.public_addrs.map((name) => {
      const own = app.addresses.find((address) => address.name === name);
      return [
        app.name,
        app.kind ?? "tcp",
        name,
        own?.ipv4 ?? "-",
        app.ports?.join(",") ?? (app.last_seen === undefined ? "any" : "-"),
        ...(several ? [app.cluster] : []),
        own?.grant ?? "-",
        renderUse(app, name, nowMs),
      ];
    })
  );
  const headings = ["APP", "KIND", "NAME", "ADDRESS", "PORTS", ...(several ? ["CLUSTER"] : [])];
  return renderTable([...headings, "GRANT", "USE"], rows);
}

function renderUse(app: App, name: string, nowMs: number): string {
  if (app.last_seen !== undefined) {
    return `away; its agent was last seen ${renderMoment(Date.parse(app.last_seen), nowMs)}`;
  }
  const refused = app.refused?.find((one) => one.name === plainName(name));
  return refused === undefined ? renderPaste(name, app) : `not this app's: ${refused.why}`;
}

function plainName(text: string): string {
  return text.toLowerCase().replace(/\.$/, "");
}
