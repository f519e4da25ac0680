/**
 * What the DNS server says to one question, in words; with the daemon down, from what was last known.
 *
 * @module
 */
import {
  ANSWER_TTL_SECONDS,
  explain,
  formatAnswers,
  formatRrType,
  judge,
  parseDomainName,
  parseRrType,
  type Question,
  reverseName,
  RR_CLASS,
  RR_TYPE,
} from "../dns/mod.ts";
import { UsageError, VnetError } from "../error.ts";
import { parseIp } from "../ip/mod.ts";
import { describeRefusal, grantOf, type Plan, tryParseName } from "../plan/mod.ts";
import type { ResolveV1 } from "../status/mod.ts";
import { readKnown } from "./cluster/known.ts";
import { ControlClient } from "./control/client.ts";
import { knownState } from "./known_state.ts";
import type { Names } from "./state/mod.ts";
import type { Paths } from "./paths.ts";

/** How many of those are told who claim a name and do not have it. */
const MAX_CLAIMS = 16;

/** Judges one question. @throws UsageError for a name or a type that is none. */
export function explainName(
  name: string,
  type: string,
  { table, plan }: Pick<Names, "table"> & { readonly plan: Plan },
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
    ...whose(question.name, plan),
    source,
  };
}

/** Whose a name is, and who else says it was theirs. */
function whose(text: string, plan: Plan): Pick<ResolveV1, "app" | "claims"> {
  const name = tryParseName(text);
  if (name === null) return {};
  const target = plan.targets.get(name);
  const grant = grantOf(plan, name);
  const claims = plan.refusedNames.filter(({ claim }) => claim.name === name)
    .slice(0, MAX_CLAIMS)
    .map((refused) => ({
      app: refused.claim.app,
      cluster: refused.claim.cluster,
      proxy: refused.claim.profile,
      why: describeRefusal(refused, plan.standings),
    }));
  return {
    ...(target === undefined || grant?.by == null ? {} : {
      app: {
        name: target.app,
        cluster: target.cluster,
        proxy: target.profile,
        zone: grant.suffix,
        grant: grant.by,
      },
    }),
    ...(claims.length === 0 ? {} : { claims }),
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
  return explainName(name, type, await knownNames(paths), "saved-state");
}

async function knownNames(paths: Paths): Promise<Parameters<typeof explainName>[2]> {
  const known = await readKnown(paths);
  const { names, plan } = await knownState(paths, known, { nowMs: Date.now() });
  if (names !== null) return { table: names.table, plan };
  throw new VnetError("nothing-known", "Cannot tell: nothing is known of any cluster yet", {
    hint: "Run `vnet login`, then `sudo vnet up` once",
  });
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
