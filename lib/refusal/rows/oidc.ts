import type { Refusal } from "../refusal.ts";

/** Why a login by an identity provider fails. */
export const OIDC = {
  "oidc-unknown": {
    fault: "usage",
    httpStatus: 404,
    hint: "Run `vnet login HOST` without --auth, or ask an administrator: `vnet ctl get oidc`",
    happened: "The cluster has no identity provider of that name.",
    remedy: "`vnet login HOST` takes the first one there is; `vnet ctl get oidc` shows them.",
  },
  "oidc-unavailable": {
    fault: "network",
    httpStatus: 503,
    hint: "Try again; if it stays, tell an administrator: the server must reach the provider",
    happened:
      "The cluster's server cannot reach the identity provider, or gets no answer in time that it can read.",
    remedy:
      "Try again. An administrator looks whether the server reaches `issuer_url`, and trusts its certificate (`ca_file`).",
  },
  "oidc-misconfigured": {
    fault: "server",
    httpStatus: 502,
    hint: "Tell an administrator: the server's log says what the provider does not take",
    happened:
      "The identity provider does not know the cluster as its `oidc` resource says: a wrong client id or secret, an address it may not send people back to, a scope it does not have, a file that cannot be read.",
    remedy:
      "An administrator compares `vnet ctl get oidc` with what is registered at the provider; the server's log has the provider's word.",
  },
  "oidc-untrusted": {
    fault: "auth",
    httpStatus: 401,
    hint: "Log in again; if it stays, tell an administrator",
    happened:
      "What came from the identity provider is not for this login, not for this cluster, or not signed by the provider.",
    remedy:
      "Log in again. If it stays, an administrator reads the server's log: somebody may be in between.",
  },
  "oidc-clock": {
    fault: "auth",
    httpStatus: 401,
    hint: "Tell an administrator to set the server's clock",
    happened: "By the server's clock the identity provider's answer is of another time.",
    remedy: "An administrator sets the clock of the cluster's server, or of the provider.",
  },
  "oidc-denied": {
    fault: "auth",
    httpStatus: 403,
    hint: "Log in again and agree, or ask an administrator of the provider",
    happened: "The login was declined at the identity provider: by you, or by its rules.",
    remedy: "Log in again and agree there; the provider's administrators know its rules.",
  },
  "oidc-expired": {
    fault: "auth",
    httpStatus: 401,
    hint: "Run `vnet login` again",
    happened: "The login at the identity provider took too long, or was brought a second time.",
    remedy: "`vnet login` again, and finish within five minutes.",
  },
  "oidc-intruder": {
    fault: "auth",
    hint: "Run `vnet login` again; if it happens again, another user of this machine is at it",
    happened:
      "The address that the browser begins a login with was opened by a second program, which may have been another user's.",
    remedy: "`vnet login` again. If it happens again, look who else is on this machine.",
  },
  "login-browser": {
    fault: "auth",
    hint: "Run `vnet login HOST` at a terminal",
    happened:
      "A login that is over was made with a browser, and where it was asked for again none can be opened.",
    remedy: "`vnet login HOST`; what waits for the login goes on then.",
  },
  "oidc-no-role": {
    fault: "auth",
    httpStatus: 403,
    hint: "Ask an administrator to give your group a role in claims_to_roles",
    happened: "The identity provider knows you, but nothing it says of you gives you a role here.",
    remedy: "An administrator adds a row to `claims_to_roles`, or a group to you at the provider.",
  },
  "oidc-name-taken": {
    fault: "auth",
    httpStatus: 403,
    hint: "Ask an administrator: two people must not have one name",
    happened:
      "A user of the cluster's own, or somebody else who is logged in, has the name that the identity provider says.",
    remedy:
      "An administrator removes the user of that name, or has the names come from another claim (`username_claim`).",
  },
  "oidc-user-unusable": {
    fault: "auth",
    httpStatus: 403,
    hint: "Ask an administrator which claim the user name comes from (username_claim)",
    happened:
      "What the identity provider says does not make a user: no name, one that cannot be a user name, an e-mail address that it has not verified, or claims to keep that are too long.",
    remedy:
      "An administrator changes `username_claim` or `claims`, or what the provider says of you.",
  },
  "oidc-device-refused": {
    fault: "auth",
    httpStatus: 403,
    hint: "Log in on a machine with a browser, or ask an administrator for device_flow",
    happened: "The cluster does not let hosts without a browser log in by this identity provider.",
    remedy:
      "Log in where there is a browser, or have an administrator set `device_flow: true` and read [what that risks](sign-in.md#hosts-without-a-browser).",
  },
} as const satisfies Record<string, Refusal>;
