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
  "zone-pending": {
    fault: "config",
    finding: "plan",
    hint: "Run `vnet zones allow SUFFIX`, or `vnet zones deny SUFFIX`",
    happened:
      "A cluster asks for the names below a zone that is not its proxy's, and neither a TXT record on the zone nor you said that it may have them.",
    remedy:
      "`vnet zones ls` says why. If the names are the cluster's: `vnet zones allow SUFFIX --cluster NAME`, or have the zone's owner add the TXT record `vnet-cluster=NAME`, for a leaf cluster one of its root, too. If not: `vnet zones deny SUFFIX`.",
  },
  "zone-conflict": {
    fault: "config",
    finding: "plan",
    hint: "Run `vnet zones allow SUFFIX --cluster NAME`",
    happened: "Two clusters have the same right to a zone, and neither is served there.",
    remedy: "Decide: `vnet zones allow SUFFIX --cluster NAME`.",
  },
  "zone-foreign": {
    fault: "config",
    finding: "plan",
    hint: "Ask the administrator of the cluster that the message names first what it wants there",
    happened:
      "A cluster asks for names at or below the proxy of another cluster that you are logged in to. It gets none of them, whatever TXT records say.",
    remedy:
      "Ask the administrator of the cluster that the message names first; `vnet logout` ends the login to it.",
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
  "name-foreign": {
    fault: "config",
    finding: "plan",
    hint: "Ask the administrator of the cluster that publishes it",
    happened: "A cluster publishes an app by a name that belongs to another; it is not used.",
    remedy: "Correct the app's `public_addr` in the cluster that publishes it.",
  },
  "name-taken": {
    fault: "config",
    finding: "plan",
    hint: "Choose another `public_addr` for one of the two",
    happened:
      "The name is a proxy's, or two apps claim it and neither has it; the message says which.",
    remedy: "Choose another `public_addr`.",
  },
} as const satisfies Record<string, Refusal>;
