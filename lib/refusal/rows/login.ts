import type { Refusal } from "../refusal.ts";

/** Why a cluster does not let a user in. */
export const LOGIN = {
  "login-needed": {
    fault: "auth",
    exitStatus: 4,
    finding: "client",
    hint: "Run `vnet login HOST` first",
    happened: "You are not logged in to any cluster.",
    remedy: "`vnet login HOST`.",
  },
  "login-expired": {
    fault: "auth",
    answer: "rst",
    exitStatus: 4,
    finding: "client",
    ede: { code: 18, kind: "not-logged-in", text: "not logged in" },
    state: "the login has expired",
    hint: "Run `vnet login` again",
    happened: "The login has expired.",
    remedy: "`vnet login HOST` again. A connection waits up to 60 s for that.",
  },
  "login-ends": {
    fault: "auth",
    finding: "client",
    hint: "Run `vnet login` again: connections that run go on",
    happened: "A login ends within ten minutes.",
    remedy: "`vnet login HOST` again. Connections that run go on.",
  },
  "login-failed": {
    fault: "auth",
    httpStatus: 401,
    hint: "Check user name, password and, if you have one, the code; a code works once",
    happened:
      "The user name, the password or the code is wrong; for safety the cluster does not say which.",
    remedy: "Check all three. A code works once: wait for the next one.",
  },
  "login-locked": {
    fault: "auth",
    httpStatus: 429,
    hint: "Try again later",
    happened: "Too many logins of this user failed: from this address, or lately from everywhere.",
    remedy:
      "Wait as long as the message says. Where you have logged in before, [others' failures do not count](operations.md#what-strangers-can-do).",
  },
  "session-ended": {
    fault: "auth",
    endsLogin: true,
    answer: "rst",
    httpStatus: 401,
    state: "the login has ended",
    hint: "Run `vnet login` again",
    happened: "The login was ended: by logout, by a new password, or because the user was removed.",
    remedy: "`vnet login` again.",
  },
  "password-weak": {
    fault: "usage",
    httpStatus: 422,
    happened: "A new password is too short.",
    remedy: "Choose a longer one; the message has the minimum.",
  },
  "mfa-failed": {
    fault: "auth",
    answer: "rst",
    httpStatus: 403,
    state: "the code is wrong, or was used before",
    hint: "Wait for the next code",
    happened: "The code of the second factor is wrong, or was used before.",
    remedy: "Wait for the next code. If it happens again, check the clock of the device.",
  },
  "mfa-not-enrolled": {
    fault: "auth",
    answer: "rst",
    httpStatus: 403,
    state: "no second factor is enrolled",
    hint: "Ask an administrator to run `vnet ctl users reset` with a second factor",
    happened: "A second factor is required, and you have none.",
    remedy: "An administrator runs `vnet ctl users reset NAME --totp`.",
  },
  "client-outdated": {
    fault: "protocol",
    happened: "The cluster requires a newer vnet.",
    remedy: "Upgrade; `vnet version` shows your version.",
  },
  "cluster-mismatch": {
    fault: "protocol",
    happened: "The cluster says that nothing changed, but this client has nothing.",
    remedy: "vnet asks again; tell an administrator if it happens again.",
  },
  "cluster-unknown": {
    fault: "usage",
    httpStatus: 404,
    hint: "Run `vnet apps ls` to see what is served",
    happened: "The cluster does not know the cluster an app is said to be in.",
    remedy: "`vnet apps ls` shows the apps there are.",
  },
  "captive-portal": {
    fault: "network",
    finding: "client",
    happened:
      "On a network that is new, something else answers in the cluster's place: a page to sign in at, or a certificate that is not the cluster's.",
    remedy:
      "Sign in as the message says; vnet goes on by itself, and the login stays good. If the network wants no sign-in, do not trust it.",
  },
  "cluster-unreachable": {
    fault: "network",
    happened: "vnet cannot start: no cluster answers, and no cluster data is saved.",
    remedy: "Check the network and the login.",
  },
} as const satisfies Record<string, Refusal>;
