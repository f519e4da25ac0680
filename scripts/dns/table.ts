/**
 * The names that fuzzing and comparing ask for: owned, in a zone, above one, reverse, foreign.
 *
 * @module
 */
import { ENTRIES, newTable } from "../../tests/dns/table.ts";

export { newTable };

export const NAMES: readonly string[] = [
  ...ENTRIES.map(([name]) => name),
  ...["corp.example", "secret.test", "b.secret.test", "nobody.secret.test", "nobody.corp.example"],
  ...["vnet-diag-0a.corp.example", "7.0.64.100.in-addr.arpa", "99.0.64.100.in-addr.arpa"],
  ...["use-application-dns.net", "www.example.org", "a", "example"],
];
