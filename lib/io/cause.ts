/**
 * What stopped a connection, in the words of an administrator: what the system, a TLS library or a first answer says.
 *
 * @module
 */
import type { HostPort } from "../ip/mod.ts";

/** What is the matter, to stand after an act and a colon, and what helps if that is known. */
export interface Cause {
  readonly state: string;
  readonly hint?: string;
}

const CONNECT_STATES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  EHOSTUNREACH: "no route to host",
  EHOSTDOWN: "no route to host",
  ENETUNREACH: "no route to its network",
  ENETDOWN: "the network is down",
  ETIMEDOUT: "the connection timed out",
  ECONNRESET: "the connection was reset",
  EACCES: "a rule of this machine forbids the connection",
  EPERM: "a rule of this machine forbids the connection",
};

/** Says why no TCP connection was made. */
export function connectCause(thrown: unknown, { host }: HostPort): Cause {
  const code = codeOf(thrown);
  if (code === "ENOTFOUND") {
    return {
      state: `no such name: "${host}" has no address`,
      hint: "Check the spelling of the name; `getent hosts NAME` asks as vnet does",
    };
  }
  if (code === "EAI_AGAIN") {
    return {
      state: `the name "${host}" cannot be resolved: the machine's resolver does not answer`,
      hint: "Check the network and the machine's resolver",
    };
  }
  const state = CONNECT_STATES[code];
  if (state !== undefined) return { state };
  return { state: thrown instanceof Error ? thrown.message : String(thrown) };
}

/** The words of rustls for the alerts that say more than "no". */
const ALERT_STATES: Readonly<Record<string, string>> = {
  ProtocolVersion: "the server speaks no TLS version that vnet does (1.3)",
  UnrecognisedName: "the server knows no host of this name",
  NoApplicationProtocol: "the server speaks no HTTP/1.1 over TLS",
  CertificateRequired: "the server wants a client certificate",
};

/**
 * Says what a TLS alert of the other end means.
 *
 * @returns `null` if it was none.
 */
export function alertCause(thrown: unknown): Cause | null {
  const message = thrown instanceof Error ? thrown.message : "";
  const [, alert] = /received fatal alert: (\w+)/.exec(message) ?? [];
  if (alert === undefined) return null;
  const words = alert.replace(/(?!^)([A-Z])/g, " $1").toLowerCase();
  return { state: ALERT_STATES[alert] ?? `the server ended TLS with the alert "${words}"` };
}

/**
 * Says what a TLS library found wrong with the handshake itself.
 *
 * @returns `null` if the connection just ended.
 */
export function handshakeCause(thrown: unknown): Cause | null {
  if (!(thrown instanceof Error) || !/^ERR_|^UNABLE_|_IN_CHAIN$/.test(codeOf(thrown))) return null;
  const [reason = ""] = thrown.message.replace(/[^\x20-\x7e]/g, "?").slice(0, 200).split(" (SSL");
  return { state: `the TLS handshake failed: ${reason}` };
}

function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  return typeof code === "string" ? code : "";
}
