/**
 * What the DNS server says to one question, in words; with the daemon down, from what was last known.
 *
 * @module
 */
import { compilePlan } from "../plan/mod.ts";
import {
  ANSWER_TTL_SECONDS,
  explain,
  formatAnswers,
  formatRrType,
  judge,
  type NameTable,
  parseDomainName,
  parseRrType,
  type Question,
  reverseName,
  RR_CLASS,
  RR_TYPE,
} from "../dns/mod.ts";
import { UsageError, VnetError } from "../error.ts";
import { parseIp } from "../ip/mod.ts";
import type { ResolveV1 } from "../status/mod.ts";
import { AddressBook } from "./state/address_book.ts";
import { ControlClient } from "./control/client.ts";
import { loggedOut } from "./state/name_troubles.ts";
import { compileNames } from "./state/names.ts";
import type { Paths } from "./paths.ts";
import { profileName, ProfileStore } from "./cluster/profile.ts";
import { viewOf } from "./cluster/own/views.ts";
import { loadViews } from "./cluster/saved_views.ts";

/** Judges one question. @throws UsageError for a name or a type that is none. */
export function explainName(
  name: string,
  type: string,
  table: NameTable,
  source: ResolveV1["source"],
): ResolveV1 {
  const question = questionFor(name, type);
  const verdict = judge(question, table);
  const addresses = formatAnswers(verdict).map((line) => line.slice(line.indexOf(" ") + 1));
  return {
    schema: "vnet.resolve/1",
    name: question.name,
    type: formatRrType(question.type),
    verdict: verdict.kind,
    rule: verdict.rule,
    reason: explain(question, verdict),
    addresses,
    ...(verdict.kind === "answer" ? { ttl_seconds: ANSWER_TTL_SECONDS } : {}),
    source,
  };
}

/** Asks the daemon, or judges by the saved state when it is down. */
export async function resolveName(paths: Paths, name: string, type: string): Promise<ResolveV1> {
  questionFor(name, type); // A slip is told before anything is asked.
  using control = new ControlClient(paths.controlSocket);
  try {
    return await control.resolve(name, type);
  } catch (thrown) {
    if (!(thrown instanceof VnetError) || thrown.code !== "daemon-not-running") throw thrown;
  }
  return explainName(name, type, await loadTable(paths), "saved-state");
}

async function loadTable(paths: Paths): Promise<NameTable> {
  const profiles = await new ProfileStore(paths.configDir).list();
  const views = await loadViews(paths.stateDir);
  const sources = [...views].flatMap(([profile, view]) => {
    const known = profiles.find(({ proxy }) => profileName(proxy) === profile);
    if (known === undefined) return [];
    return [{ profile, proxyHost: known.proxy.host, view: viewOf(view.config, view.apps) }];
  });
  const book = await AddressBook.open(paths.stateDir, crypto.getRandomValues(new Uint8Array(21)));
  const nowMs = Date.now();
  const plan = compilePlan(sources, { range: null, places: book.places });
  const [range] = plan.ranges;
  if (range === undefined) {
    throw new VnetError("nothing-known", "Cannot tell: nothing is known of any cluster yet", {
      hint: "Run `vnet login`, then `sudo vnet up` once",
    });
  }
  return compileNames({
    plan,
    addresses: book.assign(plan, nowMs),
    link: book.linkAddresses(range),
    ipv6: true,
    allDns: false,
    troubles: {
      profiles: new Map(
        profiles.filter(({ expiresMs }) => expiresMs <= nowMs).map(({ proxy, cluster }) => {
          const name = profileName(proxy);
          return [name, loggedOut(cluster, name)];
        }),
      ),
      denied: new Map(),
      removed: new Map(),
    },
  }).table;
}

function questionFor(name: string, type: string): Question {
  const rrType = parseType(type);
  try {
    const wanted = rrType === RR_TYPE.PTR && isAddress(name) ? reverseName(parseIp(name)) : name;
    return { name: parseDomainName(wanted), type: rrType, class: RR_CLASS.IN };
  } catch (thrown) {
    throw new UsageError("usage", `Cannot ask for "${name}": it is no domain name`, {
      cause: thrown,
    });
  }
}

function parseType(type: string): number {
  try {
    return parseRrType(type);
  } catch (thrown) {
    throw new UsageError("usage", `Cannot ask for type "${type}": there is none of that name`, {
      hint: "Use A, AAAA, PTR, HTTPS, TXT, … or TYPE65",
      cause: thrown,
    });
  }
}

function isAddress(text: string): boolean {
  try {
    parseIp(text);
    return true;
  } catch {
    return false;
  }
}
