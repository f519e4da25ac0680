/**
 * Runs files in lanes: who is free takes the next one.
 *
 * @module
 */

/**
 * Runs all items, at most `count` at a time, each begun in order.
 *
 * @param run Must not throw.
 * @param signal Nothing is begun once it is aborted.
 * @returns What came of each that was begun, in the order in which they ended.
 */
export async function inLanes<Item, Result>(
  items: readonly Item[],
  count: number,
  run: (item: Item, lane: number) => Promise<Result>,
  signal: AbortSignal,
): Promise<Result[]> {
  const queue = [...items];
  const results: Result[] = [];
  const drive = async (lane: number) => {
    for (let item; !signal.aborted && (item = queue.shift()) !== undefined;) {
      results.push(await run(item, lane));
    }
  };
  await Promise.all(Array.from({ length: count }, (_, index) => drive(index + 1)));
  return results;
}
