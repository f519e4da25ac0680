/**
 * Looks after a link while it is up: what somebody takes from it is put back, until it is plain that they mean it.
 *
 * @module
 */
import { describeError } from "../error.ts";
import { formatPrefix } from "../ip/mod.ts";
import type { Links, NetworkWatch } from "../os/mod.ts";
import { pause } from "../wait.ts";
import type { Link } from "./link.ts";
import { Patience } from "./patience.ts";

/** Something to tell the client of: a finding. */
export interface Notice {
  readonly code: "link-restored" | "link-contested" | "link-unlimited" | "range-shadowed";
  readonly message: string;
  readonly hint?: string;
}

/** Whoever reconfigures a network takes several steps; a little later they are through. */
const SETTLE_MS = 50;

/** Follows the network until the signal aborts or the link is gone. */
export async function keepLink(
  links: Pick<Links, "watch">,
  link: Link,
  told: { readonly onNotice: (notice: Notice) => void; readonly onChange: () => void },
  signal: AbortSignal,
): Promise<void> {
  await using watch = links.watch();
  const patience = new Patience({ times: 10, windowMs: 60_000 });
  let shadows = "";
  while (await hasChanged(watch, signal)) {
    await pause(SETTLE_MS, signal);
    if (signal.aborted) return;
    link.confine();
    shadows = tellShadows(link, shadows, told.onNotice);
    told.onChange();
    const waitMs = restore(link, patience, told.onNotice);
    if (waitMs === null) return;
    await pause(waitMs, signal);
  }
}

/** @returns How long to leave it at that, in ms; `null` when there is no link any more. */
function restore(
  link: Link,
  patience: Patience,
  onNotice: (notice: Notice) => void,
): number | null {
  try {
    const lost = link.lost();
    if (lost.addresses.length === 0 && lost.routes.length === 0) return 0;
    const waitMs = patience.spend(performance.now());
    if (waitMs > 0) {
      onNotice({
        code: "link-contested",
        message: `Another program keeps taking addresses or routes from ${link.name}; ` +
          `vnet tries again in ${Math.ceil(waitMs / 1000)} s`,
        hint: "Configure your network manager to ignore vnet* devices",
      });
      return waitMs;
    }
    const restored = link.restore();
    onNotice({
      code: "link-restored",
      message: `Another program took from ${link.name}, and it is back: ${restored.join(", ")}`,
    });
    return 0;
  } catch (thrown) {
    if (isGone(thrown)) return null; // Whoever reads its packets knows already.
    onNotice({
      code: "link-contested",
      message: `Cannot put back what another program took from ${link.name}: ${
        describeError(thrown)
      }`,
      hint: "Run `sudo vnet restart`",
    });
    return 0;
  }
}

/** Tells of foreign routes inside ours when they are others than before. */
function tellShadows(link: Link, before: string, onNotice: (notice: Notice) => void): string {
  const shadows = link.shadowed();
  const text = shadows.map(({ route, by }) => `${formatPrefix(by)} in ${formatPrefix(route)}`)
    .join(", ");
  if (text !== "" && text !== before) {
    onNotice({
      code: "range-shadowed",
      message: `Another program has a route or address inside vnet's range: ${text}`,
      hint: "Run `sudo vnet restart`: vnet then chooses another range",
    });
  }
  return text;
}

function isGone(thrown: unknown): boolean {
  return thrown instanceof Error && "errno" in thrown &&
    (thrown.errno === "ENODEV" || thrown.errno === "ENXIO");
}

async function hasChanged(watch: NetworkWatch, signal: AbortSignal): Promise<boolean> {
  try {
    return await watch.next(signal);
  } catch (thrown) {
    if (signal.aborted) return false;
    throw thrown;
  }
}
