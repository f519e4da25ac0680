import type { AppsV1 } from "../../status/mod.ts";
import { renderPaste } from "./paste.ts";
import { renderTable } from "./table.ts";

/** Writes the apps as text, a line for each name; their cluster only where there are several. */
export function renderApps({ apps }: AppsV1): string {
  const several = new Set(apps.map(({ cluster }) => cluster)).size > 1;
  const rows = apps.flatMap((app) =>
    app.public_addrs.map((name) => [
      app.name,
      app.kind ?? "tcp",
      name,
      app.addresses.find((address) => address.name === name)?.ipv4 ?? "-",
      app.ports?.join(",") ?? "any",
      ...(several ? [app.cluster] : []),
      renderPaste(name, app),
    ])
  );
  const headings = ["APP", "KIND", "NAME", "ADDRESS", "PORTS", ...(several ? ["CLUSTER"] : [])];
  return renderTable([...headings, "USE"], rows);
}
