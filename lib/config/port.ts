/** TCP ports from `first` to `last`, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Whether a port may be asked of an app; no ranges means any port.
 *
 * @example
 * ```ts
 * import { equal } from "node:assert/strict";
 * import { compilePorts, portAllowed } from "./port.ts";
 *
 * const ports = compilePorts([{ port: 443 }, { port: 8000, end_port: 8099 }]);
 * equal(portAllowed(ports, 8042), true);
 * equal(portAllowed(ports, 22), false);
 * ```
 */
export function portAllowed(ranges: readonly PortRange[] | null, port: number): boolean {
  if (port < 1 || port > 65_535) return false;
  return ranges === null || ranges.some(({ first, last }) => first <= port && port <= last);
}

/** Makes ranges out of the shape files and peers write: `{port, end_port}`; `null` for none. */
export function compilePorts(
  ranges: readonly { readonly port: number; readonly end_port?: number | undefined }[] | undefined,
): readonly PortRange[] | null {
  if (ranges === undefined || ranges.length === 0) return null;
  return ranges.map(({ port, end_port }) => ({ first: port, last: end_port ?? port }));
}
