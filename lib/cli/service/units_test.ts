import { deepEqual, equal, match, ok } from "node:assert/strict";
import { needing } from "../../../tests/needs.ts";
import { homeDropIn, packagedFiles, polkitFiles, units } from "./units.ts";

/** The worst that `systemd-analyze security` may say of a unit; 0 is best, 10 worst. */
const LIMITS: Readonly<Record<string, number>> = {
  "vnet-helper@.service": 2.5,
  "vnet-repair.service": 2.5,
  "vnet@.service": 1.5,
};

async function analyze(...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("systemd-analyze", {
    args: [...args],
    env: { SYSTEMD_COLORS: "0", LANG: "C.UTF-8" },
  }).output();
  const text = new TextDecoder();
  return text.decode(stdout) + text.decode(stderr);
}

/** Writes every unit, with a program that is there. */
async function withUnits(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vnet-units-" });
  try {
    for (const [name, text] of units("/bin/true")) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test(
  needing(
    ["systemd-analyze"],
    "units() are hardened: helper at most 2.5, daemon at most 1.5",
    (t) =>
      withUnits(async (folder) => {
        for (const [unit, limit] of Object.entries(LIMITS)) {
          await t.step(unit, async () => {
            const said = await analyze(
              "security",
              "--offline=true",
              "--no-pager",
              `${folder}/${unit}`,
            );
            const exposure = Number(/exposure level for .*: ([0-9.]+)/.exec(said)?.[1]);
            ok(exposure <= limit, `${exposure} > ${limit}\n${said}`);
          });
        }
      }),
  ),
);

Deno.test(
  needing(
    ["systemd-analyze"],
    "units() have no key or value that systemd does not understand",
    () =>
      withUnits(async (folder) => {
        const paths = [...units("/bin/true").keys()].map((name) =>
          `${folder}/${name.replace("@.", "@1.")}`
        );
        for (const name of ["vnet-helper@", "vnet@"]) {
          await Deno.rename(`${folder}/${name}.service`, `${folder}/${name}1.service`);
        }
        const said = await analyze("verify", "--man=no", "--recursive-errors=no", ...paths);
        deepEqual(said.split("\n").filter((line) => line.includes(folder)), []);
      }),
  ),
);

Deno.test("units() run the given program, the helper never as somebody's child of a shell", () => {
  for (const [name, text] of units("/opt/vnet/bin/vnet")) {
    const commands = text.split("\n").filter((line) => /^Exec/.test(line));
    equal(commands.length > 0, name.endsWith(".service"), name);
    for (const command of commands) match(command, /^Exec\w+=\/opt\/vnet\/bin\/vnet \w/);
  }
});

Deno.test("units() repair the machine also after a helper that was killed", () => {
  match(units("/x").get("vnet-helper@.service") ?? "", /^ExecStopPost=\/x repair /m);
});

Deno.test("homeDropIn() shows a daemon two folders of its user's home", () => {
  equal(
    homeDropIn("/home/alice"),
    "[Service]\nBindPaths=/home/alice/.config/vnet /home/alice/.local/state/vnet\n",
  );
});

Deno.test("packagedFiles() ship what the service needs of polkit, which is asked only if root wants it", () => {
  const policies = polkitFiles("/usr/bin/vnet").filter(({ path }) => path.endsWith(".policy"));
  equal(policies.length, 1);
  const packaged = packagedFiles();
  for (const { path, text } of policies) equal(packaged.get(path.replace(/^\/usr\//, "")), text);
  for (const text of packaged.values()) ok(!/--polkit|SocketMode=0666/.test(text));
});
