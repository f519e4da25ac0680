/**
 * A process that goes up and down once and ends by SIGKILL at a given act on the disk, for the crash test.
 *
 * Arguments: root directory · what to do (`cycle`, `up`, `repair`) · at which act to die, 0 for never.
 * Prints how many acts there were.
 *
 * @module
 */
import { parseEndpoint } from "../../../lib/ip/mod.ts";
import { OsDns, pathsBelow, repair } from "../../../lib/os/linux/dns/mod.ts";

const [root = "", what = "", dieAt = "0"] = Deno.args;
const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
let acts = 0;
const onStep = () => {
  acts++;
  if (acts === Number(dieAt)) Deno.kill(Deno.pid, "SIGKILL");
};
const paths = { ...pathsBelow(root), mountinfo: `${root}/mountinfo` };
const journalDir = `${root}/journal`;

if (what === "repair") {
  for (const line of await repair(journalDir, paths, onStep)) print(line);
} else {
  const dns = await OsDns.open({ journalDir, paths, onStep });
  await dns.apply({
    link: "vnet0",
    ifindex: 1,
    server: parseEndpoint("127.0.53.1:53"),
    zones: ["corp.example.com"],
    mode: "direct",
  });
  if (what === "cycle") await dns.close();
}
print(`acts ${acts}`);
