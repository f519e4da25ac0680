/**
 * Where a user's message bus listens.
 *
 * @module
 * @see D-Bus Specification 0.43, "Server Addresses"; systemd's user@.service, which has it at `$XDG_RUNTIME_DIR/bus`
 */

/** Where to look for the bus, best first: as the environment says, and where it always is. */
export function sessionBusSockets(
  env: (name: string) => string | undefined,
  uid: number,
): readonly string[] {
  const runtimeDir = env("XDG_RUNTIME_DIR") ?? "";
  const sockets = [
    ...socketsOf(env("DBUS_SESSION_BUS_ADDRESS") ?? ""),
    ...(runtimeDir.startsWith("/") ? [`${runtimeDir}/bus`] : []),
    `/run/user/${uid}/bus`,
  ];
  return [...new Set(sockets)];
}

/** The sockets with a path of an address; others, like `unix:abstract=`, are left out. */
function socketsOf(address: string): readonly string[] {
  return address.split(";").flatMap((entry) => {
    if (!entry.startsWith("unix:")) return [];
    const [path] = entry.slice("unix:".length).split(",")
      .filter((pair) => pair.startsWith("path=/"))
      .map((pair) => unescape(pair.slice("path=".length)));
    return path ?? [];
  });
}

/** @returns The text without its `%xx`; `undefined` where one is none. */
function unescape(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
