/**
 * How much of what clients are told may be about which leaf: all share one room, and who wants little gets it. Pure.
 *
 * @module
 */

/** What one thing takes, of each kind of room. */
export interface Size {
  readonly count: number;
  readonly bytes: number;
}

/** The room that there is for the apps of all leaves: with those of the cluster itself, an answer that clients take. */
export const ROOM: Size = { count: 20_000, bytes: 8 * 1_048_576 };

/** Divides a room: nobody gets more than they want, and nobody less than others but by that. */
export function sharesOf(wants: ReadonlyMap<string, number>, room: number): Map<string, number> {
  const shares = new Map<string, number>();
  let left = room;
  const sorted = [...wants].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
  sorted.forEach(([name, want], i) => {
    const share = Math.min(want, Math.floor(left / (sorted.length - i)));
    shares.set(name, share);
    left -= share;
  });
  return shares;
}

/** Cuts what each has to its share, in its order. */
export function cutToRoom<T extends { readonly bytes: number }>(
  all: ReadonlyMap<string, readonly T[]>,
  room: Size = ROOM,
): Map<string, readonly T[]> {
  const bytesOf = (items: readonly T[]) => items.reduce((sum, { bytes }) => sum + bytes, 0);
  const wanted = [...all];
  const counts = sharesOf(new Map(wanted.map(([name, { length }]) => [name, length])), room.count);
  const bytes = sharesOf(new Map(wanted.map(([name, has]) => [name, bytesOf(has)])), room.bytes);
  return new Map(wanted.map(([name, items]) => {
    let left = bytes.get(name) ?? 0;
    const fitting = items.findIndex((item, i) => {
      left -= item.bytes;
      return left < 0 || i >= (counts.get(name) ?? 0);
    });
    return [name, fitting < 0 ? items : items.slice(0, fitting)];
  }));
}
