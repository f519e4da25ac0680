/**
 * Tells by its first bytes whether a program speaks HTTP, and to which host.
 *
 * What counts is what browsers send: a request line with single spaces, then fields. A text protocol whose lines
 * begin like a request (`EHLO host`, `SET key value`) is told apart by the first byte that no request has there.
 *
 * @module
 * @see RFC 9112 sections 3 and 5, RFC 9113 section 3.4
 */

/** What the first bytes are. Everything but `more` is final. */
type HttpStart =
  | { readonly kind: "other" }
  /** Undecided; `certain` once nothing but HTTP begins like this. */
  | { readonly kind: "more"; readonly certain: boolean }
  | {
    readonly kind: "request";
    /** Every host it names: that of the request target, then those of its Host fields. */
    readonly authorities: readonly string[];
    /** Before HTTP/1.1 a request need not name a host. */
    readonly mustNameHost: boolean;
  }
  /** The preface of HTTP/2 with prior knowledge; frames follow it. */
  | { readonly kind: "http2" };

export const HTTP2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** A request line that is not whole is waited for if it may become one of these; a whole one may have any method. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const REQUEST_LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\0-\x20\x7f]+) HTTP\/([0-9])(?:\.([0-9]))?\r?$/;
const VERSION_BEGUN = /^(?:H|HT|HTT|HTTP|HTTP\/|HTTP\/[0-9]|HTTP\/[0-9]\.|HTTP\/[0-9]\.[0-9]\r?)?$/;
const TARGET = /^[^\0-\x20\x7f]*$/;

const latin1 = new TextDecoder("latin1");

/** Judges what was received so far, from its first byte on. */
export function judgeHttpStart(received: Uint8Array): HttpStart {
  const first = received[0];
  if (first === undefined) return { kind: "more", certain: false };
  if (first <= 0x20 || first >= 0x7f) return { kind: "other" };
  const text = latin1.decode(received);
  if (text.startsWith(HTTP2_PREFACE)) return { kind: "http2" };
  if (HTTP2_PREFACE.startsWith(text)) return { kind: "more", certain: text.includes("\n") };
  const lineEnd = text.indexOf("\n");
  if (lineEnd < 0) return judgeBegunLine(text);
  const [, method, target, major, minor] = REQUEST_LINE.exec(text.slice(0, lineEnd)) ?? [];
  if (method === undefined || target === undefined) return { kind: "other" };
  const { hosts, complete } = readHosts(text.slice(lineEnd + 1));
  if (hosts.length === 0 && !complete) return { kind: "more", certain: true };
  return {
    kind: "request",
    authorities: [...targetAuthority(method, target), ...hosts],
    mustNameHost: `${major}.${minor ?? 0}` >= "1.1",
  };
}

function judgeBegunLine(text: string): HttpStart {
  const [method = "", target, version, rest] = text.split(" ");
  if (rest !== undefined) return { kind: "other" };
  if (target === undefined) return moreIf(METHODS.some((known) => known.startsWith(method)), false);
  if (!TARGET.test(target)) return { kind: "other" };
  const certain = /^(?:\/|https?:\/\/)/i.test(target);
  const begun = certain || method === "CONNECT" || target === "*" ||
    ["http://", "https://"].some((scheme) => scheme.startsWith(target.toLowerCase()));
  return moreIf(begun && VERSION_BEGUN.test(version ?? ""), certain);
}

function moreIf(possible: boolean, certain: boolean): HttpStart {
  return possible ? { kind: "more", certain } : { kind: "other" };
}

/** Collects the Host fields of the lines that are whole. */
function readHosts(
  text: string,
): { readonly hosts: readonly string[]; readonly complete: boolean } {
  const hosts: string[] = [];
  let folds = false;
  for (const ended of text.split("\n").slice(0, -1)) {
    const line = ended.replace(/\r$/, "");
    if (line === "") return { hosts, complete: true };
    if (/^[ \t]/.test(line)) {
      // A folded line goes on with the field above it, which no name of ours does.
      if (folds) hosts.push(line.trim());
      continue;
    }
    const colon = line.indexOf(":");
    folds = line.slice(0, Math.max(colon, 0)).trim().toLowerCase() === "host";
    if (folds) hosts.push(line.slice(colon + 1).trim());
  }
  return { hosts, complete: false };
}

function targetAuthority(method: string, target: string): readonly string[] {
  if (method === "CONNECT") return [target];
  const [, authority] = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(target) ?? [];
  return authority === undefined ? [] : [authority];
}
