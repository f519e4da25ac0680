/**
 * Names on the message bus.
 *
 * @module
 * @see org.freedesktop.resolve1(5), org.freedesktop.network1(5)
 */

/** systemd-resolved's manager object. */
export const RESOLVED = {
  destination: "org.freedesktop.resolve1",
  path: "/org/freedesktop/resolve1",
  interface: "org.freedesktop.resolve1.Manager",
} as const;

/** systemd-networkd's, which takes the same calls for links it manages. */
export const NETWORKD = {
  destination: "org.freedesktop.network1",
  path: "/org/freedesktop/network1",
  interface: "org.freedesktop.network1.Manager",
} as const;

/** NetworkManager's view of the host's DNS. */
export const NETWORK_MANAGER = {
  destination: "org.freedesktop.NetworkManager",
  path: "/org/freedesktop/NetworkManager/DnsManager",
  interface: "org.freedesktop.NetworkManager.DnsManager",
} as const;
