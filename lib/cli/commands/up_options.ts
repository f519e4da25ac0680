/** The options of `up`, as every command takes them that has to do with what `up` was told. */
import { object } from "@optique/core/constructs";
import { message, value } from "@optique/core/message";
import { map, multiple, optional, withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { choice, string } from "@optique/core/valueparser";
import {
  CONTAINER_POLICIES,
  UP_CHOICES,
  UP_FLAGS,
  type UpOptions,
} from "../../config/up/up_flags.ts";
import { DNS_MODES } from "../../dns/mode.ts";

const dnsOption = option(UP_FLAGS.dns, choice(DNS_MODES, { metavar: "MODE" }), {
  description: message`How to configure the system resolver.`,
});

const containersOption = option(
  UP_FLAGS.containers,
  choice(CONTAINER_POLICIES, { metavar: "POLICY" }),
  {
    description:
      message`Whether containers and virtual machines behind this machine's NAT may connect.`,
  },
);

/** Help says what holds without it; that it was not given stays known. */
export const dns = withDefault(dnsOption, undefined, {
  message: message`${value(UP_CHOICES.dns)}`,
});

export const containers = withDefault(containersOption, undefined, {
  message: message`${value(UP_CHOICES.containers)}`,
});

const cidr = optional(option(UP_FLAGS.cidr, string({ metavar: "CIDR" }), {
  description:
    message`Take virtual addresses from this IPv4 range instead of the clusters' own. Outside 100.64.0.0/10 root has to allow it; under sudo this option does.`,
}));

const link = optional(option(UP_FLAGS.link, string({ metavar: "NAME" }), {
  description: message`Network device, vnet0 to vnet999. Default: the first free one.`,
}));

const share = multiple(option(UP_FLAGS.share, string({ metavar: "WHO" }), {
  description:
    message`Also let other local users connect: user:NAME, group:NAME or all. Can be repeated. Group members are read once, when vnet starts.`,
}));

/** What was given of all of them, for `parseUpOptions` to read. */
export const upOptions = map(
  object({ places: object({ cidr, dns, link }), guards: object({ share, containers }) }),
  ({ places, guards }): UpOptions => ({ ...places, ...guards }),
);

/** The same where something else than the defaults may hold without them. */
export const restartOptions = map(
  object({
    places: object({ cidr, dns: optional(dnsOption), link }),
    guards: object({ share, containers: optional(containersOption) }),
  }),
  ({ places, guards }): UpOptions => ({ ...places, ...guards }),
);
