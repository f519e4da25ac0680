import { contains, formatIp, type IpAddress, type Prefix } from "../../ip/mod.ts";

/** Which addresses have connections that run. */
export class LiveAddresses {
  readonly #counts = new Map<string, { readonly address: IpAddress; count: number }>();

  begin(address: IpAddress): void {
    const key = formatIp(address);
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { address, count: 1 });
    else known.count++;
  }

  /** @returns Whether it was the address's last one. */
  end(address: IpAddress): boolean {
    const key = formatIp(address);
    const known = this.#counts.get(key);
    if (known === undefined || --known.count > 0) return false;
    return this.#counts.delete(key);
  }

  /** Whether any of a range's has one. */
  within(range: Prefix): boolean {
    for (const { address } of this.#counts.values()) if (contains(range, address)) return true;
    return false;
  }
}
