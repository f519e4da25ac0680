/**
 * Every way a connection to an app or to the cluster can fail, with what the user can do about it: one table.
 *
 * @module
 * @see docs/errors.md
 */
import { AuthError, NetworkError, ProtocolError, type VnetError } from "../error.ts";

/** Whose fault it is: decides the class of the error. */
type Fault = "network" | "auth" | "protocol";

/** One way to fail. */
export interface Refusal {
  readonly fault: Fault;
  /** What is the matter, to stand after the act and a colon; no final period. */
  readonly state: string;
  readonly hint: string;
}

/** Code → what it means and what helps. Codes are stable. */
export const REFUSALS = {
  "access-denied": {
    fault: "auth",
    state: "your roles do not allow this app",
    hint: "Ask an administrator for a role that allows the app, then run `vnet login` again",
  },
  "agent-untrusted": {
    fault: "auth",
    state: "the other end is no agent of this cluster for this app",
    hint:
      "Run `vnet login` again to refresh what is trusted; if it persists, tell an administrator",
  },
  "app-unknown": {
    fault: "network",
    state: "the agent does not serve this app any more",
    hint: "Run `vnet apps ls` to see what is served",
  },
  "audit-failed": {
    fault: "network",
    state: "the start of the session could not be recorded, so it was not started",
    hint: "Tell an administrator that the cluster cannot write its audit log",
  },
  "ca-pin-mismatch": {
    fault: "auth",
    state: "no certificate in the proxy's chain matches the CA pin",
    hint:
      "Compare the pin with `vnet ctl status` on the server; if they are equal, something is between you and it",
  },
  "certificate-expired": {
    fault: "auth",
    state: "the certificate has expired",
    hint: "Run `vnet login` again",
  },
  "certificate-foreign": {
    fault: "auth",
    state: "the certificate was not issued by this cluster",
    hint: "Run `vnet login` again; if it persists, check that the profile names the right proxy",
  },
  "certificate-missing": {
    fault: "auth",
    state: "no client certificate was shown",
    hint: "Run `vnet login`",
  },
  "draining": {
    fault: "network",
    state: "the agent or the proxy is shutting down",
    hint: "Try again in a moment",
  },
  "http-proxy-denied": {
    fault: "network",
    state: "it wants other credentials",
    hint:
      "Put them into HTTPS_PROXY, percent-encoded: http://USER:PASSWORD@HOST:PORT; then `vnet login` again, or restart the agent",
  },
  "http-proxy-refused": {
    fault: "network",
    state: "it does not open the connection",
    hint:
      "Ask whoever runs the HTTP proxy to allow CONNECT to the cluster's proxy, or name the cluster in NO_PROXY",
  },
  "http-proxy-unreachable": {
    fault: "network",
    state: "it cannot be reached",
    hint:
      "Check HTTPS_PROXY; without it, if this network needs none, `vnet login` again, or restart the agent",
  },
  "locked": {
    fault: "auth",
    state: "a lock is in force for you or for this session",
    hint: "Ask an administrator why (`vnet ctl get lock`)",
  },
  "mfa-required": {
    fault: "auth",
    state: "this app wants a second factor for each session",
    hint: "This version of the client cannot ask for one; use an app that does not want it",
  },
  "no-agent": {
    fault: "network",
    state: "no agent that serves this app is connected",
    hint: "Ask an administrator whether the agent is running (`vnet ctl status`)",
  },
  "overloaded": {
    fault: "network",
    state: "too many connections",
    hint: "Try again in a moment",
  },
  "port-not-allowed": {
    fault: "auth",
    state: "the app does not serve this port",
    hint: "Run `vnet apps ls` to see the ports of the app",
  },
  "protocol-violated": {
    fault: "protocol",
    state: "the peer said something the protocol does not allow",
    hint: "Check that client, proxy and agent have versions that fit (`vnet version`)",
  },
  "proxy-closed": {
    fault: "network",
    state: "the connection was closed before it was ready",
    hint: "Try again; if it persists, see the log of the proxy",
  },
  "proxy-timeout": {
    fault: "network",
    state: "no answer in time",
    hint: "Check the network between you and the proxy",
  },
  "proxy-unreachable": {
    fault: "network",
    state: "the proxy cannot be reached",
    hint: "Check the address, and that nothing blocks the way to it",
  },
  "proxy-untrusted": {
    fault: "auth",
    state: "the proxy's certificate is not trusted",
    hint:
      "For a proxy without a public certificate, log in with `--ca-pin` and the pin from `vnet ctl status`",
  },
  "target-refused": {
    fault: "network",
    state: "the app refused the connection",
    hint: "Check that the app is running where its agent looks for it",
  },
  "target-timeout": {
    fault: "network",
    state: "the app did not answer in time",
    hint: "Check that the agent can reach the app's host and port",
  },
  "target-unreachable": {
    fault: "network",
    state: "the agent cannot reach the app",
    hint: "Check the app's `uri` in the agent's configuration: name, address and route",
  },
  "ticket-refused": {
    fault: "auth",
    state: "the proxy does not accept the ticket",
    hint: "Try again; if it persists, run `vnet login` again",
  },
} as const satisfies Record<string, Refusal>;

export type RefusalCode = keyof typeof REFUSALS;

/** Says whether a peer's code is one of ours. */
export function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(REFUSALS, code);
}

/**
 * Makes the error of a code, as thrown at whoever wanted the connection.
 *
 * @param act What was tried, as a sentence without an end: `Cannot open a connection to "db"`.
 * @param detail `state` takes the place of the table's words when more is known.
 */
export function refusalError(
  code: RefusalCode,
  act: string,
  detail: { readonly state?: string; readonly cause?: unknown } = {},
): VnetError {
  const { fault, state, hint }: Refusal = REFUSALS[code];
  const message = `${act}: ${detail.state ?? state}`;
  const rest = { hint, cause: detail.cause };
  switch (fault) {
    case "network":
      return new NetworkError(code, message, rest);
    case "auth":
      return new AuthError(code, message, rest);
    case "protocol":
      return new ProtocolError(code, message, rest);
  }
}
