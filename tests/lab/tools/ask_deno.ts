/**
 * Asks for names as programs without a C library do, and prints a line for each, in the words of clients.ts.
 *
 *   deno   Deno.resolveDns, which is hickory-resolver
 *   pair   A and AAAA leave one socket before any answer is read, as Go's resolver and glibc have it
 *
 *   deno run -A ask_deno.ts deno|pair QUESTION...
 *
 * @module
 */
import {
  decodeMessage,
  encodeQuestion,
  formatRdata,
  type Message,
  parseResolvConf,
  parseRrType,
  questionOf,
  RCODE,
  reverseName,
  RR_TYPE,
} from "../../../lib/dns/mod.ts";
import { decodeIp, formatIp, parseIp } from "../../../lib/ip/mod.ts";
import { UdpClient } from "../../doubles/dns_client.ts";

const DNS_PORT = 53;

const [how, ...questions] = Deno.args;
const ask = how === "deno" ? askDeno : askPair;
for (const question of questions) {
  Deno.stdout.writeSync(new TextEncoder().encode(`${question} ${await ask(question)}\n`));
}

async function askDeno(question: string): Promise<string> {
  const [name = "", type] = question.split("/");
  if (type === "TXT") {
    return await none(async () => void await Deno.resolveDns(name, "TXT"), "data");
  }
  if (type === "PTR") {
    const [found = "none"] = await Deno.resolveDns(reverseName(parseIp(name)), "PTR")
      .catch(() => []);
    return found.replace(/\.$/, "");
  }
  const found: string[] = [];
  const what = await none(async () => void found.push(...await Deno.resolveDns(name, "A")), "");
  await none(async () => void found.push(...await Deno.resolveDns(name, "AAAA")), "");
  return found.length === 0 ? what : found.toSorted().join(" ");
}

/** @returns `none` where nothing was found, for that is all it says; any other failure throws */
async function none(find: () => Promise<void>, otherwise: string): Promise<string> {
  try {
    await find();
    return otherwise;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "none";
    throw error;
  }
}

async function askPair(question: string): Promise<string> {
  const [name = "", type] = question.split("/");
  const types = type === undefined ? [RR_TYPE.A, RR_TYPE.AAAA] : [parseRrType(type)];
  const [address] = parseResolvConf(await Deno.readTextFile("/etc/resolv.conf")).addresses;
  if (address === undefined) throw new Error("resolv.conf names no server");
  using client = new UdpClient({ address, port: DNS_PORT });
  for (const [index, type] of types.entries()) {
    const asked = questionOf(type === RR_TYPE.PTR ? reverseName(parseIp(name)) : name, type);
    await client.send(encodeQuestion(asked, { id: index + 1, udpSizeBytes: 1232 }));
  }
  const answers = new Map<number, Message>();
  const names: string[] = [];
  while (answers.size < types.length) {
    const bytes = await client.receive();
    const message = decodeMessage(bytes);
    if (message === null) throw new Error("the answer is not to be read");
    answers.set(message.id, message);
    const pointers = message.answers.filter((record) => record.type === RR_TYPE.PTR);
    names.push(...pointers.map((record) => formatRdata(bytes, record)));
  }
  const messages = [...answers.values()];
  if (type === undefined) return addressesOf(messages);
  return names.length > 0 ? names.join(" ").replace(/\.$/, "") : outcomeOf(messages);
}

function addressesOf(messages: readonly Message[]): string {
  const found = messages.flatMap(({ answers }) => answers).flatMap(({ rdata }) => {
    const address = decodeIp(rdata);
    return address === null ? [] : [formatIp(address)];
  });
  return found.length === 0 ? outcomeOf(messages) : found.toSorted().join(" ");
}

function outcomeOf(messages: readonly Message[]): string {
  const [first] = messages;
  if (first === undefined || messages.some(({ rcode }) => rcode !== first.rcode)) {
    return `codes ${messages.map(({ rcode }) => rcode).join(" and ")}`;
  }
  if (first.rcode === RCODE.NXDOMAIN) return "nxdomain";
  if (first.rcode !== RCODE.NOERROR) return `code ${first.rcode}`;
  return messages.some(({ answers }) => answers.length > 0) ? "data" : "nodata";
}
