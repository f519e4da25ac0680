// Asks for names as programs of Node do, and prints a line for each, in the words of clients.ts.
//
//   cares   dns.resolve*: c-ares
//   lookup  dns.lookup: the C library, by libuv
//
//   node ask_node.cjs cares|lookup QUESTION...
const { promises: dns } = require("node:dns");

const [how, ...questions] = process.argv.slice(2);
const WORDS = { ENOTFOUND: "nxdomain", ENODATA: "nodata" };

async function lookup(name, type) {
  if (type === "PTR") return (await dns.lookupService(name, 80)).hostname;
  const found = await dns.lookup(name, { all: true });
  return found.map(({ address }) => address);
}

async function cares(name, type) {
  if (type === "PTR") return (await dns.reverse(name)).join(" ");
  if (type !== undefined) return await dns.resolve(name, type).then(() => "data");
  const [ipv4, ipv6] = await Promise.allSettled([dns.resolve4(name), dns.resolve6(name)]);
  const found = [...ipv4.value ?? [], ...ipv6.value ?? []];
  if (found.length === 0) throw ipv4.reason;
  return found;
}

async function answer(question) {
  const [name, type] = question.split("/");
  try {
    const found = await (how === "lookup" ? lookup : cares)(name, type);
    return Array.isArray(found) ? found.sort().join(" ") : found;
  } catch (error) {
    return WORDS[error.code] ?? error.code;
  }
}

(async () => {
  for (const question of questions) process.stdout.write(`${question} ${await answer(question)}\n`);
})();
