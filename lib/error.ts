/**
 * The errors vnet throws on purpose. Everything a person may see carries a stable code and, where they can
 * do something about it, a hint. Slips of our own code are `TypeError` and `RangeError`, and nobody catches those.
 *
 * @module
 */

/** What every error of ours carries beside its message. */
interface ErrorDetail {
  /** What the reader can do next, as a sentence without a final period. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error with a stable kebab-case code; the codes are listed in docs/errors.md. */
export class VnetError extends Error {
  override readonly name: string = "VnetError";
  readonly code: string;
  readonly hint: string | null;

  constructor(code: string, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.hint = detail.hint ?? null;
  }
}

/** The command line was wrong; exit status 2. */
export class UsageError extends VnetError {
  override readonly name = "UsageError";
}

/** One mistake in a file a person wrote. */
export interface ConfigMistake {
  /** Where, as a path of keys: `zones[2].suffix`; empty for the whole document. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
}

/** A person wrote something wrong in a file; every mistake is reported, not only the first. */
export class ConfigError extends VnetError {
  override readonly name = "ConfigError";
  readonly file: string;
  readonly mistakes: readonly ConfigMistake[];

  constructor(
    file: string,
    mistakes: readonly ConfigMistake[],
    detail: ErrorDetail & {
      /** What all the mistakes are, where that is known better; `config-invalid` if not given. */
      readonly code?: string;
    } = {},
  ) {
    const lines = mistakes.map((m) =>
      `${m.path === "" ? "(document)" : m.path}: found ${m.found}, expected ${m.expected}`
    );
    super(detail.code ?? "config-invalid", `Cannot use "${file}": ${lines.join("; ")}`, {
      hint: "Correct the file; `vnet help configuration` has every key",
      ...detail,
    });
    this.file = file;
    this.mistakes = mistakes;
  }
}

/** The operating system refused a call. */
export class OsError extends VnetError {
  override readonly name = "OsError";
  readonly call: string;
  readonly errno: string;

  constructor(
    code: string,
    message: string,
    detail: ErrorDetail & { readonly call: string; readonly errno: string },
  ) {
    super(code, message, detail);
    this.call = detail.call;
    this.errno = detail.errno;
  }
}

/** A peer could not be reached, or went away. */
export class NetworkError extends VnetError {
  override readonly name = "NetworkError";
}

/** A peer does not accept who we are, or we do not accept who it is. */
export class AuthError extends VnetError {
  override readonly name = "AuthError";
}

/** A peer said something the protocol does not allow. */
export class ProtocolError extends VnetError {
  override readonly name = "ProtocolError";
}

/** Says what was thrown in one line, whatever it was. */
export function describeError(thrown: unknown): string {
  if (thrown instanceof VnetError) return `${thrown.message} [${thrown.code}]`;
  if (thrown instanceof Error) return thrown.message;
  return String(thrown);
}
