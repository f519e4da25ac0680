import type { Refusal } from "../refusal.ts";

/** Certificates, tokens and agents that the cluster's API does not take. */
export const CREDENTIALS = {
  "certificate-required": {
    fault: "auth",
    endsLogin: true,
    answer: "rst",
    httpStatus: 401,
    state: "a client certificate is required",
    hint: "Run `vnet login`",
    happened: "A request came without a client certificate.",
    remedy: "`vnet login`; for an agent, see [cluster.md](cluster.md).",
  },
  "certificate-malformed": {
    fault: "auth",
    endsLogin: true,
    answer: "rst",
    httpStatus: 401,
    state: "the certificate cannot be read",
    hint: "Run `vnet login` again",
    happened: "The certificate was not issued by a vnet cluster.",
    remedy: "`vnet login` again.",
  },
  "certificate-not-yet-valid": {
    fault: "auth",
    answer: "rst",
    httpStatus: 401,
    state: "the certificate is not valid yet",
    hint: "Check this machine's clock",
    happened: "The certificate is not valid yet.",
    remedy: "Check the clock of this machine.",
  },
  "public-key-unsupported": {
    fault: "protocol",
    httpStatus: 400,
    hint: "Use versions that fit (`vnet version`)",
    happened: "A key is not of the kind the cluster signs (P-256).",
    remedy: "Use a vnet of the cluster's version.",
  },
  "agent-unknown": {
    fault: "auth",
    httpStatus: 401,
    hint: "Join again with a token of `vnet ctl tokens add`",
    happened: "The agent was removed from the cluster.",
    remedy: "Let it join again: `vnet ctl tokens add`.",
  },
  "join-token-missing": {
    fault: "config",
    happened: "An agent that has not joined yet has no token.",
    remedy: "`vnet ctl tokens add`; put the token into `join.token_file`.",
  },
  "token-invalid": {
    fault: "auth",
    httpStatus: 403,
    hint: "Make another with `vnet ctl tokens add`",
    happened: "The join token is unknown, expired or used up.",
    remedy: "Make another with `vnet ctl tokens add`.",
  },
  "token-out-of-scope": {
    fault: "auth",
    httpStatus: 403,
    hint: "Change the agent's file, or make a token that fits with `vnet ctl tokens add`",
    happened: "The token is for other apps or labels than the agent's file names.",
    remedy: "Change the file, or make a token that fits.",
  },
  "not-found": {
    fault: "usage",
    httpStatus: 404,
    happened: "There is no such resource, user, token, agent or route of the API.",
    remedy: "`vnet ctl get KIND` lists what there is.",
  },
} as const satisfies Record<string, Refusal>;
