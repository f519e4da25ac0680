import type { Parts } from "../foundation.ts";
import { OidcLogins } from "../oidc/oidc_logins.ts";
import { Logins } from "./login.ts";
import { LoginOpener } from "./opener.ts";

/** The ways to log in: with a password of the cluster's own, and by an identity provider. */
export function openLogins(parts: Parts, onReview: () => void) {
  const { clusterName: cluster, secondFactor, nowMs } = parts.options;
  const hostCaPem = parts.hostCa.certificate.pem;
  const shared = { ...parts, cluster, secondFactor, nowMs, hostCaPem, onReview };
  const opener = new LoginOpener(shared);
  return {
    logins: new Logins({ ...shared, opener }),
    oidc: new OidcLogins({ ...shared, opener }),
  };
}
