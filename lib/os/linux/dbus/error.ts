/**
 * What goes wrong on a message bus.
 *
 * @module
 */
import { OsError } from "../../../error.ts";
import { errnoOf } from "../errno.ts";

/** The other side answered with an error; `errorName` is the D-Bus one. */
export class DbusError extends Error {
  override readonly name = "DbusError";
  readonly errorName: string;

  constructor(errorName: string, message: string) {
    super(message === "" ? errorName : `${errorName}: ${message}`);
    this.errorName = errorName;
  }

  /** The other side is there but does not know the call: an older version of it. */
  get isUnknown(): boolean {
    return /\.(UnknownMethod|UnknownInterface|UnknownProperty|UnknownObject|NotSupported)$/
      .test(this.errorName);
  }

  /** Nobody is there, or nobody answered. */
  get isAbsent(): boolean {
    return /\.(ServiceUnknown|NameHasNoOwner|NoReply|Disconnected|TimedOut)$|\.Spawn\./
      .test(this.errorName);
  }
}

/** The connection ended under a call. */
export function disconnected(reason: Error): DbusError {
  return new DbusError("org.freedesktop.DBus.Error.Disconnected", reason.message);
}

/** There is no bus, or it does not let us in. */
export function unreachable(socket: string, cause: unknown): OsError {
  const state = cause instanceof Error ? cause.message : String(cause);
  return new OsError(
    "dbus-unreachable",
    `Cannot talk to the message bus at "${socket}": ${state}`,
    {
      call: "connect",
      errno: errnoOf(cause),
      cause,
    },
  );
}
