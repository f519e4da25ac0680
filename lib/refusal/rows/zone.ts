import type { Refusal } from "../refusal.ts";

/** Zones and names of the clusters that cannot be answered for. */
export const ZONE = {
  "zone-refused": {
    fault: "config",
    finding: "plan",
    hint: "Correct `custom_dns_zones` of the cluster",
    happened:
      "A cluster claims a public zone (`com`, `local`, a reverse zone), or something that is not a domain name.",
    remedy: "Correct `custom_dns_zones`.",
  },
  "zone-limit": {
    fault: "config",
    finding: "plan",
    hint: "Claim fewer, shorter zones: `company.test` has all names below it",
    happened:
      "More zones than a machine takes (180); each login has its share, and the message names what is left out.",
    remedy: "Claim fewer, shorter ones: `company.test` has all names below it.",
  },
  "name-invalid": {
    fault: "config",
    finding: "plan",
    hint: "Correct the app's `public_addr`",
    happened: "An app's name is not a domain name.",
    remedy: "Correct its `public_addr`.",
  },
  "name-outside-zones": {
    fault: "config",
    finding: "plan",
    hint: "Add the zone to `custom_dns_zones`, or choose a name below the proxy's",
    happened: "An app's name lies in no zone of the clusters.",
    remedy: "Add the zone to `custom_dns_zones`, or choose a name below the proxy's.",
  },
  "name-taken": {
    fault: "config",
    finding: "plan",
    hint: "Choose another `public_addr` for one of the two",
    happened: "The name is used by another app or by a proxy; the message says which.",
    remedy: "Choose another `public_addr`.",
  },
} as const satisfies Record<string, Refusal>;
