/** The domain below which every app connection's server name lies; it is never in the public DNS. */
const APP_DOMAIN = "app.vnet.internal";

const APP_ID = /^[0-9a-f]{16}$/;
const SERVER_NAME = /^([a-z2-7]{8,63})\.([0-9a-f]{16})\.app\.vnet\.internal$/;

/** The bytes whose SHA-256 begins with the app id. */
export function appIdSource(cluster: string, app: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${cluster}/${app}`);
}

/**
 * Takes the app id from a digest: its first 16 hex digits.
 *
 * @param digest SHA-256 of `appIdSource(cluster, app)`, 32 bytes.
 */
export function appIdFromDigest(digest: Uint8Array): string {
  if (digest.length !== 32) throw new RangeError("A SHA-256 digest has 32 bytes");
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether a text has the form of an app id. */
function isAppId(text: string): boolean {
  return APP_ID.test(text);
}

/** The DNS name in an agent's certificate that lets it serve one app. */
export function agentDnsName(appId: string): string {
  if (!isAppId(appId)) throw new TypeError(`Not an app id: ${JSON.stringify(appId)}`);
  return `*.${appId}.${APP_DOMAIN}`;
}

/**
 * Reads the app id out of an agent certificate's DNS name.
 *
 * @returns The app id, or `null` if the name is not of the form `agentDnsName` writes.
 */
export function parseAgentDnsName(name: string): string | null {
  const appId = name.slice(2, 18);
  return isAppId(appId) && name === agentDnsName(appId) ? appId : null;
}

/** The SNI of an app connection: `<ticket>.<app id>.app.vnet.internal`. */
export function appServerName(ticket: string, appId: string): string {
  return `${ticket}.${appId}.${APP_DOMAIN}`;
}

/**
 * Reads the SNI of an app connection; letters in either case.
 *
 * @returns Its parts, or `null` if the name is anything else.
 */
export function parseAppServerName(
  serverName: string,
): { readonly ticket: string; readonly appId: string } | null {
  const match = SERVER_NAME.exec(serverName.toLowerCase());
  if (match === null) return null;
  const [, ticket, appId] = match as unknown as [string, string, string];
  return { ticket, appId };
}
