/** The version of this program, as `vnet version` prints it and peers see it. */
export const VERSION = "0.1.0";

/** The oldest client that this server still understands. */
export const MIN_CLIENT_VERSION = "0.1.0";
