import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { DNS_MODES } from "../../dns/mod.ts";
import { formatPrefix, isPrivatePrefix, parsePrefix, type Prefix, prefixOf } from "../../ip/mod.ts";
import { parseShare, type Share } from "./share.ts";
import { CONTAINER_POLICIES, UP_FLAGS, type UpOptions } from "./up_flags.ts";
import {
  DEFAULT_UP_SETTINGS,
  describeUpSettings,
  equalUpSettings,
  otherWishes,
  parseUpOptions,
  parseUpSettings,
  renderUpSettings,
  upArgs,
  type UpSettings,
  upSettingsArgs,
  type UpWishes,
} from "./up_settings.ts";

const CHOSEN: UpSettings = {
  cidr: parsePrefix("100.96.0.0/12"),
  dns: "direct",
  link: "vnet7",
  share: [{ kind: "user", name: "bob" }, { kind: "group", name: "dev" }],
  containers: "allow",
};

const CHOSEN_ARGS = [
  ...["--cidr", "100.96.0.0/12", "--dns", "direct", "--link", "vnet7"],
  ...["--share", "user:bob", "--share", "group:dev", "--containers", "allow"],
];

/** What a command line's parser makes of flags and values. */
function optionsOf(args: readonly string[]): UpOptions {
  const options: Record<string, unknown> = { share: [] as string[] };
  for (let at = 0; at < args.length; at += 2) {
    const [key] = Object.entries(UP_FLAGS).find(([, flag]) => flag === args[at])!;
    if (key === "share") (options["share"] as string[]).push(args[at + 1]!);
    else options[key] = args[at + 1];
  }
  return options;
}

const ranges: fc.Arbitrary<Prefix> = fc.tuple(
  fc.constantFrom("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16"),
  fc.nat(0xff_ffff),
  fc.integer({ min: 8, max: 27 }),
).map(([text, offset, length]) => {
  const { address, length: within } = parsePrefix(text);
  const size = 2 ** (32 - within);
  const value = Number(address.value) + offset % size;
  return prefixOf({ family: 4, value }, Math.max(length, within));
});
const shares: fc.Arbitrary<Share> = fc.oneof(
  fc.constant<Share>({ kind: "all" }),
  fc.record({
    kind: fc.constantFrom("user" as const, "group" as const),
    name: fc.stringMatching(/^[a-zA-Z0-9_.\\-]{1,20}$/),
  }),
);
const everySettings: fc.Arbitrary<UpSettings> = fc.record({
  cidr: fc.option(ranges),
  dns: fc.constantFrom(...DNS_MODES),
  link: fc.option(fc.nat(999).map((n) => `vnet${n}`)),
  share: fc.array(shares, { maxLength: 4 }),
  containers: fc.constantFrom(...CONTAINER_POLICIES),
});

Deno.test("parseUpOptions() takes what was given, and nothing for what was not", () => {
  deepEqual(parseUpOptions({}), {});
  deepEqual(parseUpOptions({ cidr: undefined, share: [] }), {});
  deepEqual(parseUpOptions({ dns: "auto" }), { dns: "auto" });
  deepEqual(parseUpOptions(optionsOf(CHOSEN_ARGS)), CHOSEN);
});

Deno.test("parseUpOptions() says what it cannot use, why, and what could be", async (t) => {
  const cases: [options: UpOptions, message: string, hint: RegExp][] = [
    [{ cidr: "banana" }, 'addresses from "banana": not a prefix like 192.0.2.0/24', /100\.96/],
    [{ cidr: "10.0.0.1/24" }, '"10.0.0.1/24": host bits are set, 10.0.0.0/24 is meant', /\/8/],
    [{ cidr: "" }, 'addresses from "": not a prefix like 192.0.2.0/24', /100\.96/],
    [{ cidr: "10.0.0.0/28" }, '"10.0.0.0/28": a range is from /8 to /27', /from \/8 to \/27/],
    [{ cidr: "0.0.0.0/0" }, '"0.0.0.0/0": a range is from /8 to /27', /private/],
    [{ cidr: "8.8.8.0/24" }, '"8.8.8.0/24": it is public address space', /private/],
    [{ cidr: "172.0.0.0/8" }, '"172.0.0.0/8": it is public address space', /private/],
    [{ cidr: "fd00::/64" }, '"fd00::/64": not an IPv4 prefix', /IPv4/],
    [{ cidr: "10.0.0.0" }, '"10.0.0.0": not a prefix like 192.0.2.0/24', /IPv4/],
    [{ link: "tun0" }, 'name the device "tun0": use vnet0 to vnet999', /vnet7/],
    [{ dns: "magic" }, '"magic": a mode is one of auto, resolved, direct, none', /help up/],
    [{ containers: "some" }, '"some": a policy is one of allow, deny', /allow/],
    [
      { share: ["user:bob", "bob"] },
      'Cannot share with "bob": it is not user:NAME, group:NAME or all',
      /--share user:bob/,
    ],
  ];
  for (const [options, message, hint] of cases) {
    await t.step(JSON.stringify(options), () => {
      throws(() => parseUpOptions(options), (thrown: Error & { code: string; hint: string }) => {
        equal(thrown.name, "UsageError");
        equal(thrown.code, "usage");
        equal(thrown.message.endsWith(message), true, thrown.message);
        equal(hint.test(thrown.hint), true, thrown.hint);
        return true;
      });
    });
  }
});

Deno.test("upArgs() writes every wish, upSettingsArgs() only what does not hold anyway", () => {
  deepEqual(upArgs(CHOSEN), CHOSEN_ARGS);
  deepEqual(upArgs({}), []);
  deepEqual(upArgs({ dns: "auto" }), ["--dns", "auto"]);
  deepEqual(upSettingsArgs(CHOSEN), CHOSEN_ARGS);
  deepEqual(upSettingsArgs(DEFAULT_UP_SETTINGS), []);
  deepEqual(upSettingsArgs({ ...DEFAULT_UP_SETTINGS, link: "vnet0" }), ["--link", "vnet0"]);
});

Deno.test("parseUpOptions() reads from arguments what upSettingsArgs() wrote", () => {
  fc.assert(fc.property(everySettings, (settings) => {
    const wishes = parseUpOptions(optionsOf(upSettingsArgs(settings)));
    const read = { ...DEFAULT_UP_SETTINGS, ...wishes };
    deepEqual(read, settings);
    equal(equalUpSettings(read, settings), true);
    if (settings.cidr !== null) equal(isPrivatePrefix(settings.cidr), true);
  }));
});

Deno.test("parseUpSettings() reads from JSON what renderUpSettings() wrote", () => {
  fc.assert(fc.property(everySettings, (settings) => {
    const json = JSON.parse(JSON.stringify(renderUpSettings(settings)));
    deepEqual(parseUpSettings(json), settings);
  }));
  deepEqual(renderUpSettings(CHOSEN), {
    cidr: "100.96.0.0/12",
    dns: "direct",
    link: "vnet7",
    share: ["user:bob", "group:dev"],
    containers: "allow",
  });
});

Deno.test("parseUpSettings() returns null for what is none", () => {
  const good = renderUpSettings(CHOSEN);
  const cases: unknown[] = [
    null,
    "all",
    {},
    { ...good, cidr: "8.8.8.0/24" },
    { ...good, cidr: undefined },
    { ...good, dns: "magic" },
    { ...good, link: "../../etc" },
    { ...good, share: ["bob"] },
    { ...good, share: "all" },
    { ...good, containers: true },
  ];
  for (const value of cases) equal(parseUpSettings(value), null, JSON.stringify(value));
});

Deno.test("otherWishes() picks what settings do not fulfil; whom to share with is a set", async (t) => {
  const share = (...texts: string[]) => ({ share: texts.map((text) => parseShare(text)!) });
  const cases: [wishes: UpWishes, want: readonly string[]][] = [
    [{}, []],
    [CHOSEN, []],
    [{ dns: "direct" }, []],
    [{ dns: "auto" }, ["--dns", "auto"]],
    [{ cidr: parsePrefix("100.96.0.0/12") }, []],
    [{ cidr: parsePrefix("10.0.0.0/8"), link: "vnet7" }, ["--cidr", "10.0.0.0/8"]],
    [share("group:dev", "user:bob", "user:bob"), []],
    [share("group:dev"), ["--share", "group:dev"]],
  ];
  for (const [wishes, want] of cases) {
    await t.step(upArgs(wishes).join(" ") || "none", () => {
      deepEqual(upArgs(otherWishes(wishes, CHOSEN)), want);
    });
  }
});

Deno.test("describeUpSettings() says how the settings are that wishes are about", async (t) => {
  const cidr = { cidr: parsePrefix("10.0.0.0/8") };
  const cases: [settings: UpSettings, wishes: UpWishes, want: string][] = [
    [CHOSEN, cidr, "with --cidr 100.96.0.0/12"],
    [
      CHOSEN,
      { ...cidr, share: [] },
      "with --cidr 100.96.0.0/12 --share user:bob --share group:dev",
    ],
    [DEFAULT_UP_SETTINGS, cidr, "without --cidr"],
    [DEFAULT_UP_SETTINGS, { dns: "none" }, "with --dns auto"],
    [
      DEFAULT_UP_SETTINGS,
      { ...cidr, link: "vnet0", containers: "allow" },
      "with --containers deny, without --cidr and --link",
    ],
  ];
  for (const [settings, wishes, want] of cases) {
    await t.step(want, () => equal(describeUpSettings(settings, wishes), want));
  }
});

Deno.test("equalUpSettings() sees every setting", () => {
  fc.assert(fc.property(everySettings, everySettings, (a, b) => {
    const same = JSON.stringify(shown(a)) === JSON.stringify(shown(b));
    equal(equalUpSettings(a, b), same);
  }));
});

/** The obvious way. */
function shown({ cidr, share, ...rest }: UpSettings) {
  const names = share.map((one) => one.kind === "all" ? "all" : `${one.kind}:${one.name}`);
  return { cidr: cidr && formatPrefix(cidr), ...rest, share: [...new Set(names)].sort() };
}
