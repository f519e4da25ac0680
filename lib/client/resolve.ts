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
import { readKnown } from "./cluster/known.ts";
import { ControlClient } from "./control/client.ts";
import { knownState } from "./known_state.ts";
import type { Paths } from "./paths.ts";

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
  return explainName(name, type, await knownTable(paths), "saved-state");
}

async function knownTable(paths: Paths): Promise<NameTable> {
  const { names } = await knownState(paths, await readKnown(paths), { nowMs: Date.now() });
  if (names !== null) return names.table;
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
