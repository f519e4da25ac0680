/**
 * The back end that changes nothing and says what a person can do.
 *
 * @module
 */
import { parseResolvConf } from "../../../../dns/mod.ts";
import { formatIp } from "../../../../ip/mod.ts";
import type { Backend, Condition, Place } from "./backend.ts";
import { followPaths } from "../follow.ts";
import type { OsDnsRequest, Upstreams } from "../types.ts";
import { nameserver, upstreamsOf } from "../find/upstreams.ts";

export class NoneBackend implements Backend {
  readonly kind = "none";
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  plan(request: OsDnsRequest): Promise<string[]> {
    return Promise.resolve([this.#advice(request)]);
  }

  async apply(_request: OsDnsRequest): Promise<void> {}

  condition(_request: OsDnsRequest): Promise<Condition> {
    return Promise.resolve({ kind: "intact" });
  }

  async upstreams(request: OsDnsRequest): Promise<Upstreams> {
    const text = await Deno.readTextFile(this.#place.paths.resolvConf).catch(() => "");
    const { addresses, search, nameservers } = parseResolvConf(text);
    const isAdded = nameservers[0] === formatIp(request.server.address);
    return upstreamsOf({
      candidates: addresses.map(nameserver),
      search,
      server: request.server,
      dropStubs: false,
      warnings: isAdded ? [] : [this.#advice(request)],
    });
  }

  revert(_request: OsDnsRequest): Promise<string[]> {
    return Promise.resolve([]);
  }

  follow(poke: () => void, signal: AbortSignal): Promise<void> {
    return followPaths(() => [this.#place.paths.resolvConf], poke, signal);
  }

  #advice(request: OsDnsRequest): string {
    const line = `nameserver ${formatIp(request.server.address)}`;
    return `add this as the first line of ${this.#place.paths.resolvConf}: ${line}`;
  }
}
