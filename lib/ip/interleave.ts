import type { IpAddress } from "./address.ts";

/**
 * Orders addresses for trying: by turns of each family, beginning with the family of the first, and in their own order
 * within one. A family that does not work then costs one attempt and no more.
 *
 * @see RFC 8305 section 4
 */
export function interleaveFamilies(addresses: readonly IpAddress[]): readonly IpAddress[] {
  const [first] = addresses;
  const own = addresses.filter(({ family }) => family === first?.family);
  const others = addresses.filter(({ family }) => family !== first?.family);
  return addresses.flatMap((_, index) => [own[index], others[index]])
    .filter((address) => address !== undefined);
}
