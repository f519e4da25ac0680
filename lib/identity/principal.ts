/**
 * Who a certificate names: `vnet://<cluster>/user/<name>`, `vnet://<cluster>/agent/<id>`, or
 * `vnet://<cluster>/leaf/<id of its join>`.
 */
export type Principal =
  | { readonly kind: "user"; readonly cluster: string; readonly name: string }
  | { readonly kind: "agent"; readonly cluster: string; readonly name: string }
  | { readonly kind: "leaf"; readonly cluster: string; readonly name: string };

const CLUSTER = "[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?";
const NAME = "[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}";
const PRINCIPAL = new RegExp(`^vnet://(${CLUSTER})/(user|agent|leaf)/(${NAME})$`);
const WHOLE_NAME = new RegExp(`^${NAME}$`);
const WHOLE_CLUSTER = new RegExp(`^${CLUSTER}$`);

/** Whether a text may be the name of a user, a role or an agent: 1 to 63 of letters, digits and `._@+-`. */
export function isPrincipalName(text: string): boolean {
  return WHOLE_NAME.test(text);
}

/** Writes the URI that goes into a certificate's subject alternative names. */
export function formatPrincipal(principal: Principal): string {
  if (!WHOLE_CLUSTER.test(principal.cluster)) {
    throw new TypeError(`Not a cluster name: ${JSON.stringify(principal.cluster)}`);
  }
  if (!isPrincipalName(principal.name)) {
    throw new TypeError(`Not a name: ${JSON.stringify(principal.name)}`);
  }
  return `vnet://${principal.cluster}/${principal.kind}/${principal.name}`;
}

/**
 * Reads a URI subject alternative name.
 *
 * @returns The principal, or `null` if the URI is not exactly one of ours.
 */
export function parsePrincipal(uri: string): Principal | null {
  const match = PRINCIPAL.exec(uri);
  if (match === null) return null;
  const [, cluster, kind, name] = match as unknown as [string, string, Principal["kind"], string];
  return { kind, cluster, name };
}
