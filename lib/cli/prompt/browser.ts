/**
 * Shows a person where to log in with a browser.
 *
 * @module
 */
import type { LoginVisit } from "../../client/mod.ts";
import { type Context, tell } from "../context.ts";
import { renderMoment } from "../text/moment.ts";

/** Opens an address with what the person has chosen for that. */
const OPENER = "xdg-open";

/** Whether a browser can be shown here. */
export function hasDisplay(env: Context["env"]): boolean {
  return ["DISPLAY", "WAYLAND_DISPLAY"].some((name) => (env(name) ?? "") !== "");
}

/** Tells where to log in, and opens the browser if there is one. */
export function showLogin(
  context: Context,
  visit: LoginVisit,
  hasBrowser: boolean,
): Promise<void> {
  // It must be seen, whatever is quiet: nothing goes on without it
  const loud = { ...context, globals: { ...context.globals, quiet: false } };
  if (visit.kind === "device") {
    tell(loud, `To log in with ${visit.with}, open this on any machine: ${visit.url}`);
    tell(loud, `and enter the code ${visit.code}`);
    if (visit.wholeUrl !== null) tell(loud, `The same in one: ${visit.wholeUrl}`);
    tell(loud, `The code is good until ${renderMoment(visit.expiresMs, context.nowMs())}`);
    return Promise.resolve();
  }
  const isOpen = hasBrowser && open(visit.url);
  tell(
    loud,
    isOpen
      ? `Log in with ${visit.with} in the browser; if none opens, open this: ${visit.url}`
      : `To log in with ${visit.with}, open this in a browser on this machine: ${visit.url}`,
  );
  return Promise.resolve();
}

/** @returns Whether there is a program that opens it. */
function open(url: string): boolean {
  try {
    const child = new Deno.Command(OPENER, {
      args: [url],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    child.unref();
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}
